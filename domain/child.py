"""Whose child it is about: all that a signal holds of it."""

from dataclasses import dataclass

from domain.address import Address
from domain.birth import BirthDate


@dataclass(frozen=True, slots=True, repr=False)
class Child:
    """The child of one signal, as its professional typed it. It has no repr: that would end up in a log."""

    given: str
    surname: str
    born: BirthDate
    address: Address

    @property
    def shielded(self) -> bool:
        """Where the child lives is secret, so it is never matched automatically."""
        return self.address.kind == "secret"
