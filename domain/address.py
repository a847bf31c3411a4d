"""Where a child lives: postcode, house number and suffix; no street, no place."""

import re
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

from domain.faults import BadInput


class BadAddress(BadInput):
    """`no_postcode`, `no_number` or `unreadable`."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """An address in one spelling, so that equal homes are equal values. It has no repr: that would end up in a log.

    `none`: no fixed address. `secret`: shielded, and no address is kept. The postcode is without space (`9203ZX`), the
    suffix in lower case without separators but those between figures (`a`, `bis`, `a2`, `2-1`).
    """

    kind: Literal["home", "none", "secret"]
    postcode: str = ""
    number: int = 0
    suffix: str = ""

    def __post_init__(self) -> None:
        """Raise BadAddress where the parts do not go together."""
        if self.kind == "home":
            sound = (
                _ONE_SPELLING.fullmatch(self.postcode) is not None
                and 0 < self.number <= _HIGHEST
                and len(self.suffix) <= _LONGEST_SUFFIX
                and self.suffix == _one_spelling(self.suffix)
            )
        else:
            sound = not (self.postcode or self.number or self.suffix)
        if not sound:
            raise BadAddress("unreadable")

    def __str__(self) -> str:
        """`9203 ZX 95a`, `9203 ZX 12-2`; `none` and `secret` as they are typed."""
        if self.kind != "home":
            return self.kind
        dash = "-" if self.suffix[:1].isdigit() else ""
        return f"{self.postcode[:4]} {self.postcode[4:]} {self.number}{dash}{self.suffix}"


_HIGHEST = 99_999
# Room for `2-achter`, none for remarks: there is no free text in the index.
_LONGEST_SUFFIX = 8
_KINDS: dict[str, Literal["none", "secret"]] = {
    "geen": "none",
    "none": "none",
    "geheim": "secret",
    "secret": "secret",
}
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2012\u2013\u2014\u2212", "-"))
# SA, SD and SS are not given out.
_ONE_SPELLING = re.compile(r"[1-9][0-9]{3}(?!S[ADS])[A-Z]{2}")
_POSTCODE = re.compile(r"(?<![0-9])([1-9][0-9]{3}) ?((?!s[ads])[a-z]{2})(?![a-z])")
_HOUSE = re.compile(r"0*([1-9][0-9]{0,4})(?![0-9])([-/., a-z0-9]*)")


def parse_address(text: str) -> Address:
    """Read postcode and house number, in either order, or one of the words `geen`, `none`, `geheim`, `secret`.

    Raises BadAddress. Where both orders could be meant (`1234 AB 5678 CD`), the postcode comes first.
    """
    plain = _plain(text)
    if kind := _KINDS.get(plain):
        return Address(kind)
    found = _POSTCODE.search(plain)
    if found is None:
        raise BadAddress("no_postcode")
    before, after = (part.strip(" ,.-/") for part in (plain[: found.start()], plain[found.end() :]))
    if before and after:
        raise BadAddress("unreadable")
    house = _HOUSE.fullmatch(before or after)
    if house is None:
        raise BadAddress("unreadable" if re.search("[1-9]", before or after) else "no_number")
    return Address("home", "".join(found.groups()).upper(), int(house[1]), _one_spelling(house[2]))


def parse_house(text: str) -> tuple[str, str]:
    """House number and suffix: `12a`, `12-A` and `12 A` are one, `12-2` is another. What is neither stays as it is."""
    plain = _plain(text)
    house = _HOUSE.fullmatch(plain)
    return (house[1], _one_spelling(house[2])) if house else (plain, "")


def _plain(text: str) -> str:
    """In lower case, white space collapsed, with the hyphen that phones and spreadsheets make a dash of."""
    return " ".join(normalize("NFKC", text).casefold().translate(_DASHES).split())


def _one_spelling(suffix: str) -> str:
    """`-A`, ` a` and `a` are one; `2-1` and `21` are two."""
    words = " ".join(re.findall("[a-z]+|[0-9]+", suffix))
    return re.sub("(?<=[0-9]) (?=[0-9])", "-", words).replace(" ", "")
