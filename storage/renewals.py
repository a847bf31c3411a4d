"""What passes from a signal to the one that renews it, or is placed anew after it ended."""

from sqlalchemy import ColumnElement, Table, case, insert, literal, or_, select, update

from domain.introducing import Pairing
from storage.reviews import Answer
from storage.schema import disclosure, pair, participation, rematch, review
from storage.session import Repository
from storage.signals import Signal


class Renewals(Repository):
    """The new signal stands where the old one stood, and nobody but its owner need notice."""

    async def pass_on(self, old: Signal, new: Signal) -> None:
        """Decisions and the access log are the new one's too; the old one keeps its own, until it is erased.

        Its place in open introductions, what a coordinator has to decide on still, and what is to be looked at in a
        moment are the new one's alone. A pair that is not decided on stays so for the old one: as long as the new one
        is there, nobody asks about it twice.
        """
        self._s.effects += 1
        await self._copy_pairs(old, new)
        told = select(literal(new.id), disclosure.c.told, disclosure.c.how, disclosure.c.told_at)
        of_old = told.where(disclosure.c.signal_id == old.id).order_by(disclosure.c.id)
        await self._s.run(insert(disclosure).from_select(["signal_id", "told", "how", "told_at"], of_old))
        await self._move_reviews(old, new)
        takes_part = update(participation).where(participation.c.signal_id == old.id, participation.c.active)
        await self._s.run(takes_part.values(signal_id=new.id))
        await self._s.run(update(rematch).where(rematch.c.signal_id == old.id).values(signal_id=new.id))

    async def doubt_as(self, old: Signal, new: Signal) -> None:
        """What was said not to be on the same child as the old one is not on that of the new one either.

        What a coordinator is being asked about the old one is asked about the new one alone.
        """
        self._s.effects += 1
        await self._copy_pairs(old, new, pair.c.verdict.in_([Pairing.REFUSED, Pairing.REVIEW]))
        await self._move_reviews(old, new)

    async def _move_reviews(self, old: Signal, new: Signal) -> None:
        other = case((review.c.low == old.id, review.c.high), else_=review.c.low)
        undecided = update(review).where(_either(review, old), review.c.decision == Answer.OPEN)
        await self._s.run(undecided.values(low=other, high=new.id))

    async def _copy_pairs(self, old: Signal, new: Signal, *which: ColumnElement[bool]) -> None:
        # The new one is the youngest of all signals, so it is the higher of each pair.
        other = case((pair.c.low == old.id, pair.c.high), else_=pair.c.low)
        decided = select(other, literal(new.id), pair.c.verdict, pair.c.decided_at).where(_either(pair, old), *which)
        await self._s.run(insert(pair).from_select(["low", "high", "verdict", "decided_at"], decided))


def _either(table: Table, old: Signal) -> ColumnElement[bool]:
    return or_(table.c.low == old.id, table.c.high == old.id)
