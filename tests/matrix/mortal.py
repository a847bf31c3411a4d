"""The bot, which dies where a test wants it to: `python -m tests.matrix.mortal` in the place of `python -m bot`.

A step is what leaves the process and cannot be taken back: a request to the homeserver, a commit of the database, a
commit of the crypto store. Each is written down as it begins and as it is over, and if it is in the fuse the process
kills itself there: no line of the bot runs any more. The bot knows nothing of this.
"""

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

import bot.store
from bot.cli import main
from bot.http import Homeserver
from storage.database import Storage
from storage.unit import UnitOfWork

FOLDER: Final = "WENK_MORTAL"
"""The environment variable with the folder of fuse and steps."""
_KEYS: Final = {"bot.olm", "bot.store"}
"""Where keys are kept: a step is named by whoever had it done."""
_WORD: Final = re.compile(r"[a-z_.]+([A-Z][a-z]+)*")
"""As `createRoom`; a random id hardly ever looks so, though one in twenty has neither digits nor signs."""
_site: ContextVar[str] = ContextVar("_site")


class Fuse:
    """Points at which to die: `before STEP` or `after STEP`, ` #3` added for the third time since the fuse was lit.

    A file, so that it outlives the process; each point kills once.
    """

    def __init__(self, folder: Path) -> None:
        self._points = folder / "fuse"
        self._steps = folder / "steps"
        self._lit = ""
        self._times: Counter[str] = Counter()

    def pass_by(self, point: str) -> None:
        """The process is here; it may go no further."""
        with self._steps.open("a") as steps:
            steps.write(f"{point}\n")
        lit = self._points.read_text() if self._points.exists() else ""
        if lit != self._lit:
            self._lit, self._times = lit, Counter()
        self._times[point] += 1
        points = lit.splitlines()
        for here in (point, f"{point} #{self._times[point]}"):
            if here in points:
                points.remove(here)
                self._points.write_text("\n".join(points))
                os.kill(os.getpid(), signal.SIGKILL)


def _asked_by(*packages: str) -> str:
    """The nearest function of one of these packages, apart from where the steps are taken."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith(packages) and module not in _KEYS:
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "?"


def _kind(method: str, url: URL) -> str:
    """A request without what it is about: ids have digits or signs in them."""
    words = [part for part in url.raw_path.split("/") if _WORD.fullmatch(part)]
    return f"{method} {'/'.join(words[2:])}"


def haunt(fuse: Fuse) -> None:
    """Have every step pass by the fuse."""
    once, unit, commit = Homeserver._once, Storage.unit, Storage._commit

    async def mortal_once(
        self: Homeserver,
        method: str,
        url: URL,
        body: Mapping[str, Any] | bytes | None,
        token: str | None,
        timeout_s: float,
    ) -> Any:  # noqa: ANN401 (bot.http's own)
        kind = _kind(method, url)
        fuse.pass_by(f"before {kind}")
        answer = await once(self, method, url, body, token, timeout_s)
        fuse.pass_by(f"after {kind}")
        return answer

    @asynccontextmanager
    async def mortal_unit(self: Storage) -> AsyncIterator[UnitOfWork]:
        _site.set(f"commit {_asked_by('bot.', 'handlers.')}")
        async with unit(self) as uow:
            yield uow

    async def mortal_commit(self: Storage, connection: AsyncConnection, unit: UnitOfWork) -> None:
        fuse.pass_by(f"before {_site.get()}")
        await commit(self, connection, unit)
        fuse.pass_by(f"after {_site.get()}")

    class MortalDatabase(bot.store._Database):
        changed = False

        def execute_sql(self, sql: str, params: Any = None, *_deprecated: Any) -> Any:  # noqa: ANN401 (peewee's)
            writes = sql.startswith(("INSERT", "UPDATE", "DELETE", "REPLACE"))
            if not writes:
                return super().execute_sql(sql, params)
            if self.in_transaction():
                self.changed = True
                return super().execute_sql(sql, params)
            step = f"keys {_asked_by('bot.')}"
            fuse.pass_by(f"before {step}")
            cursor = super().execute_sql(sql, params)
            fuse.pass_by(f"after {step}")
            return cursor

        def commit(self) -> None:
            step = f"keys {_asked_by('bot.')}"
            if self.changed:
                fuse.pass_by(f"before {step}")
            super().commit()
            if self.changed:
                fuse.pass_by(f"after {step}")
            self.changed = False

    Homeserver._once = mortal_once  # type: ignore[method-assign]
    Storage.unit = mortal_unit  # type: ignore[method-assign]
    Storage._commit = mortal_commit  # type: ignore[method-assign]
    bot.store._Database = MortalDatabase  # type: ignore[misc]


if __name__ == "__main__":
    haunt(Fuse(Path(os.environ[FOLDER])))
    main()
