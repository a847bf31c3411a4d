"""How far two children agree, field by field. Each level is a reason code; its weight comes from `weights.toml`."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from rapidfuzz.distance import OSA, JaroWinkler

from domain.callnames import formal_names, is_call_name, perhaps_call_name
from domain.profile import Profile


class Born(StrEnum):
    """How birth dates agree."""

    SAME = "born.same"
    SWAPPED = "born.swapped"  # day and month
    TYPO = "born.typo"  # one figure, or two in the other order
    MOST = "born.most"  # two of day, month and year
    MONTH = "born.month"  # one or both are known to the month only, and so far they agree
    YEAR = "born.year"  # to the year only
    OTHER = "born.other"
    UNKNOWN = "born.unknown"


class Given(StrEnum):
    """How given names agree, the first of each above all."""

    MORE = "given.more"  # the first, and at least one of the others
    SAME = "given.same"  # the first
    CALL = "given.call_name"  # the first is a known call name of the first
    APART = "given.apart"  # as one of these, but the other names contradict each other
    TYPO = "given.typo"  # one or two letters apart
    SIMILAR = "given.similar"  # or perhaps a call name
    AMONG = "given.among"  # the first of one is another of the other's
    INITIAL = "given.initial"
    BEGINS = "given.begins"  # with the same letter, as many a call name that is in no table does
    SWAPPED = "given.swapped"  # with the surname
    CROSSED = "given.crossed"  # one name stands in the place of the surname, or the other way round
    OTHER = "given.other"
    UNKNOWN = "given.unknown"


class Surname(StrEnum):
    """How surnames agree."""

    SAME = "surname.same"
    CORE = "surname.core"  # but for the prefixes
    PART = "surname.part"  # a part of a double name
    TYPO = "surname.typo"
    SIMILAR = "surname.similar"
    SWAPPED = "surname.swapped"  # with the given name, or CROSSED; weighed there
    OTHER = "surname.other"
    UNKNOWN = "surname.unknown"


class Postcode(StrEnum):
    """How postcodes agree."""

    SAME = "postcode.same"
    SWAPPED = "postcode.swapped"  # two characters in each other's place
    TYPO = "postcode.typo"
    AREA = "postcode.area"  # the figures of a Dutch one
    OTHER = "postcode.other"
    UNKNOWN = "postcode.unknown"


class House(StrEnum):
    """How house numbers agree."""

    SAME = "house.same"
    SUFFIX = "house.suffix"  # but for the suffix: 12 and 12-2 are two homes
    TYPO = "house.typo"
    OTHER = "house.other"
    UNKNOWN = "house.unknown"


class Street(StrEnum):
    """How streets agree; not known, too, where a Dutch postcode has said it already."""

    SAME = "street.same"
    TYPO = "street.typo"
    SIMILAR = "street.similar"
    OTHER = "street.other"
    UNKNOWN = "street.unknown"


class Place(StrEnum):
    """How places agree; of two foreign addresses only, whose postcodes may be those of several places.

    A Dutch postcode says it, and a place is spelled in many ways.
    """

    SAME = "place.same"
    TYPO = "place.typo"
    SIMILAR = "place.similar"
    OTHER = "place.other"
    UNKNOWN = "place.unknown"


Level = Born | Given | Surname | Postcode | House | Street | Place
FIELDS = (Born, Given, Surname, Postcode, House, Street, Place)


class Levels(NamedTuple):
    """How far two children agree in every field."""

    born: Born
    given: Given
    surname: Surname
    postcode: Postcode
    house: House
    street: Street
    place: Place


def levels(one: Profile, other: Profile) -> Levels:
    """Compare two children; the same whichever comes first."""
    given, surname = given_level(one.given, other.given), surname_level(one, other)
    if given in {Given.BEGINS, Given.OTHER} and surname is Surname.OTHER and (crossed := _crossed(one, other)):
        given, surname = crossed, Surname.SWAPPED
    return Levels(
        born_level(one.born, other.born),
        given,
        surname,
        _postcode_level(one, other),
        _house_level(one, other),
        _street_level(one, other),
        _place_level(one, other),
    )


_SIMILAR = 0.88
_SIMILAR_SURNAME = 0.90
_LONG, _VERY_LONG = 4, 8
_PIECE = 3


def similar(one: str, other: str, least: float = _SIMILAR) -> bool:
    """Two spellings that may be one name: by Jaro-Winkler, or a typing error apart."""
    return JaroWinkler.similarity(one, other) >= least or typed_wrong(one, other)


def typed_wrong(one: str, other: str) -> bool:
    """One letter apart, or two where the names are long; of short names most are."""
    shorter = min(len(one), len(other))
    if shorter < _LONG:
        return False
    apart = 2 if shorter >= _VERY_LONG else 1
    return OSA.distance(one, other, score_cutoff=apart) <= apart


def born_level(one: str, other: str) -> Born:  # noqa: PLR0911 (a list of cases)
    """Compare the figures of two birth dates."""
    if not (one and other):
        return Born.UNKNOWN
    if len(one) != len(other) or len(one) < len("yyyymmdd"):
        short = min(len(one), len(other))
        if one[:short] == other[:short]:
            return Born.MONTH if short > len("yyyy") else Born.YEAR
        return Born.OTHER
    if one == other:
        return Born.SAME
    parts, others = (one[:4], one[4:6], one[6:]), (other[:4], other[4:6], other[6:])
    if parts == (others[0], others[2], others[1]):
        return Born.SWAPPED
    if OSA.distance(one, other, score_cutoff=1) <= 1:
        return Born.TYPO
    if sum(part == its for part, its in zip(parts, others, strict=True)) == len(parts) - 1:
        return Born.MOST
    return Born.OTHER


def given_level(one: Sequence[str], other: Sequence[str]) -> Given:
    """Compare given names; the first of each decides whether they may be twins."""
    if not (one and other):
        return Given.UNKNOWN
    level = _first_level(one[0], other[0])
    if "".join(one) == "".join(other) and len(one[0]) > 1 < len(other[0]):
        return Given.MORE if len(one) > 1 < len(other) else Given.SAME
    if level in {Given.SAME, Given.CALL} and len(one) > 1 < len(other):
        if _has_another(one, other) and _has_another(other, one):
            return Given.APART
        return Given.MORE if level is Given.SAME and set(one[1:]) & set(other[1:]) else level
    if level in {Given.INITIAL, Given.BEGINS, Given.OTHER} and _among(one, other):
        return Given.AMONG
    return level


def _has_another(one: Sequence[str], other: Sequence[str]) -> bool:
    """Beside the first, one has a name that is none of the other's; who only has more names may be the same."""
    return any(not any(_may_be(name, its) for its in other[1:]) for name in one[1:])


def _first_level(one: str, other: str) -> Given:
    if min(len(one), len(other)) == 1:
        return Given.INITIAL if _initial(one) == _initial(other) else Given.OTHER
    if one == other:
        return Given.SAME
    if is_call_name(one, other):
        return Given.CALL
    if typed_wrong(one, other):
        return Given.TYPO
    # Two call names of one name; `Anne` and `Anne-Marie`, `Lotte` and `Charlotte`: most call names that are in no table
    # are a piece of the name; `Tim` and `Tom`, of which one may be a mistake.
    short, long = sorted((one, other), key=len)
    piece = long.startswith(short) or (len(short) >= _PIECE and short in long)
    called = formal_names(one) & formal_names(other) or perhaps_call_name(one, other)
    if piece or called or similar(one, other) or OSA.distance(one, other, score_cutoff=1) <= 1:
        return Given.SIMILAR
    return Given.BEGINS if one[0] == other[0] else Given.OTHER


def _initial(name: str) -> str:
    """IJsbrand, folded `ysbrand`, is I. to some."""
    return "i" if name[0] == "y" else name[0]


def _among(one: Sequence[str], other: Sequence[str]) -> bool:
    return any(
        len(name) > 1 < len(first) and _may_be(first, name)
        for names, others in ((one, other), (other, one))
        for first in names[:1]
        for name in others[1:]
    )


def _may_be(name: str, other: str) -> bool:
    """The same, a call name, another spelling, or the initial."""
    if min(len(name), len(other)) == 1:
        return _initial(name) == _initial(other)
    return name == other or is_call_name(name, other) or similar(name, other)


def surname_level(one: Profile, other: Profile) -> Surname:
    """Compare surnames by their parts, in any order, prefixes aside."""
    if not (one.surname and other.surname):
        return Surname.UNKNOWN
    whole, its_whole = one.whole_surname, other.whole_surname
    if one.surname == other.surname:
        # `Jansen-de Boer` and `de Boer-Jansen` are one name; `Vries` and `de Vries` need not be: beside the same words
        # the prefixes are the same if the letters are.
        return Surname.SAME if sorted(whole) == sorted(its_whole) else Surname.CORE
    if whole == its_whole:
        return Surname.SAME
    if set(one.surname) & set(other.surname):
        return Surname.PART
    if typed_wrong(whole, its_whole):
        return Surname.TYPO
    alike = similar(whole, its_whole, _SIMILAR_SURNAME) or any(
        similar(part, its, _SIMILAR_SURNAME) for part in one.surname for its in other.surname
    )
    return Surname.SIMILAR if alike else Surname.OTHER


def _crossed(one: Profile, other: Profile) -> Given | None:
    pairs = [("".join(a.given), b.whole_surname) for a, b in ((one, other), (other, one))]
    alike = sum(similar(name, its) for name, its in pairs)
    return Given.SWAPPED if alike == len(pairs) else Given.CROSSED if alike else None


def _postcode_level(one: Profile, other: Profile) -> Postcode:
    if not (one.postcode and other.postcode):
        return Postcode.UNKNOWN
    if one.postcode == other.postcode:
        return Postcode.SAME
    if OSA.distance(one.postcode, other.postcode, score_cutoff=1) <= 1:
        # Few postcodes are made of the same characters, and many differ in one.
        return Postcode.SWAPPED if sorted(one.postcode) == sorted(other.postcode) else Postcode.TYPO
    area = one.dutch_home and other.dutch_home and one.postcode[:4] == other.postcode[:4]
    return Postcode.AREA if area else Postcode.OTHER


def _house_level(one: Profile, other: Profile) -> House:
    if not (one.number and other.number):
        return House.UNKNOWN
    if one.number == other.number:
        return House.SAME if one.suffix == other.suffix else House.SUFFIX
    return House.TYPO if OSA.distance(one.number, other.number, score_cutoff=1) <= 1 else House.OTHER


def _street_level(one: Profile, other: Profile) -> Street:
    if one.street and one.dutch_home and one.postcode == other.postcode:
        return Street.UNKNOWN
    return _spelled(Street, one.street, other.street)


def _place_level(one: Profile, other: Profile) -> Place:
    return _spelled(Place, one.place, other.place) if one.foreign_home and other.foreign_home else Place.UNKNOWN


_Spelled = TypeVar("_Spelled", Street, Place)


def _spelled(field: type[_Spelled], one: str, other: str) -> _Spelled:
    if not (one and other):
        return field.UNKNOWN
    if one == other:
        return field.SAME
    if typed_wrong(one, other):
        return field.TYPO
    return field.SIMILAR if similar(one, other) else field.OTHER
