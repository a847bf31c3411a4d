"""Who of the family is told that a signal was placed (the leaflet for parents says whom)."""

from datetime import date

from domain.birth import BirthDate
from domain.calendar import age_on

_CHILD_FROM = 12
_CHILD_ALONE_FROM = 16


def must_tell(born: BirthDate, on: date) -> tuple[str, ...]:
    """`parents`, `child` or both, by the child's age on the day of placing.

    A birth date that is partly unknown leaves several ages: whoever is told at any of them, is told.
    """
    youngest, oldest = age_on(born.latest, on), age_on(born.earliest, on)
    told = {"parents": youngest < _CHILD_ALONE_FROM, "child": oldest >= _CHILD_FROM}
    return tuple(who for who, tell in told.items() if tell)
