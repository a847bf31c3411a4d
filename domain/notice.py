"""Who of the family is told that a signal was placed (the leaflet for parents says whom), and when one is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

from domain.birth import BadBirthDate, BirthDate, parse_birth_date
from domain.calendar import add_years, age_on
from domain.faults import BadInput

ADDRESSEES = ("parents", "child")

_CHILD_FROM = 12
_CHILD_ALONE_FROM = 16
_POSTPONED = -1
_A_DAY = timedelta(days=1)


def must_tell(born: BirthDate, on: date) -> tuple[str, ...]:
    """`parents`, `child` or both, by the child's age on the day of placing.

    A birth date that is partly unknown leaves several ages: whoever is told at any of them, is told.
    """
    youngest, oldest = age_on(born.latest, on), age_on(born.earliest, on)
    told = {"parents": youngest < _CHILD_ALONE_FROM, "child": oldest >= _CHILD_FROM}
    return tuple(who for who in ADDRESSEES if told[who])


class BadDay(BadInput):
    """`future`, or `long_ago`: more than a year before the signal was placed."""


def check_told_on(day: date, placed: date, today: date) -> None:
    """Raise BadDay for a day on which nobody can have told a family of a signal that was placed on that other day.

    Families are often told beforehand; more than a year beforehand, it is a slip of the pen.
    """
    if day > today:
        raise BadDay("future")
    if day < add_years(placed, -1):
        raise BadDay("long_ago")


def parse_day(text: str) -> date:
    """A day as people write birth dates; raises BadBirthDate, `not_a_day` for a month or a year."""
    day = parse_birth_date(text)
    if not day.full:
        raise BadBirthDate("not_a_day")
    return day.earliest


class Chase(StrEnum):
    """What is said about a family that has not been told: to the professional, twice, or to the coordinators."""

    REMIND = "remind"
    POSTPONEMENT_ENDED = "postponement_ended"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Notice:
    """How far the telling of one family is. It has no repr: whom one must tell gives an age away.

    `told`: who was told, and when. The terms of the reminders count from `since`; `reminded` of them have passed and
    were acted upon, and one more once the coordinators know.
    """

    must: tuple[str, ...]
    since: date
    told: Mapping[str, date] = field(default_factory=dict)
    reminded: int = 0

    @property
    def left(self) -> tuple[str, ...]:
        """Who still has to be told."""
        return tuple(who for who in self.must if who not in self.told)

    @property
    def told_on(self) -> date | None:
        """The day on which the last of them was told; None while somebody has to be."""
        return None if self.left else max(self.told[who] for who in self.must)

    def tick(self, whom: Sequence[str], day: date) -> "Notice":
        """These were told on that day, whatever was said before."""
        return replace(self, told={**self.told, **dict.fromkeys(whom, day)})

    def postpone(self, until: date) -> "Notice":
        """Nobody is reminded before that day; then the professional is asked anew, and the terms begin again."""
        return replace(self, since=until, reminded=_POSTPONED)

    def postponed_until(self, today: date) -> date | None:
        """Until when telling is postponed, if it is."""
        return self.since if self.left and self.reminded == _POSTPONED and today < self.since else None

    def next_look(self, terms: Sequence[int], today: date) -> date | None:
        """When there is something to say next, after today: `chase` on that day says what. None: never."""
        if not self.left or self.reminded > len(terms):
            return None
        return max(self._next(terms), today + _A_DAY)

    def chase(self, terms: Sequence[int], today: date) -> tuple[Chase | None, "Notice"]:
        """What is to be said today, and the notice once it is said. `terms`: days after which to remind, ascending.

        Who comes late reminds once for all terms that have passed. The coordinators hear when a day after the last
        reminder has passed as well.
        """
        if not self.left or self.reminded > len(terms) or today < self._next(terms):
            return None, self
        if self.reminded == len(terms):
            return Chase.REPORT, replace(self, reminded=self.reminded + 1)
        if self.reminded == _POSTPONED:
            # The terms that follow begin when this is said, however late.
            return Chase.POSTPONEMENT_ENDED, replace(self, since=today, reminded=0)
        passed = sum(self.since + timedelta(days=term) <= today for term in terms)
        return Chase.REMIND, replace(self, reminded=passed)

    def _next(self, terms: Sequence[int]) -> date:
        if self.reminded == _POSTPONED:
            return self.since
        if self.reminded == len(terms):
            return self.since + timedelta(days=terms[-1]) + _A_DAY
        return self.since + timedelta(days=terms[self.reminded])
