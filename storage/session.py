"""What the repositories of one unit of work share."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calendar import day_of
from storage.vault import Vault

REGION = 1
"""The one region of this process; more come with an issue of their own, the tables are ready for them."""

T = TypeVar("T")
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


async def finish(work: Awaitable[T]) -> T:
    """The result of `work`, which is done even when this task is cancelled meanwhile; that is passed on afterwards.

    A driver that is cut off in the middle of a statement leaves its connection neither usable nor closable.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})  # which raises nothing of the task's own
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled:
        # Also where the work failed: who is told to stop must not take that for a fault to be tried again.
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()


@cache
def _put(dialect: str, table: Table, columns: tuple[str, ...]) -> Executable:
    # The two databases say the same here, and SQLAlchemy has it for each of them only.
    insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](table)
    key = [column.name for column in table.primary_key]
    changed = {column: insert.excluded[column] for column in columns if column not in key}
    statement: Executable = insert.on_conflict_do_update(index_elements=key, set_=changed)
    return statement


class Session:
    """The connection, the vault, the one moment of the unit of work, and what it did so far.

    Building a statement takes as long as running it. What is said with every command stands as a constant, with its
    `values` given when it is run.
    """

    def __init__(self, connection: AsyncConnection, vault: Vault, now: datetime) -> None:
        self._connection = connection
        self.vault = vault
        self.now = now
        self.now_ms = int(now.timestamp() * 1000)
        self.effects = 0
        self.audited = 0
        self.erased: list[str] = []
        self.rooms_to_wake: set[str] = set()
        self.rooms_to_settle: set[str] = set()
        self._waiting: dict[Executable, list[Mapping[str, Any]]] = {}

    @property
    def today(self) -> date:
        return day_of(self.now)

    async def run(self, statement: Executable, values: Values | None = None) -> int:
        """Execute a change; the number of rows it met."""
        return (await self._execute(statement, values)).rowcount

    def later(self, statement: Executable, values: Mapping[str, Any]) -> None:
        """Execute a change before anything else is asked or changed, at the latest with the commit.

        What is said again and again goes to the database together. Such statements must not depend on each other.
        """
        self._waiting.setdefault(statement, []).append(values)

    async def flush(self) -> None:
        """Execute what waits; who asks or changes anything need not think of it.

        What fails waits still: nothing is committed without it, not even if somebody lets the fault pass.
        """
        for statement, values in list(self._waiting.items()):
            await self._execute_now(statement, values if len(values) > 1 else values[0])
            del self._waiting[statement]

    async def put(self, table: Table, values: Mapping[str, Any]) -> None:
        """Insert a row, or change the one that has its primary key."""
        await self._execute(_put(self._connection.dialect.name, table, tuple(values)), values)

    async def one(self, statement: Executable, values: Values | None = None) -> Row[Any] | None:
        return (await self._execute(statement, values)).one_or_none()

    async def all(self, statement: Executable, values: Values | None = None) -> Sequence[Row[Any]]:
        return (await self._execute(statement, values)).all()

    async def value(self, statement: Executable, values: Values | None = None) -> Any:  # noqa: ANN401 (whatever the one column holds)
        return (await self._execute(statement, values)).scalar()

    async def run_sync(self, work: Callable[[Connection], None]) -> None:
        """Have something done on the connection that knows nothing of waiting."""
        await self.flush()
        await finish(self._connection.run_sync(work))

    async def _execute(self, statement: Executable, values: Values | None = None) -> CursorResult[Any]:
        if self._waiting:
            await self.flush()
        return await self._execute_now(statement, values)

    async def _execute_now(self, statement: Executable, values: Values | None) -> CursorResult[Any]:
        work = self._connection.execute(statement, values)
        # On SQLite nothing waits (storage/sqlite.py), so nothing can be cut off in the middle.
        return await (work if self._connection.dialect.name == "sqlite" else finish(work))


class Repository:
    """One topic's tables, seen within a unit of work."""

    def __init__(self, session: Session) -> None:
        self._s = session
