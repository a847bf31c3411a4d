"""Introductions: which professionals were brought together, and who still takes part."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from storage.schema import introduction, participation
from storage.session import REGION, Repository, Session


@dataclass(frozen=True, slots=True)
class Participation:
    """One professional in an introduction; `signal_id` is None once that signal was erased."""

    user_id: str
    signal_id: int | None
    active: bool
    arrived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """`close_on` is set while fewer than two take part: the day on which it closes."""

    id: int
    ref: str
    open: bool
    opened_on: date
    call_by: date
    close_on: date | None
    participants: tuple[Participation, ...]

    @property
    def active(self) -> tuple[Participation, ...]:
        return tuple(who for who in self.participants if who.active)


_TAKE_PART = select(participation.c.signal_id).where(
    participation.c.signal_id.in_(bindparam("signals", expanding=True)), participation.c.active
)
_OPEN_ONES_OF_SIGNALS = (
    select(participation.c.introduction_id)
    .join(introduction, introduction.c.id == participation.c.introduction_id)
    .where(
        participation.c.signal_id.in_(bindparam("signals", expanding=True)),
        participation.c.active,
        introduction.c.state == "open",
    )
    .distinct()
)


class Introductions(Repository):
    """Open, join, leave and close."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._alone: frozenset[int] = frozenset()
        """Signals that take part in nothing, as far as that was looked up; forgotten as soon as anybody joins."""

    async def open(self, ref: str, call_by: date) -> int:
        self._s.effects += 1
        number: int = await self._s.value(
            insert(introduction)
            .values(region_id=REGION, ref=ref, state="open", opened_on=self._s.today, call_by=call_by, close_on=None)
            .returning(introduction.c.id)
        )
        return number

    async def join(self, number: int, user_id: str, signal_id: int) -> None:
        """Take part, for the first time or again; somebody who comes back is announced anew."""
        self._s.effects += 1
        self._alone = frozenset()
        await self._s.put(
            participation,
            {"introduction_id": number, "user_id": user_id, "signal_id": signal_id, "active": True, "arrived": False},
        )

    async def leave(self, number: int, user_id: str) -> None:
        self._s.effects += 1
        await self._s.run(
            update(participation)
            .where(participation.c.introduction_id == number, participation.c.user_id == user_id)
            .values(active=False)
        )

    async def mark_arrived(self, number: int, user_id: str) -> None:
        await self._s.run(
            update(participation)
            .where(participation.c.introduction_id == number, participation.c.user_id == user_id)
            .values(arrived=True)
        )

    async def nobody_arrived(self, number: int) -> None:
        """The room is a new one: who comes into it is announced anew."""
        await self._s.run(update(participation).where(participation.c.introduction_id == number).values(arrived=False))

    async def go_on(self, number: int, call_by: date) -> None:
        """Somebody comes, or is heard again: they and the others call each other by that day, and it does not close."""
        await self._s.run(
            update(introduction).where(introduction.c.id == number).values(call_by=call_by, close_on=None)
        )

    async def set_close_on(self, number: int, day: date) -> None:
        await self._s.run(update(introduction).where(introduction.c.id == number).values(close_on=day))

    async def close(self, number: int) -> None:
        """Nobody takes part any more."""
        self._s.effects += 1
        await self._s.run(update(introduction).where(introduction.c.id == number).values(state="closed", close_on=None))
        await self._s.run(update(participation).where(participation.c.introduction_id == number).values(active=False))

    async def exists(self, ref: str) -> bool:
        return await self._s.value(select(introduction.c.id).where(introduction.c.ref == ref)) is not None

    async def get(self, number: int) -> Introduction | None:
        found = await self._load([number])
        return found[0] if found else None

    async def open_ones_of_signals(self, signals: Iterable[int]) -> Sequence[Introduction]:
        """The open introductions in which one of these signals actively takes part."""
        wanted = [number for number in signals if number not in self._alone]
        if not wanted:
            return []
        rows = await self._s.all(_OPEN_ONES_OF_SIGNALS, {"signals": wanted})
        return await self._load([row.introduction_id for row in rows])

    async def look_up(self, signals: Collection[int]) -> None:
        """Ask for all these signals at once whether they take part; `open_ones_of_signals` then knows who does not."""
        rows = await self._s.all(_TAKE_PART, {"signals": list(signals)})
        self._alone = frozenset(signals) - {row.signal_id for row in rows}

    async def open_ones_of(self, user_id: str) -> Sequence[Introduction]:
        """The open introductions in which this professional actively takes part."""
        rows = await self._s.all(
            select(participation.c.introduction_id)
            .join(introduction, introduction.c.id == participation.c.introduction_id)
            .where(participation.c.user_id == user_id, participation.c.active, introduction.c.state == "open")
        )
        return await self._load([row.introduction_id for row in rows])

    async def to_close(self, day: date, limit: int) -> Sequence[Introduction]:
        """The open introductions whose last day has come."""
        rows = await self._s.all(
            select(introduction.c.id)
            .where(introduction.c.close_on <= day, introduction.c.state == "open")
            .order_by(introduction.c.close_on)
            .limit(limit)
        )
        return await self._load([row.id for row in rows])

    async def _load(self, numbers: Sequence[int]) -> Sequence[Introduction]:
        if not numbers:
            return []
        heads = await self._s.all(
            select(introduction).where(introduction.c.id.in_(numbers)).order_by(introduction.c.id)
        )
        rows = await self._s.all(
            select(participation).where(participation.c.introduction_id.in_(numbers)).order_by(participation.c.user_id)
        )
        return [_introduction(head, [row for row in rows if row.introduction_id == head.id]) for head in heads]


def _introduction(head: Row[Any], rows: Iterable[Row[Any]]) -> Introduction:
    return Introduction(
        id=head.id,
        ref=head.ref,
        open=head.state == "open",
        opened_on=head.opened_on,
        call_by=head.call_by,
        close_on=head.close_on,
        participants=tuple(Participation(row.user_id, row.signal_id, row.active, row.arrived) for row in rows),
    )
