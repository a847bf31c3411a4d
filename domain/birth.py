"""Dates of birth: as people write them, known to the day, the month or only the year."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Self
from unicodedata import normalize

from domain.calendar import add_years
from domain.faults import BadInput, Refused

ADULT_AGE = 23
"""The age, in years, from which the index knows nobody."""


class BadBirthDate(BadInput):
    """`unreadable`, `no_such_day` (31-02) or `two_digit_year`."""


class TooOld(Refused):
    """23 or older, or perhaps so: the earliest reading of the birth date counts."""

    code = "too_old"


class NotBorn(Refused):
    """Certainly not born yet; the signal is placed after the birth."""

    code = "not_born"


@dataclass(frozen=True, slots=True, repr=False)
class BirthDate:
    """A birth date of which the day, or the month too, may be unknown. It has no repr: that would end up in a log."""

    year: int
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        """Raise BadBirthDate for what is in no calendar."""
        if self.month is None and self.day is not None:
            raise BadBirthDate("unreadable")
        try:
            _ = self.earliest
        except (ValueError, OverflowError):
            raise BadBirthDate("no_such_day") from None

    @classmethod
    def from_iso(cls, text: str) -> Self:
        """Read what `str()` wrote."""
        if not _ISO.fullmatch(text):
            raise BadBirthDate("unreadable")
        return cls(*map(int, text.split("-")))

    def __str__(self) -> str:
        """`2015-03-14`, `2015-03` or `2015`."""
        known = (part for part in (self.month, self.day) if part is not None)
        return "-".join([f"{self.year:04}", *(f"{part:02}" for part in known)])

    @property
    def full(self) -> bool:
        """Known to the day."""
        return self.day is not None

    @property
    def earliest(self) -> date:
        """The first day that it can mean."""
        return date(self.year, 1 if self.month is None else self.month, 1 if self.day is None else self.day)

    @property
    def latest(self) -> date:
        """The last day that it can mean."""
        month = 12 if self.month is None else self.month
        return date(self.year, month, monthrange(self.year, month)[1] if self.day is None else self.day)

    @property
    def adult_on(self) -> date:
        """The first day on which the child may be 23."""
        return add_years(self.earliest, ADULT_AGE)


def check_age(born: BirthDate, today: date) -> None:
    """Raise TooOld or NotBorn for whom no signal can be placed today."""
    if born.earliest > today:
        raise NotBorn
    if born.adult_on <= today:
        raise TooOld


_ISO = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")
# Phones turn a hyphen into any of several dashes; NFKC leaves these.
_TEXT = re.compile("(?:[0-9]|[^\\W\\d_]|[-\u2010\u2013\u2014\u2212/.,'\u2019\\s])+")
_WORD = re.compile(r"[0-9]+|[^\W\d_]+")
# `14032015`, `140315` and `20150314`. No month is 19 or 20, so these readings never collide.
_RUN = re.compile(r"([0-9]{2})([0-9]{2})((?:19|20)[0-9]{2}|[0-9]{2})|([0-9]{4})([0-9]{2})([0-9]{2})")
_BY_LENGTH = {1: "n", 2: "n", 4: "y"}
_ORDINAL = frozenset({"e", "st", "nd", "rd", "th"})
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "januari january jan",
            "februari february febr feb",
            "maart march mrt mar",
            "april apr",
            "mei may",
            "juni june jun",
            "juli july jul",
            "augustus august aug",
            "september sept sep",
            "oktober october okt oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for word in words.split()
}


def parse_birth_date(text: str) -> BirthDate:
    """Read a birth date as people write it: day before month, year in four digits, months in Dutch or English.

    Raises BadBirthDate. Nothing is guessed: `03/14/2015` is no day.
    """
    plain = normalize("NFKC", text).casefold()
    if not _TEXT.fullmatch(plain):
        raise BadBirthDate("unreadable")
    words = [word for word in _WORD.findall(plain) if word not in _ORDINAL]
    if len(words) == 1 and (run := _RUN.fullmatch(words[0])):
        words = [part for part in run.groups() if part]
    read = [_read(word) for word in words]
    match "".join(kind for kind, _ in read), [number for _, number in read]:
        case "y", [year]:
            return BirthDate(year)
        case "ny" | "my", [month, year]:
            return BirthDate(year, month)
        case "yn" | "ym", [year, month]:
            return BirthDate(year, month)
        case "nny" | "nmy", [day, month, year]:
            return BirthDate(year, month, day)
        case "mny", [month, day, year]:
            return BirthDate(year, month, day)
        case "ynn" | "ymn", [year, month, day]:
            return BirthDate(year, month, day)
        case "nnn" | "nmn" | "mnn" | "nn" | "mn", _:
            raise BadBirthDate("two_digit_year")
        case _:
            raise BadBirthDate("unreadable")


def _read(word: str) -> tuple[str, int]:
    """A number and what it may be: `m` the name of a month, `y` four figures, `n` one or two."""
    if word in _MONTHS:
        return "m", _MONTHS[word]
    if not word.isdecimal() or len(word) not in _BY_LENGTH:
        raise BadBirthDate("unreadable")
    return _BY_LENGTH[len(word)], int(word)
