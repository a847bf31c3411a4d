"""What the repositories of one unit of work share."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.calendar import day_of
from storage.vault import Vault

REGION = 1
"""The one region of this process; more come with an issue of their own, the tables are ready for them."""


class Session:
    """The connection, the vault, the one moment of the unit of work, and what it did so far."""

    def __init__(self, connection: AsyncConnection, vault: Vault, now: datetime) -> None:
        self.connection = connection
        self.vault = vault
        self.now = now
        self.now_ms = int(now.timestamp() * 1000)
        self.effects = 0
        self.audited = 0
        self.rooms_to_wake: set[str] = set()

    @property
    def today(self) -> date:
        return day_of(self.now)

    async def run(self, statement: Executable) -> int:
        """Execute a change; the number of rows it met."""
        result = await self.connection.execute(statement)
        return int(getattr(result, "rowcount", 0))

    async def one(self, statement: Executable) -> Row[Any] | None:
        return (await self.connection.execute(statement)).one_or_none()

    async def all(self, statement: Executable) -> Sequence[Row[Any]]:
        return (await self.connection.execute(statement)).all()

    async def value(self, statement: Executable) -> Any:  # noqa: ANN401 (whatever the one column holds)
        return (await self.connection.execute(statement)).scalar()


class Repository:
    """One topic's tables, seen within a unit of work."""

    def __init__(self, session: Session) -> None:
        self._s = session
