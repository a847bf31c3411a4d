"""The texts by which a signal finds the others that may be on the same child."""

from collections.abc import Iterator
from typing import Final

from domain.callnames import formal_names
from domain.profile import Profile

SCHEME: Final = 3
"""Which texts `tags` gives: counts up whenever it gives others for any child, so that the stored ones are made anew."""


def tags(profile: Profile) -> frozenset[str]:
    """Two signals on one child share at least one, in all but a few cases per thousand.

    Each combines fields, never a name alone: counting how often a tag occurs tells no name. The vault keys them before
    they are stored. Each begins with its kind; what a profile holds has no separator of ours. A signal has nine kinds.
    """
    return frozenset(":".join(parts) for parts in _tags(profile) if all(parts))


def _tags(profile: Profile) -> Iterator[tuple[str, ...]]:
    year, day = profile.born[:4], profile.born[4:]
    born = profile.born if profile.born_to_the_day else ""
    home, number = profile.postcode, profile.number
    # What a foreign postcode begins with is about as much of a country as the figures of a Dutch one are of a town.
    area = home[:4] if profile.dutch_home else home[:2]
    first = profile.given[0] if profile.given else ""
    names = {first, *formal_names(first)}
    for part in profile.surname:
        yield "born+surname", born, part
        if born and day[:2] <= _DECEMBER and day[2:] <= _DECEMBER:
            yield "swapped+surname", year, *sorted((day[:2], day[2:])), part
        # Sorted, here and below: given name and surname may stand in each other's place.
        yield "born+initials", born, *sorted((first[:1], part[0]))
        for name in names:
            yield "year+names", year, *sorted((name, part))
        yield "postcode+surname", home, part
        yield "area+surname+initial", area, part, first[:1]
    for name in {*names, *profile.given[1:]}:
        yield "born+given", born, name if len(name) > 1 else ""
    yield "born+area", born, home[:4]
    yield "postcode+number+initial", home, number, first[:1]
    if profile.abroad:
        yield from _abroad(profile, born, names)


def _abroad(profile: Profile, born: str, names: set[str]) -> Iterator[tuple[str, ...]]:
    """Of files only, with postcodes that tell little: a signal has no street."""
    street, number, year = profile.street[:_BEGINS], profile.number, profile.born[:4]
    first = profile.given[0] if profile.given else ""
    area = profile.postcode[:2]
    yield "born+begins", born, area
    yield "born+number", born, number
    yield "area+number+given", area, number, first
    yield "area+number+surname", area, number, profile.whole_surname
    yield "born+street", born, street
    yield "year+street", year, street
    yield "street+number", street, number
    yield "street+postcode", street, profile.postcode
    for part in profile.surname:
        yield "street+initials", street, *sorted((first[:1], part[0]))
        yield "street+surname", street, part
        for name in names:
            yield "number+names", number, *sorted((name, part))


_DECEMBER = "12"
_BEGINS = 4
