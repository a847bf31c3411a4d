"""SQLite without a detour for what never waits.

aiosqlite sends every call to a thread: four times there and back for one SELECT, each at the scheduler's mercy, for
some 20 microseconds of work. Here rows are read and written on the spot: in WAL mode a reader waits for nobody, and a
writer holds the lock from BEGIN IMMEDIATE on. What may wait, for a lock or for the disk, is left to the thread: BEGIN
IMMEDIATE, COMMIT, a writer's ROLLBACK, PRAGMA, changes of the schema.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import aiosqlite

_NEVER_WAITS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_CHUNK: Final = 64


class _Cursor:
    """The part of aiosqlite's cursor that SQLAlchemy uses."""

    def __init__(self, connection: "_Connection", cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor.close()

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> Self:
        if statement == "BEGIN" or statement.lstrip().startswith(_NEVER_WAITS):
            self._cursor.execute(statement, values)
        else:
            await self._connection.wait_for(lambda: self._cursor.execute(statement, values))
        return self

    async def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> Self:
        self._cursor.executemany(statement, rows)
        return self

    async def fetchone(self) -> Any:  # noqa: ANN401 (a row of any columns)
        return self._cursor.fetchone()

    async def fetchmany(self, size: int) -> list[Any]:
        return self._cursor.fetchmany(size)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()

    @property
    def description(self) -> Any:  # noqa: ANN401 (as DB-API has it)
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection with cursors of our own."""

    _waits = False
    """Something is in the thread, or was when its caller gave up: what ends the transaction has to queue behind it."""

    def cursor(self) -> Any:  # noqa: ANN401 (in the place of aiosqlite's cursor)
        return _Cursor(self, self._conn.cursor())

    async def wait_for(self, work: Callable[[], object]) -> None:
        """Have it done in the thread."""
        self._waits = True
        await self._execute(work)  # type: ignore[no-untyped-call]  # aiosqlite's own, without annotations

    async def commit(self) -> None:
        await super().commit()
        self._waits = False

    async def rollback(self) -> None:
        if self._waits:
            await super().rollback()
            self._waits = False
        else:
            self._conn.rollback()  # of a reader, or of nothing: SQLAlchemy rolls back whatever it is done with


async def connect(*arguments: Any, **options: Any) -> aiosqlite.Connection:  # noqa: ANN401 (sqlite3.connect's)
    """Open a database; the arguments are those of `sqlite3.connect`."""
    connection = _Connection(lambda: sqlite3.connect(*arguments, **options), _CHUNK)
    # As SQLAlchemy does it: a connection that nobody closed must not keep the process from ending.
    connection._thread.daemon = True  # noqa: SLF001 (there is no other way in)
    return await connection
