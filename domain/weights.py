"""What an agreement is worth: how often it is seen in one child, and how often by chance in two."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from math import log2
from typing import Self

import msgspec

from domain.levels import Born, Given, House, Level, Levels, Place, Postcode, Street, Surname
from domain.profile import Profile

AUTO_ODDS = 9999
"""To one, that a match made automatically is one child."""
REVIEW_ODDS = 0.1
"""To one, from which a coordinator is asked."""


class Shares(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often each level is seen.

    `one_child`: of two signals on one child, the share with this level. `two_children`: the same of two signals taken
    at random, for levels that rest on no value of which the frequency is known. `moved`: the share of pairs on one
    child that name two homes.
    """

    moved: float
    one_child: Mapping[str, float]
    two_children: Mapping[str, float]


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `weights.toml`.

    `abroad` is for two of which an address is known and none is Dutch, which are of files only; `dutch` for all others.
    `usual`: the frequency of a value that is not known to be commoner. `provenance` is for who reads the file.
    """

    provenance: str
    dutch: Shares
    abroad: Shares
    usual: Mapping[str, float]

    @classmethod
    def read(cls, text: str) -> Self:
        """From the text of the file. Raises msgspec.ValidationError, or tomllib.TOMLDecodeError."""
        return msgspec.convert(tomllib.loads(text), cls)


# The number of profiles counted that weigh as much as what is usual.
_SURE = 100
# However seldom a value was seen: a typing error that two share is not worth more than this.
_RAREST = 1 / 50_000
# Among those whose birthday is not known, and who were given one.
_FIRST_OF_JANUARY = 10


class Frequencies:
    """How common names, birth dates and addresses are: `usual`, until enough profiles were counted to know better.

    Of a `sample` the children compared are probably not part; otherwise one of the two is among those counted.
    """

    def __init__(self, usual: Mapping[str, float], *, sample: bool = False) -> None:
        self._usual = usual
        self._itself = 0 if sample else 1
        self._counts: Counter[tuple[str, str]] = Counter()
        self._total = 0

    def count(self, profile: Profile) -> None:
        self._counts.update(values(profile))
        self._total += 1

    def of(self, kind: str, value: str) -> float:
        """The chance that another child has this value, which one of the two compared has."""
        usual = self._usual[kind]
        if kind == "born" and value.endswith("0101"):
            usual *= _FIRST_OF_JANUARY
        others = max(self._counts[kind, value] - self._itself, 0)
        seen = (others + _SURE * usual) / (self._total + _SURE)
        return max(_RAREST, seen)


def values(profile: Profile) -> Iterator[tuple[str, str]]:
    """The values of which the frequency counts, each with its kind."""
    yield from (("given", name) for name in profile.given)
    yield from (("surname", part) for part in profile.surname)
    for kind in ("born", "postcode", "number", "street", "place"):
        if value := getattr(profile, kind):
            yield kind, value


_Misspelled = Given | Surname | Postcode | Street | Place


class Scale:
    """Weighs how two profiles agree, in bits (Fellegi and Sunter): log2 of one child to two."""

    def __init__(self, shares: Shares, frequencies: Frequencies) -> None:
        self._one_child = shares.one_child
        self._two_children = shares.two_children
        self._moved = shares.moved
        self._often = frequencies.of

    def weigh(self, agreed: Levels, one: Profile, other: Profile) -> float:
        """The evidence of all fields together."""
        born = self._often("born", one.born) if agreed.born is Born.SAME else None
        return (
            self._bits(agreed.born, born)
            + self._bits(agreed.given, self._given(agreed.given, one, other))
            + self._bits(agreed.surname, self._surname(agreed.surname, one, other))
            + self._home(agreed, one, other)
        )

    def _bits(self, level: Level, chance: float | None) -> float:
        if level not in self._one_child:
            return 0.0  # not known is no evidence
        return log2(self._one_child[level] / (self._two_children[level] if chance is None else chance))

    def _either(self, kind: str, one: str, other: str) -> float:
        return max(self._often(kind, one), self._often(kind, other))

    def _given(self, level: Given, one: Profile, other: Profile) -> float | None:
        if level is Given.SWAPPED:
            return max(map(self._both_names, (one, other)))
        if level is Given.TYPO:
            return self._nearly("given", one.given[0], other.given[0], level)
        if level not in {Given.SAME, Given.MORE, Given.APART, Given.CALL}:
            return None
        chance = self._either("given", one.given[0], other.given[0])
        if level is Given.MORE and (further := set(one.given[1:]) & set(other.given[1:])):
            # Further names run in families and are chosen together.
            chance *= max(_FURTHER, min(self._often("given", name) for name in further))
        return chance

    def _both_names(self, profile: Profile) -> float:
        surname = min(self._often("surname", part) for part in profile.surname)
        return self._often("given", profile.given[0]) * surname

    def _nearly(self, kind: str, one: str, other: str, level: _Misspelled) -> float:
        """One of the two is as it should be: the chance to have that value, or one of those that look like it.

        Common ones are misspelled often: however they agree, it is not worth more than if they were the same.
        """
        same, often = type(level).SAME, self._either(kind, one, other)
        alike = max(_LOOK_ALIKE, self._two_children[level] / self._two_children[same])
        least = often * self._one_child[level] / self._one_child[same]
        return max(least, min(self._two_children[level], alike * often))

    def _surname(self, level: Surname, one: Profile, other: Profile) -> float | None:
        if shared := set(one.surname) & set(other.surname):
            return min(self._often("surname", part) for part in shared)
        if level is Surname.TYPO:
            return self._nearly("surname", one.surname[0], other.surname[0], level)
        if level is Surname.SAME:  # one of them is written in one word
            return max(self._often("surname", part) for part in one.surname)
        return None

    def _home(self, agreed: Levels, one: Profile, other: Profile) -> float:
        """Who moved agrees in nothing but by chance; who did not agrees in each, but for errors."""
        postcode = None
        if agreed.postcode is Postcode.SAME:
            postcode = self._often("postcode", one.postcode)
        elif agreed.postcode in {Postcode.SWAPPED, Postcode.TYPO}:
            postcode = self._nearly("postcode", one.postcode, other.postcode, agreed.postcode)
        house = self._often("number", one.number) if agreed.house in {House.SAME, House.SUFFIX} else None
        street = self._spelled("street", one.street, other.street, agreed.street)
        place = self._spelled("place", one.place, other.place, agreed.place)
        known: tuple[Level, ...] = (agreed.postcode, agreed.house, agreed.street, agreed.place)
        if all(level not in self._one_child for level in known):
            return 0.0
        bits = sum(map(self._bits, known, (postcode, house, street, place)))
        return log2(self._moved + (1 - self._moved) * 2**bits)

    def _spelled(self, kind: str, one: str, other: str, level: Street | Place) -> float | None:
        if level in {Street.SAME, Place.SAME}:
            return self._often(kind, one)
        return self._nearly(kind, one, other, level) if level in {Street.TYPO, Place.TYPO} else None


_FURTHER = 1 / 30
_LOOK_ALIKE = 3


def threshold(odds: float, size: int) -> float:
    """The score from which one child is `odds` to one among `size` signals, any of which it might have been."""
    return log2(max(size, 1)) + log2(odds)
