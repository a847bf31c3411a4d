"""A stage to play on: a homeserver of its own, and the bot as a real process. For the demo, the tests and the bench."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiohttp

from bot.crosssigning import CrossSigningKeys
from bot.demo.person import Person
from bot.demo.synapse import SERVER_NAME, LocalSynapse, free_port

READY_WITHIN_S: Final = 90
STOPPED_WITHIN_S: Final = 30
_POLL_S: Final = 0.05


class BotFailed(Exception):
    """The bot ended or did not become ready; its log says why."""


class Stage:
    """One homeserver, one bot, in one directory.

    Attributes:
        config: the bot's config file.
        log_path: what the bot wrote on stderr.
        web: the base URL of `/readyz` and `/metrics`.
    """

    def __init__(  # noqa: PLR0913 (choices of one stage, by name)
        self,
        directory: Path,
        *,
        coordinators: Sequence[str] = ("anna",),
        region: Mapping[str, Any] | None = None,
        synapse: LocalSynapse | None = None,
        limits: Literal["default", "generous"] = "generous",
        database_url: str = "sqlite+aiosqlite:///data/wenk.db",
        env: Mapping[str, str] | None = None,
        reached_at: str | None = None,
        program: str = "bot",
    ) -> None:
        """Prepare a stage.

        Args:
            directory: where everything goes.
            coordinators: local parts of the first coordinators.
            region: more choices of the region.
            synapse: a homeserver that runs already and is not ours to stop; else a new one.
            limits: of a new homeserver.
            database_url: as in the config.
            env: added to the bot's environment.
            reached_at: where the bot finds the homeserver, if something stands between; people reach it directly.
            program: the module that is run; another one than the bot's own puts something round it.
        """
        self.directory = directory
        self.synapse = synapse or LocalSynapse(directory / "synapse", limits=limits)
        self._own_synapse = synapse is None
        # Several stages may share one homeserver.
        self.suffix = "" if self._own_synapse else "-" + secrets.token_hex(4)
        self.config = directory / "config.toml"
        self.log_path = directory / "bot.log"
        self.env = dict(env or {})
        self.passwords: dict[str, str] = {}
        self._coordinators = coordinators
        self._region = dict(region or {})
        self._database_url = database_url
        self._reached_at = reached_at
        self._program = program
        self._port = free_port()
        self.web = f"http://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None
        self._people: list[Person] = []

    def user_id(self, name: str) -> str:
        return f"@{name}{self.suffix}:{SERVER_NAME}"

    async def __aenter__(self) -> Self:
        """A homeserver that answers, and a bot account on it; the bot is not started yet."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._own_synapse:
            await self.synapse.start()
        try:
            await self.register("wenk")
            for name in self._coordinators:
                await self.register(name)
            self._write_config()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop all that was started."""
        for person in self._people:
            await person.close()
        await self.stop()
        if self._own_synapse:
            await self.synapse.stop()

    async def register(self, name: str) -> str:
        """An account; its user id."""
        self.passwords[name] = secrets.token_urlsafe(12)
        return await self.synapse.register(f"{name}{self.suffix}", self.passwords[name])

    async def person(self, name: str, *, keys: CrossSigningKeys | None = None, signed: bool = True) -> Person:
        """Somebody with a phone: registered if need be, logged in on a new device."""
        if name not in self.passwords:
            await self.register(name)
        device = self.directory / "people" / f"{name}-{secrets.token_hex(3)}"
        device.mkdir(parents=True)
        person = await Person.enter(
            self.synapse.url, self.user_id(name), self.passwords[name], device, keys=keys, signed=signed
        )
        self._people.append(person)
        return person

    async def init(self) -> None:
        """`wenk init`."""
        process = await self.wenk("init")
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:  # interrupted
                process.kill()
                await process.wait()
        if status:
            raise BotFailed(self._tail())

    async def start(self) -> None:
        """`wenk run`, until `/readyz` says 200."""
        self._process = await self.wenk("run")
        try:
            async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as session:
                while not await self._is_ready(session):
                    if self._process.returncode is not None:
                        raise BotFailed(self._tail())
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise BotFailed(self._tail()) from None

    async def launch(self) -> None:
        """`wenk run`, without waiting until it is ready, if it ever will be."""
        self._process = await self.wenk("run")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """End the bot with a signal; its exit status, None if it did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(number)
        try:
            async with asyncio.timeout(STOPPED_WITHIN_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise BotFailed("it did not stop in time") from None

    async def kill(self) -> None:
        """As a power cut would: no line of the bot runs any more."""
        await self.stop(signal.SIGKILL)

    async def wait(self) -> int:
        """The exit status of a bot that ends by itself."""
        if self._process is None:
            raise BotFailed("it was not started")
        status = await self._process.wait()
        self._process = None
        return status

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def wenk(self, command: str, *arguments: str) -> asyncio.subprocess.Process:
        """Any command, with this stage's config; what it says goes to `log_path`."""
        with self.log_path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._program, command, *arguments, "-c", str(self.config),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.env},
                start_new_session=True,
            )  # fmt: skip

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.web}/readyz") as answer:
                return answer.status == 200  # noqa: PLR2004 (HTTP: OK)
        except aiohttp.ClientError:
            return False

    def _tail(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])

    def _write_config(self) -> None:
        secrets_dir = self.directory / "secrets"
        secrets_dir.mkdir(exist_ok=True, mode=0o700)
        (secrets_dir / "password").write_text(self.passwords["wenk"])
        region = {"name": "Smallingerland", "coordinators": [self.user_id(name) for name in self._coordinators]}
        self.config.write_text(
            "\n".join(
                [
                    "[matrix]",
                    f'homeserver = "{self._reached_at or self.synapse.url}"',
                    f'user_id = "{self.user_id("wenk")}"',
                    'password_file = "secrets/password"',
                    "[storage]",
                    f'url = "{self._database_url}"',
                    'data_dir = "data"',
                    'keys_file = "secrets/keys.json"',
                    "[web]",
                    f'listen = "127.0.0.1:{self._port}"',
                    "[region]",
                    *(f"{key} = {_toml(value)}" for key, value in (region | self._region).items()),
                    "",
                ]
            )
        )


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(_toml(part) for part in value) + "]"
        case int():
            return str(value)
        case _:
            return f'"{value}"'
