"""Reading the files of `wenk evaluate`: CSV, line by line, so that one bad line spoils no other."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.address import parse_house
from domain.names import fold, given_names, surname_key, surname_parts
from domain.profile import Profile

COLUMNS = ("id", "given_names", "surname", "date_of_birth", "street", "house_number", "postcode", "place")
"""All have to be there, in any order; any cell but `id` may be empty. How much `place` says: `domain.levels.Place`."""


class NotTheColumns(Exception):
    """The first line does not name all of COLUMNS."""


class Unreadable(Exception):
    """A row that cannot be parsed, and why; never what stands in it."""


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """A row of a file. It has no repr: that would end up in a log."""

    id: str
    profile: Profile


def read(path: Path, bad: Callable[[int, str], None], advance: Callable[[int], None]) -> Iterator[Row]:
    """The rows of the file. `bad` hears of each that cannot be parsed, by line, `advance` how many bytes were read.

    Raises NotTheColumns, or OSError.
    """
    with path.open("rb") as file:
        first = file.readline()
        advance(len(first))
        header = first.decode("utf-8-sig", errors="replace")
        delimiter = ";" if ";" in header and "," not in header else ","
        names = [cell.strip().casefold() for cell in next(csv.reader([header], delimiter=delimiter), [])]
        if missing := [name for name in COLUMNS if name not in names]:
            raise NotTheColumns(f"{path}: the first line does not name {', '.join(missing)}")
        places = [names.index(name) for name in COLUMNS]
        for number, line in enumerate(file, start=2):
            advance(len(line))
            if not line.strip():
                continue
            try:
                yield _row(_cells(line, delimiter, len(names)), places)
            except Unreadable as fault:
                bad(number, str(fault))


def _cells(line: bytes, delimiter: str, expected: int) -> list[str]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None
    try:
        cells = next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter, strict=True))
    except csv.Error:
        raise Unreadable("quotation marks that do not close, or text behind them") from None
    if len(cells) != expected:
        raise Unreadable(f"{len(cells)} cells instead of {expected}")
    return cells


def _row(cells: list[str], places: list[int]) -> Row:
    ordered = [cells[place].strip() for place in places]
    if not ordered[0]:
        raise Unreadable("no id")
    return Row(ordered[0], profile(ordered))


# `NL-9203 ZX`, as on letters from abroad.
_COUNTRY = re.compile("^nl(?=[0-9]{4}[a-z]{2}$)")


def profile(cells: Sequence[str]) -> Profile:
    """How the child of a row is compared; the cells in the order of COLUMNS. Raises Unreadable."""
    _, given, surname, born, street, house, postcode, place = cells
    number, suffix = parse_house(house)
    return Profile(
        given=given_names(given),
        surname=surname_parts(surname),
        whole_surname="".join(surname_key(surname)),
        born=_born(born),
        postcode=_COUNTRY.sub("", fold(postcode).replace(" ", "")),
        number=number,
        suffix=suffix,
        street=fold(street),
        place=fold(place),
    )


_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})|([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)


def _born(text: str) -> str:
    """The figures of the date; of a day that is in no calendar too.

    Noughts stand for what is not known, as in the Dutch register of persons: `20150300`, `20150000`, `00000000`.
    """
    if not text:
        return ""
    found = _DATE.fullmatch(text)
    if found is None:
        raise Unreadable("date_of_birth is neither YYYY-MM-DD nor YYYYMMDD")
    year, month, day = (part for part in found.groups() if part)
    figures = f"{year}{month:>02}{day:>02}"
    return figures.removesuffix("00").removesuffix("00").removesuffix("0000")
