"""An invented Dutch register, and what second professionals type of the same children.

`python -m training.register DIR --register 100000 --new 20000 --seed 7` writes `register.csv` and `new.csv` as `wenk
evaluate` reads them, `truth.csv` (`new_id,register_id` of the same child) and `twins.csv` (the same, of its twin).
"""

import argparse
import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from bot.rows import COLUMNS
from domain.names import given_names
from training import invented

TWINS = 0.015
"""Of births."""
ELSEWHERE = 0.15
"""Of families: names of migrant origin."""
FIRST_OF_JANUARY = 0.06
"""Of these children: the day was not known."""
INSTITUTION = 0.01
"""Of children: live where others live who are not their family."""
DOUBLE = 0.07
"""Of families: a double surname."""
UNKNOWN = 0.25
"""Of what is new: children that are not in the register; their sisters, brothers and twins may be."""
OTHER_ADDRESS, SAME_AREA = 0.20, 0.3
OTHER_NAME = 0.06
FIRST_ONLY = 0.4
"""Second professionals who leave further given names out."""
FROM_NOWHERE = 0.03
"""Of other names: such as nobody can know is the same child."""
CALL_NAME, ANOTHER, INITIALS = 0.8, 0.6, 0.7
"""Of the rest, each of what the former left: a call name if one is known, another of the names if there is one."""
SUFFIX, PREFIX, HALF = 0.1, 0.7, 0.5
OTHER_SURNAME, OTHER_DATE, NO_ADDRESS = 0.03, 0.01, 0.01
_TODAY = date(2026, 1, 1)
_YEARS = 23


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the files, and the child that it is about."""

    child: int
    family: int
    given: tuple[str, ...]
    surname: str
    born: str
    street: str
    number: str
    postcode: str
    twin: int = -1

    def cells(self, letter: str) -> tuple[str, ...]:
        """As a row of the file, in the order of COLUMNS."""
        given = " ".join(self.given)
        return (f"{letter}{self.child}", given, self.surname, self.born, self.street, self.number, self.postcode, "")


@dataclass(slots=True)
class Town:
    """Postcodes of six characters, each a part of one street."""

    by: random.Random
    codes: list[tuple[str, str]] = field(default_factory=list)

    def grow(self, homes: int) -> None:
        for area in range(9200, 9200 + max(4, homes // 2500)):
            for _ in range(300):
                letters = "".join(self.by.choices("ABCDEGHJKLNPRTVWXZ", k=2))
                self.codes.append((f"{area}{letters}", invented.street(self.by)))

    def home(self, area: str = "") -> tuple[str, str, str]:
        code, street = self.by.choice(self.codes)
        while area and not code.startswith(area):
            code, street = self.by.choice(self.codes)
        suffix = self.by.choice("ABC") if self.by.random() < SUFFIX else ""
        return street, f"{self.by.randint(1, 120)}{suffix}", code


def population(size: int, by: random.Random) -> tuple[list[Row], Town]:
    """Children in families, with their twins."""
    town = Town(by)
    town.grow(size // 2)
    shared = [town.home() for _ in range(max(2, size // 2000))]
    rows: list[Row] = []
    family = 0
    while len(rows) < size:
        family += 1
        elsewhere = by.random() < ELSEWHERE
        name = invented.surname(by, elsewhere=elsewhere)
        if by.random() < DOUBLE:
            name = f"{name}-{invented.surname(by, elsewhere=elsewhere)}"
        home = town.home()
        born = _TODAY - timedelta(days=by.randrange(_YEARS * 365))
        called: set[str] = set()
        for _ in range(by.choices((1, 2, 3, 4), (35, 42, 17, 6))[0]):
            if elsewhere and by.random() < FIRST_OF_JANUARY:
                born = born.replace(month=1, day=1)
            twins = 2 if by.random() < TWINS else 1
            for which in range(twins):
                given = _given(by, called, elsewhere=elsewhere)
                where = by.choice(shared) if by.random() < INSTITUTION else home
                number = len(rows)
                twin = -1 if twins == 1 else number + 1 - 2 * which
                rows.append(Row(number, family, given, name, f"{born:%Y%m%d}", *where, twin))
            born += timedelta(days=by.randint(330, 1800))
            if born >= _TODAY:
                break
    return rows, town


def _given(by: random.Random, called: set[str], *, elsewhere: bool) -> tuple[str, ...]:
    while (first := invented.given_name(by, elsewhere=elsewhere)) in called:
        pass
    called.add(first)
    return first, *(invented.given_name(by, elsewhere=elsewhere) for _ in range(by.choices((0, 1, 2), (45, 40, 15))[0]))


def again(row: Row, by: random.Random, town: Town) -> Row:
    """The same child as a second professional knows it."""
    given, name, born, where = row.given, row.surname, row.born, (row.street, row.number, row.postcode)
    if by.random() < OTHER_NAME:
        given = _other_name(given, by)
    elif by.random() < FIRST_ONLY:
        given = given[:1]
    if by.random() < OTHER_SURNAME:
        name = _other_surname(name, by)
    if by.random() < OTHER_DATE:
        swapped = born[:4] + born[6:] + born[4:6]
        born = swapped if by.random() < HALF and born[6:] <= "12" else typo(born, by, "0123456789")
    if by.random() < OTHER_ADDRESS:
        where = town.home(row.postcode[:4] if by.random() < SAME_AREA else "")
    elif by.random() < NO_ADDRESS:
        where = ("", "", "")
    return Row(row.child, row.family, given, name, born, *where, row.twin)


def _other_name(given: tuple[str, ...], by: random.Random) -> tuple[str, ...]:
    """A call name, another of the names, an initial, or a typing error; now and then a name from nowhere."""
    first = given_names(given[0])[0]
    if by.random() < FROM_NOWHERE:
        return (invented.given_name(by, elsewhere=False),)
    kind = by.random()
    if first in invented.CALLED and kind < CALL_NAME:
        return (by.choice(invented.CALLED[first]),)
    if len(given) > 1 and kind < ANOTHER:
        return (given[1], given[0]) if by.random() < HALF else (given[1],)
    if kind < INITIALS:
        return tuple(f"{name[0]}." for name in given)
    return (typo(given[0].lower(), by), *given[1:])


def _other_surname(name: str, by: random.Random) -> str:
    words, parts = name.split(), name.split("-")
    if len(parts) > 1:
        return by.choice((parts[0], parts[1], f"{parts[1]}-{parts[0]}"))
    if len(words) > 1 and by.random() < PREFIX:
        return by.choice((words[-1], f"{words[-1]}, {' '.join(words[:-1])}"))
    return typo(name, by)


def typo(text: str, by: random.Random, letters: str = "abcdefghijklmnoprstuvw") -> str:
    """One letter wrong, missing, doubled, or two in the other order."""
    at = by.randrange(len(text))
    rest = text[at + 1 :]
    changed = text[:at] + by.choice(letters)
    if letters.startswith("0"):
        return changed + rest
    return by.choice(
        (changed + rest, text[:at] + rest, text[: at + 1] + text[at:], text[:at] + rest[:1] + text[at] + rest[1:])
    )


def make(register: int, new: int, seed: int) -> tuple[list[Row], list[Row]]:
    """The register, and what is new; the same child has the same number in both."""
    by = random.Random(seed)
    everybody, town = population(int(register + new * UNKNOWN), by)
    by.shuffle(everybody)
    known, unknown = everybody[:register], everybody[register:]
    strangers = by.sample(unknown, min(len(unknown), int(new * UNKNOWN)))
    asked = [*by.sample(known, min(len(known), new - len(strangers))), *strangers]
    by.shuffle(asked)
    return known, [again(row, by, town) for row in asked]


def write(directory: Path, register: Sequence[Row], new: Sequence[Row]) -> None:
    """The four files."""
    there = {row.child for row in register}
    _rows(directory / "register.csv", "r", register)
    _rows(directory / "new.csv", "n", new)
    _pairs(directory / "truth.csv", ((row.child, row.child) for row in new if row.child in there))
    _pairs(directory / "twins.csv", ((row.child, row.twin) for row in new if row.twin in there))


def _rows(path: Path, letter: str, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        out.writerows(row.cells(letter) for row in rows)


def _pairs(path: Path, pairs: Iterable[tuple[int, int]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("new_id", "register_id"))
        out.writerows((f"n{new}", f"r{known}") for new, known in pairs)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--register", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    chosen.directory.mkdir(parents=True, exist_ok=True)
    write(chosen.directory, *make(chosen.register, chosen.new, chosen.seed))


if __name__ == "__main__":
    main()
