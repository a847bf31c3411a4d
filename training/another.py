"""A Dutch register of another make, to try the matcher on afterwards; nothing was learned from it or tuned on it.

`.venv-bench/bin/python -m training.another DIR --seed N` writes register.csv and new.csv for `wenk evaluate`, truth.csv
and twins.csv for `training.figures`, and errors.csv: what was done to each row. `--twin-trials 1000` instead holds back
one of each of so many pairs of twins and types it as new, so that whatever is matched is matched wrongly.

Names are of Faker and mimesis, slips of the keyboard of `typo` (training.mistyped). The rates below, and those there,
are what its author believed before the matcher's register, weights and table of call names were read by the author, and
before any figure was seen; one thing was changed afterwards, and docs/matching.md says when: twins no longer bear two
spellings or forms of one name. Nothing here is a figure of Statistics Netherlands.
"""

import argparse
import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from training.borrowed import SURNAME, Names, distance, one_name
from training.mistyped import CALL_NAMES, Child, Home, Surname, typed

TODAY = date(2026, 11, 1)
COLUMNS = ("id", "given_names", "surname", "date_of_birth", "street", "house_number", "postcode", "place")

# --- What the population is like -------------------------------------------------------------------------------------
CHILDREN_PER_FAMILY = {1: 28, 2: 42, 3: 20, 4: 7, 5: 3}
TWIN_BIRTHS = 0.015
TWINS_OVER_MIDNIGHT = 0.02
TWIN_NAMES = {"unlike": 66, "alike": 20, "second in common": 10, "crosswise": 3, "first in common": 1}
MIGRANT_FAMILIES = 0.15
# Faker's locale stands for a group; the digits are shares of the families of migrant origin.
GROUPS = {
    "fr_DZ": 30,
    "tr_TR": 22,
    "en_PK": 13,
    "en_IN": 10,
    "pl_PL": 10,
    "tw_GH": 5,
    "es_ES": 3,
    "pt_PT": 3,
    "ro_RO": 2,
}
NEW_YEARS_DAY = {"fr_DZ": 0.02, "tr_TR": 0.01, "en_PK": 0.12, "tw_GH": 0.06}  # a year was known, a day was not
ARTICLES = {"fr_DZ": (("El", 0.25), ("Ben", 0.10)), "en_PK": (("Al", 0.35),)}
TWO_SURNAMES = {"nl": 0.035, "es_ES": 0.7, "pt_PT": 0.7}
GIVEN_NAMES = {1: 45, 2: 33, 3: 18, 4: 4}
FORMAL_FIRST_NAME = 0.20  # of Dutch children: Johannes, Wilhelmina; they go by something else at home
CALLED_OTHERWISE = 0.85  # of the formal ones; the others are called Johannes
CALLED_SHORT = 0.30  # of those whose name is no formal one but has a short form: Thomas, Charlotte
CALL_NAME_UNRELATED = 0.10  # of those called otherwise: baptised Johannes, called Stijn
TWO_IN_ONE = 0.02  # Jan-Willem, Anne Fleur
PATCHWORK = 0.04  # of families: one child of another surname
INSTITUTIONS, IN_INSTITUTION = 150, 0.01
HOUSE_SUFFIX = 0.12
AREAS, STREETS_PER_AREA = 90, 110  # a region of some 400,000 inhabitants

ALSO_FORMAL = 0.30  # second names of those whose first is no formal one: Lotte Johanna
BOYS = 0.512
DUTCH_FIRST_NAME = 0.50  # of en_IN, who are Surinamese here


class Town:
    """Families of children with their homes, until there are enough."""

    def __init__(self, rng: Random, names: Names) -> None:
        self._rng, self._names, self._families = rng, names, 0
        for group in names.groups.values():
            group.seed_instance(rng.getrandbits(32))
        letters = "ABCDEGHJKLMNPRSTVWXZ"
        self._areas = [
            (
                rng.choice(names.places),
                [
                    (
                        f"{area}{rng.choice(letters)}{rng.choice(letters)}",
                        rng.choice(names.streets),
                        rng.randint(1, 150),
                    )
                    for _ in range(STREETS_PER_AREA)
                ],
            )
            for area in rng.sample(range(1011, 9999), AREAS)
        ]
        self._institutions = [self.home() for _ in range(INSTITUTIONS)]

    def home(self) -> Home:
        place, streets = self._rng.choice(self._areas)
        postcode, street, first = self._rng.choice(streets)
        suffix = self._rng.choice("AABBCDFH123") if self._rng.random() < HOUSE_SUFFIX else ""
        return Home(street, first + 2 * self._rng.randrange(12), suffix, postcode, place)

    def children(self, wanted: int) -> list[Child]:
        found: list[Child] = []
        while len(found) < wanted:
            found += self._family()
        return found[:wanted]

    def surname(self, group: str) -> Surname:
        if group == "nl":
            match = SURNAME.fullmatch(self._names.surnames.one(self._rng))
            if match is None:  # Names keeps none of another form
                raise ValueError
            return Surname(match[1].strip(), match[2])
        for article, share in ARTICLES.get(group, ()):
            if self._rng.random() < share:
                return Surname(article, self._names.groups[group].last_name())
        return Surname("", self._names.groups[group].last_name())

    def _family(self) -> list[Child]:
        rng = self._rng
        self._families += 1
        migrant = rng.random() < MIGRANT_FAMILIES
        group = rng.choices(list(GROUPS), list(GROUPS.values()))[0] if migrant else "nl"
        surnames = [self.surname(group) for _ in range(2 if rng.random() < TWO_SURNAMES.get(group, 0) else 1)]
        home = self.home()
        births = rng.choices(list(CHILDREN_PER_FAMILY), list(CHILDREN_PER_FAMILY.values()))[0]
        born = TODAY - timedelta(days=rng.randrange(1, 365 * 23))
        children: list[Child] = []
        for _ in range(births):
            day = born
            if rng.random() < NEW_YEARS_DAY.get(group, 0):
                day = born.replace(month=1, day=1)
            first = self._child(
                group, tuple(surnames), day, home, {name for child in children for name in child.given[:1]}
            )
            children.append(first)
            if rng.random() < TWIN_BIRTHS:
                children.append(self._twin(first, group))
            born -= timedelta(days=rng.randrange(320, 365 * 4))
            if born < TODAY - timedelta(days=365 * 23 - 30):
                break
        if len(children) > 1 and children[-1].twin_of is None and rng.random() < PATCHWORK:
            children[-1] = replace(children[-1], surnames=(self.surname(group),))
        return children

    def _child(self, group: str, surnames: tuple[Surname, ...], born: date, home: Home, taken: set[str]) -> Child:
        rng = self._rng
        boy = rng.random() < BOYS
        formal = group == "nl" and rng.random() < FORMAL_FIRST_NAME
        first = self._given(group, boy, formal=formal)
        while first in taken:
            first = self._given(group, boy, formal=formal)
        if group == "nl" and not formal and rng.random() < TWO_IN_ONE:
            first += rng.choice("- ") + self._given(group, boy, formal=False)
        others = rng.choices(list(GIVEN_NAMES), list(GIVEN_NAMES.values()))[0] - 1
        more = [self._given(group, boy, formal=formal or rng.random() < ALSO_FORMAL) for _ in range(others)]
        in_care = rng.random() < IN_INSTITUTION
        return Child(
            given=tuple(dict.fromkeys((first, *more))),
            surnames=surnames,
            born=born,
            home=rng.choice(self._institutions) if in_care else home,
            call=self._call_name(first, boy, formal=formal),
            family=self._families,
            group=group,
            boy=boy,
        )

    def _given(self, group: str, boy: bool, *, formal: bool) -> str:  # noqa: FBT001  (a boy or a girl)
        if group == "nl" or (group == "en_IN" and self._rng.random() < DUTCH_FIRST_NAME):
            return (self._names.formal if formal and group == "nl" else self._names.given)[boy].one(self._rng)
        faker = self._names.groups[group]
        return str(faker.first_name_male() if boy else faker.first_name_female())

    def _call_name(self, first: str, boy: bool, *, formal: bool) -> str:  # noqa: FBT001  (as above)
        short = CALL_NAMES.get(first)
        if not short or self._rng.random() >= (CALLED_OTHERWISE if formal else CALLED_SHORT):
            return ""
        if formal and self._rng.random() < CALL_NAME_UNRELATED:
            return self._names.given[boy].one(self._rng)
        return self._rng.choice(short)

    def _twin(self, first: Child, group: str) -> Child:
        rng = self._rng
        twin = self._child(group, first.surnames, first.born, first.home, set(first.given[:1]))
        while one_name(first.given[0], twin.given[0]):
            twin = self._child(group, first.surnames, first.born, first.home, set(first.given[:1]))
        kind = rng.choices(list(TWIN_NAMES), list(TWIN_NAMES.values()))[0]
        if kind == "alike":
            twin = self._alike(first, twin, group)
        elif kind == "second in common":
            shared = first.given[1] if len(first.given) > 1 else self._given(group, first.boy, formal=False)
            twin = replace(twin, given=(twin.given[0], shared))
        elif kind == "crosswise" and len(first.given) > 1:
            twin = replace(twin, given=(first.given[1], first.given[0]), call="", boy=first.boy)
        elif kind == "first in common":
            twin = replace(
                twin, given=(first.given[0], f"{self._given(group, first.boy, formal=False)}"), boy=first.boy
            )
        if rng.random() < TWINS_OVER_MIDNIGHT:
            twin = replace(twin, born=first.born - timedelta(days=1))
        return replace(twin, twin_of=first, likeness=kind)

    def _alike(self, first: Child, twin: Child, group: str) -> Child:
        """Tim and Tom, Lisa and Lise: of the names that one may draw, one that differs in one letter or two."""
        name = first.given[0]
        for allowed in (1, 1, 2):
            for _ in range(150):
                other = self._given(group, first.boy, formal=False)
                near = other[0] == name[0] and distance(other, name) <= allowed
                if near and not one_name(other, name):
                    return replace(twin, given=(other, *twin.given[1:]), call="", boy=first.boy)
        return twin


def write(directory: Path, seed: int, known: int, new: int, trials: int) -> None:
    """Write the files. A quarter of what is new is unknown: children of the same families, so often of known ones."""
    rng = Random(seed)
    town = Town(rng, Names(GROUPS))
    unknown = trials or new // 4
    everyone = town.children(known + unknown)
    # The first of each pair has no `twin_of`: it is found through the second.
    co_twin = {id(child.twin_of): child for child in everyone if child.twin_of is not None}
    co_twin |= {id(child): child.twin_of for child in everyone if child.twin_of is not None}
    held = (
        rng.sample([child for child in everyone if child.twin_of is not None], trials)
        if trials
        else rng.sample(everyone, unknown)
    )
    held_ids = {id(child) for child in held}
    register = [child for child in everyone if id(child) not in held_ids]
    asked = held if trials else [*held, *rng.sample(register, new - unknown)]
    rng.shuffle(register)
    rng.shuffle(asked)
    number = {id(child): f"r{place}" for place, child in enumerate(register)}
    directory.mkdir(parents=True, exist_ok=True)
    done: list[Sequence[str]] = []

    def rows(prefix: str, children: Sequence[Child], share: float) -> Iterable[Sequence[str]]:
        for place, child in enumerate(children):
            row, errors = typed(child, rng, share, town.home, lambda: town.surname("nl"))
            done.append((f"{prefix}{place}", " ".join(errors), str(child.family), child.likeness))
            yield (f"{prefix}{place}", *row)

    _write(directory / "register.csv", COLUMNS, rows("r", register, 1 / 3))
    _write(directory / "new.csv", COLUMNS, rows("n", asked, 1))
    _write(directory / "errors.csv", ("id", "errors", "family", "likeness"), done)
    pairs = ("new_id", "register_id")
    truth = ((f"n{place}", number[id(child)]) for place, child in enumerate(asked) if id(child) in number)
    _write(directory / "truth.csv", pairs, truth)
    twins = ((f"n{place}", number.get(id(co_twin.get(id(child))), "")) for place, child in enumerate(asked))
    _write(directory / "twins.csv", pairs, (pair for pair in twins if pair[1]))


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def main() -> None:
    """Write one register and its new rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=20_000)
    parser.add_argument("--twin-trials", type=int, default=0, metavar="N")
    chosen = parser.parse_args()
    write(chosen.directory, chosen.seed, chosen.known, chosen.new, chosen.twin_trials)


if __name__ == "__main__":
    main()
