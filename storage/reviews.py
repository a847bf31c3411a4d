"""Pairs of signals that a coordinator decides on: is it one child?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, delete, func, insert, or_, select, update

from storage.schema import review
from storage.session import REGION, Repository
from storage.signals import Signal

AGAIN_MS = int(timedelta(days=1).total_seconds() * 1000)
"""How long an unanswered review waits before the coordinators are asked again."""


class Answer(StrEnum):
    """Not decided yet; one child; two children."""

    OPEN = "open"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`low` and `high` are the two signals, the older first."""

    id: int
    ref: str
    low: int
    high: int
    decision: Answer


class Reviews(Repository):
    """Open, decide, and ask again; what is decided stays, so that who comes second hears what the first said."""

    async def open(self, ref: str, one: Signal, other: Signal, *, decidable: bool) -> None:
        """Ask from now on whether these two are about one child; a decision that there was is asked for anew.

        `decidable`: there is somebody who may decide.
        """
        self._s.effects += 1
        low, high = sorted((one.id, other.id))
        await self._s.run(delete(review).where(review.c.low == low, review.c.high == high))
        await self._s.run(
            insert(review).values(
                region_id=REGION, ref=ref, low=low, high=high, decision=Answer.OPEN, opened_at=self._s.now_ms,
                repeat_at=self._s.now_ms + AGAIN_MS, undecidable=not decidable,
            )
        )  # fmt: skip

    async def get(self, ref: str) -> Review | None:
        row = await self._s.one(select(review).where(review.c.ref == ref, review.c.region_id == REGION))
        return _review(row) if row else None

    async def exists(self, ref: str) -> bool:
        return await self.get(ref) is not None

    async def open_ones(self) -> Sequence[Review]:
        """All that wait for a decision, the oldest first."""
        which = (review.c.decision == Answer.OPEN, review.c.region_id == REGION)
        return [_review(row) for row in await self._s.all(select(review).where(*which).order_by(review.c.id))]

    async def of_signal(self, which: Signal) -> Sequence[Review]:
        """Those in which a signal is or was compared."""
        rows = await self._s.all(select(review).where(or_(review.c.low == which.id, review.c.high == which.id)))
        return [_review(row) for row in rows]

    async def between(self, one: Signal, other: Signal) -> Review | None:
        """The one in which these two are or were compared."""
        low, high = sorted((one.id, other.id))
        row = await self._s.one(select(review).where(review.c.low == low, review.c.high == high))
        return _review(row) if row else None

    async def decide(self, which: Review, decision: Answer) -> None:
        self._s.effects += 1
        decided = update(review).where(review.c.id == which.id)
        await self._s.run(decided.values(decision=decision, repeat_at=None, undecidable=False))

    async def drop(self, which: Review) -> None:
        """Nothing hangs on it any more."""
        await self._s.run(delete(review).where(review.c.id == which.id))

    async def to_repeat(self, limit: int) -> Sequence[Review]:
        """Those that were not answered for a day."""
        due = select(review).where(review.c.repeat_at <= self._s.now_ms).order_by(review.c.repeat_at).limit(limit)
        return [_review(row) for row in await self._s.all(due)]

    async def count_to_repeat(self) -> int:
        return int(await self._s.value(select(func.count()).where(review.c.repeat_at <= self._s.now_ms)))

    async def repeated(self, which: Review, *, decidable: bool) -> None:
        """Asked again just now, if there is somebody who may decide."""
        again = update(review).where(review.c.id == which.id)
        await self._s.run(again.values(repeat_at=self._s.now_ms + AGAIN_MS, undecidable=not decidable))

    async def count_undecidable(self) -> int:
        """How many wait for somebody who may decide."""
        return int(await self._s.value(select(func.count()).where(review.c.undecidable)))

    async def look_for_deciders(self) -> None:
        """Those are asked about now, not in a day: there may be other coordinators than there were."""
        await self._s.run(update(review).where(review.c.undecidable).values(repeat_at=self._s.now_ms))


def _review(row: Row[Any]) -> Review:
    return Review(id=row.id, ref=row.ref, low=row.low, high=row.high, decision=Answer(row.decision))
