"""Signals whose matches are looked at once more in a moment, apart from what made them change."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, delete, func, insert, literal, select, union_all

from storage.schema import pair, rematch
from storage.session import Repository
from storage.signals import Signal

SOON_MS = 2_000
"""How long one waits: until the answer to whoever made it necessary is on its way."""
_DUE = select(rematch.c.signal_id).order_by(rematch.c.wanted_at, rematch.c.signal_id)


class Rematches(Repository):
    """A queue in which each signal stands once."""

    async def want(self, *signals: int) -> None:
        """Look at these again soon."""
        for number in signals:
            await self._s.put(rematch, {"signal_id": number, "wanted_at": self._s.now_ms})

    async def want_compared(self, which: Signal) -> None:
        """Those that were compared with this one: how long it takes does not tell how many there are."""
        ends = (select(pair.c.high).where(pair.c.low == which.id), select(pair.c.low).where(pair.c.high == which.id))
        compared = union_all(*ends).subquery()
        await self._s.run(delete(rematch).where(rematch.c.signal_id.in_(select(compared.c.high))))
        soon = select(compared.c.high, literal(self._s.now_ms, BigInteger))
        await self._s.run(insert(rematch).from_select(["signal_id", "wanted_at"], soon))

    async def due(self, limit: int) -> Sequence[int]:
        """The signals whose turn it is, oldest first."""
        rows = await self._s.all(_DUE.where(rematch.c.wanted_at <= self._s.now_ms - SOON_MS).limit(limit))
        return [row.signal_id for row in rows]

    async def count(self) -> int:
        """How many wait, due or not: to ask costs no more than that."""
        return int(await self._s.value(select(func.count()).select_from(rematch)))

    async def done(self, number: int) -> None:
        await self._s.run(delete(rematch).where(rematch.c.signal_id == number))
