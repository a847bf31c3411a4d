"""What was decided about pairs of signals, and who was told of whom."""

from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, insert, or_, select, update

from domain.introducing import Pairing
from storage.schema import disclosure, pair, review
from storage.session import Repository
from storage.signals import Signal

SHOWN = ("match", "earlier")
"""How somebody was shown the contact details of a signal's owner."""

_PAIRS = select(pair.c.low, pair.c.high, pair.c.verdict)
_DECIDED = _PAIRS.where(or_(pair.c.low == bindparam("which"), pair.c.high == bindparam("which")))
_AMONG = _PAIRS.where(*(end.in_(bindparam("signals", expanding=True)) for end in (pair.c.low, pair.c.high)))


class Pairs(Repository):
    """Pairs of signals on one child; a pair is stored once, whichever came first."""

    async def decide(self, one: Signal, other: Signal, pairing: Pairing) -> None:
        """Remember a decision about two signals, in the place of one that there was."""
        self._s.effects += 1
        low, high = sorted((one.id, other.id))
        values = {"low": low, "high": high, "verdict": pairing, "decided_at": self._s.now_ms}
        await self._s.put(pair, values)

    async def decided(self, which: Signal) -> dict[int, Pairing]:
        """For each signal that was compared with this one before: the decision."""
        rows = await self._s.all(_DECIDED, {"which": which.id})
        return {(row.high if row.low == which.id else row.low): Pairing(row.verdict) for row in rows}

    async def among(self, signals: Collection[int]) -> Mapping[tuple[int, int], Pairing]:
        """The decisions about pairs of these signals, by the two of them, the older first."""
        rows = await self._s.all(_AMONG, {"signals": list(signals)})
        return {(row.low, row.high): Pairing(row.verdict) for row in rows}

    async def doubt(self, which: Signal, others: Collection[int]) -> None:
        """What was decided about these is to be asked of a coordinator, in a review that is opened in a moment."""
        pairs = update(pair).where(_between(pair, which, others))
        await self._s.run(pairs.values(verdict=Pairing.REVIEW, decided_at=self._s.now_ms))

    async def forget(self, which: Signal, others: Collection[int]) -> None:
        """As if these were never compared with this one, nor asked about."""
        for table in (review, pair):
            await self._s.run(delete(table).where(_between(table, which, others)))

    async def disclose(self, which: Signal, told: str, how: str) -> None:
        """Write in the access log of a signal that `told` was told of it.

        `how`: as `match`, `earlier`, `silent` (who takes part, by name only) or `review`.
        """
        self._s.effects += 1
        await self._s.run(insert(disclosure).values(signal_id=which.id, told=told, how=how, told_at=self._s.now_ms))

    async def disclosed_to(self, which: Signal, *how: str) -> set[str]:
        """Who was told of this signal in one of these ways."""
        rows = await self._s.all(
            select(disclosure.c.told).where(disclosure.c.signal_id == which.id, disclosure.c.how.in_(how))
        )
        return {row.told for row in rows}

    async def shown_to(self, told: str, which: Signal, *how: str) -> set[int]:
        """Of which signals that were compared with this one somebody was told, in one of these ways."""
        compared = or_(
            and_(pair.c.low == which.id, pair.c.high == disclosure.c.signal_id),
            and_(pair.c.high == which.id, pair.c.low == disclosure.c.signal_id),
        )
        told_of = select(disclosure.c.signal_id).join(pair, compared)
        rows = await self._s.all(told_of.where(disclosure.c.told == told, disclosure.c.how.in_(how)))
        return {row.signal_id for row in rows}


def _between(table: Table, which: Signal, others: Collection[int]) -> ColumnElement[bool]:
    return or_(
        and_(table.c.low == which.id, table.c.high.in_(others)), and_(table.c.high == which.id, table.c.low.in_(others))
    )
