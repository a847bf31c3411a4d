"""One Wenk per database: two would answer twice. The hold goes with the process, however that ends."""

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.errors import LockNotAvailable
from sqlalchemy import URL, make_url

from storage import postgresql
from storage.engine import DatabaseFault, sqlite_file
from storage.trouble import explain

log = logging.getLogger(__name__)

Keep = Callable[[], Coroutine[Any, Any, object]]
_ONLY_ONE: Final = 0x57454E4B31
"""'WENK1': the advisory lock of PostgreSQL that a Wenk holds as long as it lives."""
_WAIT: Final = "3s"
"""PostgreSQL notices the end of the last process a moment after it."""
_AGAIN_S = 0.5


class AlreadyRunning(Exception):
    """Another Wenk works with this database or data directory: two would answer twice. End that one first."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock file; raises AlreadyRunning."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[Keep]:
    """Hold the database; raises AlreadyRunning, DatabaseFault.

    Yields what keeps it held, for as long as it is awaited: a PostgreSQL that is restarted forgets its locks. That
    raises AlreadyRunning when another Wenk was quicker to take it again.
    """
    file = sqlite_file(url)
    if file is not None:
        # Not the database itself: a lock of our own on it could be in the way of SQLite's.
        file = file.resolve()
        with locked(file.with_name(f"{file.name}.lock")):
            yield asyncio.Event().wait
        return
    hold = _Hold(make_url(url))
    try:
        await hold.take()
    except psycopg.Error as fault:
        raise DatabaseFault(f"the database cannot be opened: {explain(fault)}") from fault
    try:
        yield hold.keep
    finally:
        await hold.release()


class _Hold:
    """A connection of its own, with a lock that is the session's."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._connection: postgresql.Connection | None = None

    async def take(self) -> None:
        connection = await postgresql.connect(self._url, in_haste=True)
        try:
            await connection.set_autocommit(True)
            await connection.execute(f"SET lock_timeout = '{_WAIT}'")
            await connection.execute(f"SELECT pg_advisory_lock({_ONLY_ONE})")
        except BaseException as fault:
            await connection.close()
            if isinstance(fault, LockNotAvailable):
                raise AlreadyRunning from None
            raise
        # From now on it only listens, and hears at once when the server hangs up.
        connection.answer_within_s = None
        self._connection = connection

    async def keep(self) -> None:
        while self._connection is not None:
            try:
                async for _notice in self._connection.notifies():
                    pass  # nobody says anything here
            except psycopg.Error:
                log.warning("the hold on the database is lost: taken again as soon as it answers")
            await self.release()
            await self._take_again()

    async def _take_again(self) -> None:
        while self._connection is None:
            try:
                await self.take()
            except psycopg.Error:
                await asyncio.sleep(_AGAIN_S)

    async def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
