"""Who of a family was told: sealed, so that the database does not tell who had to be, which tells an age."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update

from domain.notice import Notice, must_tell
from storage.schema import notice, signal
from storage.session import Repository
from storage.signals import Signal
from storage.telling import pack, unpack

_PUT = (
    update(notice)
    .where(notice.c.signal_id == bindparam("number"))
    .values(sealed=bindparam("packed"), look_on=bindparam("day"))
)


_LOOK = update(notice).where(notice.c.signal_id == bindparam("number")).values(look_on=bindparam("day"))
_DUE = (
    select(notice.c.signal_id, signal.c.owner)
    .join(signal, signal.c.id == notice.c.signal_id)
    .where(notice.c.look_on <= bindparam("today"))
    .order_by(signal.c.owner, notice.c.signal_id)
)
_MORE_DUE = _DUE.where(signal.c.owner == bindparam("whose"), notice.c.signal_id > bindparam("after"))
_MOST_OF_ONE = 500
"""So many references fit on one card, and so many notices in one unit of work."""


class Notices(Repository):
    """One row for each signal, made with it (storage.signals). `look_on` is all that stands in clear.

    Whom one must tell follows from the child's birth date and the day of placing, so that a corrected date corrects it.
    """

    async def get(self, which: Signal) -> Notice:
        return (await self.of([which]))[which.id]

    async def of(self, signals: Iterable[Signal]) -> dict[int, Notice]:
        """By the signal's number."""
        by_number = {signal.id: signal for signal in signals}
        rows = await self._s.all(select(notice).where(notice.c.signal_id.in_(list(by_number)))) if by_number else []
        return {row.signal_id: _notice(row, by_number[row.signal_id]) for row in rows}

    async def put(self, which: Signal, changed: Notice, look_on: date | None) -> None:
        """How far it is now, and when to look again."""
        self._s.effects += 1
        sealed = which.key.seal(pack(changed))
        await self._s.run(_PUT, {"number": which.id, "packed": sealed, "day": look_on})

    async def look_again(self, which: Signal, on: date | None) -> None:
        """Nothing was to be said: look again on that day, or never."""
        await self._s.run(_LOOK, {"number": which.id, "day": on})

    async def to_look_at(self, day: date, limit: int) -> Sequence[Sequence[int]]:
        """The numbers of the signals of which it is time to ask whether the family was told, by whose they are.

        At least `limit` of them if there are so many, for none of an owner's are left: they go on one card.
        """
        rows = list(await self._s.all(_DUE.limit(limit), {"today": day}))
        if len(rows) == limit:
            last = {"today": day, "whose": rows[-1].owner, "after": rows[-1].signal_id}
            rows += await self._s.all(_MORE_DUE.limit(_MOST_OF_ONE), last)
        return [[row.signal_id for row in of_one] for _, of_one in groupby(rows, key=lambda row: row.owner)]

    async def count_to_look_at(self, day: date) -> int:
        return int(await self._s.value(select(func.count()).where(notice.c.look_on <= day)))


def _notice(row: Row[Any], of: Signal) -> Notice:
    must = must_tell(of.child.born, of.placed_on)
    if row.sealed is None:
        return Notice(must=must, since=of.placed_on)
    return unpack(of.key.open(row.sealed), must)
