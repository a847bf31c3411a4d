"""What is compared of a child: names, birth date and address, brought into one spelling once."""

from dataclasses import dataclass
from typing import Self

from domain.child import Child
from domain.names import given_names, surname_key, surname_parts

_TO_THE_DAY = 8


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Profile:
    """A child as the matcher sees it; what is not known is empty. It has no repr: that would end up in a log.

    `given` are the given names in their order; `surname` the words of the surname without prefixes, `whole_surname` all
    of them in one; `born` the figures of the birth date (`20150314`, `201503`, `2015`); `postcode` is without space. A
    signal has no `street` and no `place`: they are for files whose postcodes tell less than Dutch ones.
    """

    given: tuple[str, ...]
    surname: tuple[str, ...]
    whole_surname: str
    born: str
    postcode: str
    number: str
    suffix: str
    street: str = ""
    place: str = ""
    shielded: bool = False

    @classmethod
    def of(cls, child: Child) -> Self:
        """How the child of a signal is compared."""
        home = child.address
        return cls(
            given=given_names(child.given),
            surname=surname_parts(child.surname),
            whole_surname="".join(surname_key(child.surname)),
            born=str(child.born).replace("-", ""),
            postcode=home.postcode.casefold(),
            number=str(home.number or ""),
            suffix=home.suffix,
            shielded=child.shielded,
        )

    @property
    def born_to_the_day(self) -> bool:
        return len(self.born) == _TO_THE_DAY

    @property
    def abroad(self) -> bool:
        """An address is known, and it is not a Dutch one."""
        return not self.dutch_home and bool(self.postcode or self.street)

    @property
    def foreign_home(self) -> bool:
        """The postcode is a foreign one."""
        return bool(self.postcode) and not self.dutch_home

    @property
    def dutch_home(self) -> bool:
        """The postcode is a Dutch one, which is a few doors of one street; a foreign one may be a town."""
        return len(self.postcode) == _DUTCH and self.postcode[:4].isdecimal() and self.postcode[4:].isalpha()


_DUTCH = 6
