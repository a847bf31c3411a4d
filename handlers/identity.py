"""Whose child it is, to be read: only on cards that do not stay."""

from datetime import date

from domain.address import Address
from domain.birth import BirthDate
from domain.child import Child
from handlers.words import Line, line


def born_line(born: BirthDate) -> Line | date | str:
    """A birth date to be read: a day in words, or what is known of it."""
    if born.full:
        return born.earliest
    return line("born.month", month=f"{born.month:02}", year=born.year) if born.month else str(born.year)


def address_line(address: Address) -> Line | str:
    """An address to be read, or why there is none."""
    return str(address) if address.kind == "home" else line(f"address.{address.kind}")


def identity(child: Child) -> dict[str, object]:
    """What a text that shows a child is filled in with."""
    return {
        "given": child.given,
        "surname": child.surname,
        "born": born_line(child.born),
        "address": address_line(child.address),
    }
