"""Telling the family, in the model: who must be told, when its professional is asked, and what a coordinator decides.

Written from DOMAIN.md ("Notice to the family"), and not from the code.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

REMINDED_AFTER = (3, 14)
REPORTED_AFTER = 15
POSTPONED_FOR = timedelta(days=14)
ANSWERED_WITHIN = timedelta(days=1)
ADDRESSEES = {"ouders": {"parents"}, "kind": {"child"}, "allemaal": {"parents", "child"}}


def must_tell(born: date, on: date) -> set[str]:
    """By the age on the day of placing: below 12 the parents, from 16 the child, both between."""
    age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    return {who for who, must in (("parents", age < 16), ("child", age >= 12)) if must}


@dataclass
class Telling:
    """How far the telling of one family is; the days count from `since`.

    `asked`: for how many of the terms its professional was asked. `seen`: on the day on which something was said or
    done about it nothing is said any more.
    """

    must: set[str]
    since: date
    told: set[str] = field(default_factory=set)
    asked: int = 0
    reported: bool = False
    postponed: bool = False
    waiting: bool = False
    seen: date | None = None

    @property
    def left(self) -> set[str]:
        return self.must - self.told

    def is_postponed(self, day: date) -> bool:
        return self.postponed and bool(self.left) and day < self.since

    def to_say(self, day: date) -> str | None:
        """The kind of card that is due, if one is."""
        if not self.left or self.waiting or (self.seen is not None and day <= self.seen):
            return None
        if self.postponed:
            return "notice.reminder" if day >= self.since else None
        if self._passed(day) > self.asked:
            return "notice.reminder"
        all_asked = self.asked == len(REMINDED_AFTER) and not self.reported
        return "notice.overdue" if all_asked and day >= self.since + timedelta(days=REPORTED_AFTER) else None

    def said(self, day: date) -> None:
        self.seen = day
        if self.postponed:
            self.postponed, self.since, self.asked, self.reported = False, day, 0, False
        elif self.asked == len(REMINDED_AFTER):
            self.reported = True
        else:
            self.asked = self._passed(day)

    def postpone(self, day: date) -> None:
        self.postponed, self.since = True, day + POSTPONED_FOR

    def _passed(self, day: date) -> int:
        return sum(self.since + timedelta(days=term) <= day for term in REMINDED_AFTER)


@dataclass
class Request:
    """To tell a family later: about which signal, asked when; `open` until somebody answered or nobody did in time."""

    ref: str
    signal: str
    asked: datetime
    open: bool = True

    def is_late(self, now: datetime) -> bool:
        return self.open and now >= self.asked + ANSWERED_WITHIN
