"""Signals whose matches are looked at once more in a moment, apart from what made them change."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select

from storage.schema import rematch
from storage.session import Repository

SOON_MS = 2_000
"""How long one waits: until the answer to whoever made it necessary is on its way."""
_DUE = select(rematch.c.signal_id).order_by(rematch.c.wanted_at, rematch.c.signal_id)


class Rematches(Repository):
    """A queue in which each signal stands once."""

    async def want(self, *signals: int) -> None:
        """Look at these again soon."""
        for number in signals:
            await self._s.put(rematch, {"signal_id": number, "wanted_at": self._s.now_ms})

    async def due(self, limit: int) -> Sequence[int]:
        """The signals whose turn it is, oldest first."""
        rows = await self._s.all(_DUE.where(rematch.c.wanted_at <= self._s.now_ms - SOON_MS).limit(limit))
        return [row.signal_id for row in rows]

    async def count(self) -> int:
        """How many wait, due or not: to ask costs no more than that."""
        return int(await self._s.value(select(func.count()).select_from(rematch)))

    async def done(self, number: int) -> None:
        await self._s.run(delete(rematch).where(rematch.c.signal_id == number))
