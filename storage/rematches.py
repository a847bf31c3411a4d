"""Signals whose matches are looked at once more in a moment, apart from what made them change."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, bindparam, delete, func, insert, select, union_all

from storage.schema import pair, rematch
from storage.session import Repository
from storage.signals import Signal

SOON_MS = 2_000
"""How long one waits: until the answer to whoever made it necessary is on its way."""
# Said of each signal that ends, so built once.
_COMPARED = union_all(
    select(pair.c.high.label("number")).where(pair.c.low == bindparam("which")),
    select(pair.c.low).where(pair.c.high == bindparam("which")),
).subquery()
_WANT_COMPARED = insert(rematch).from_select(
    ["signal_id", "wanted_at"],
    select(_COMPARED.c.number, bindparam("now", type_=BigInteger)).where(
        _COMPARED.c.number.not_in(select(rematch.c.signal_id))
    ),
)
_DUE = select(rematch.c.signal_id).order_by(rematch.c.wanted_at, rematch.c.signal_id)


class Rematches(Repository):
    """A queue in which each signal stands once."""

    async def want(self, *signals: int) -> None:
        """Look at these again soon."""
        for number in signals:
            await self._s.put(rematch, {"signal_id": number, "wanted_at": self._s.now_ms})

    async def want_compared(self, which: Signal) -> None:
        """The same for those that were compared with this one; one statement, which does not tell how many there are.

        Who waits already is looked at after this anyway.
        """
        self._s.later(_WANT_COMPARED, {"which": which.id, "now": self._s.now_ms})

    async def due(self, limit: int) -> Sequence[int]:
        """The signals whose turn it is, oldest first."""
        rows = await self._s.all(_DUE.where(rematch.c.wanted_at <= self._s.now_ms - SOON_MS).limit(limit))
        return [row.signal_id for row in rows]

    async def count(self) -> int:
        """How many wait, due or not: to ask costs no more than that."""
        return int(await self._s.value(select(func.count()).select_from(rematch)))

    async def done(self, number: int) -> None:
        await self._s.run(delete(rematch).where(rematch.c.signal_id == number))
