"""From which backup a database came; all rows of one database into another, of either kind."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from storage.schema import backup, metadata
from storage.session import Repository

_ROWS_AT_A_TIME: Final = 1_000


@dataclass(frozen=True, slots=True)
class Origin:
    """The backup that this database is, or was loaded from: made at that moment (milliseconds)."""

    made_at: int
    loaded: bool


def copy_rows(source: Connection, target: Connection) -> None:
    """All rows of all tables, those that others hang on first."""
    for table in metadata.sorted_tables:
        rows = source.execute(select(table), execution_options={"yield_per": _ROWS_AT_A_TIME})
        for part in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in part])


class Backups(Repository):
    """From which backup this database came, and putting one into an empty database."""

    async def origin(self) -> Origin | None:
        """None: from none, or all has been set right since."""
        row = await self._s.one(select(backup.c.made_at, backup.c.loaded))
        return Origin(row.made_at, row.loaded) if row else None

    async def is_empty(self) -> bool:
        """Whether there is nothing in any table."""
        for table in metadata.sorted_tables:
            if await self._s.one(select(*table.primary_key).limit(1)):
                return False
        return True

    async def load(self, source: Connection) -> None:
        """Take over all rows of a backup."""
        await self._s.run_sync(lambda target: _fill(source, target))
        await self._s.run(update(backup).values(loaded=True))

    async def set_right(self) -> None:
        """All that a restore asks for was done: a database like any other."""
        await self._s.run(delete(backup))


def _fill(source: Connection, target: Connection) -> None:
    copy_rows(source, target)
    if target.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            # The numbers were given, not counted: count on behind them.
            counter = func.pg_get_serial_sequence(table.name, column.name)
            target.execute(select(func.setval(counter, func.coalesce(func.max(column), 0) + 1, False)))  # noqa: FBT003 (SQL)
