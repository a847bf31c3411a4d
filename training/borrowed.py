"""Names that others made, for training.another: those of Faker and mimesis, and the few lists of another.toml."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from faker import Faker
from mimesis import Address as Streets
from mimesis import Person
from mimesis.enums import Gender
from mimesis.locales import Locale

from training.mistyped import ACCENTS, CALL_NAMES, WORDS

TAIL = 25  # Zipf and Mandelbrot: a name's share is 1 / (rank + TAIL)
SURNAME = re.compile(r"((?:[a-z']+ )*)([A-ZÀ-Ý][\w-]+)")

CALLED = {
    name.translate(ACCENTS).casefold(): {short.translate(ACCENTS).casefold() for short in called}
    for name, called in CALL_NAMES.items()
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """Names, the commoner first."""

    names: Sequence[str]
    weights: Sequence[float]

    @classmethod
    def of(cls, names: Iterable[str], tail: int = TAIL) -> "Ranked":
        once = list(dict.fromkeys(names))
        return cls(once, list(accumulate(1 / (rank + tail) for rank in range(1, len(once) + 1))))

    def one(self, rng: Random) -> str:
        return rng.choices(self.names, cum_weights=self.weights)[0]


class Names:
    """What Dutch children and those of the groups are called; the same for every seed, which only draws from it."""

    def __init__(self, groups: Iterable[str]) -> None:
        dutch, more, roads = Faker("nl_NL"), Person(Locale.NL, seed=1), Streets(Locale.NL, seed=1)
        dutch.seed_instance(1)
        boys, girls = (lambda: more.first_name(Gender.MALE)), (lambda: more.first_name(Gender.FEMALE))
        self.given = {
            True: Ranked.of(_drawn(dutch.first_name_male, 3000) + _drawn(boys, 9000), 40),
            False: Ranked.of(_drawn(dutch.first_name_female, 3000) + _drawn(girls, 9000), 40),
        }
        self.formal = {
            True: Ranked.of(WORDS["formal_boys"].split(), 8),
            False: Ranked.of(WORDS["formal_girls"].split(), 8),
        }
        found = _drawn(dutch.last_name, 9000) + _drawn(more.last_name, 60000)
        self.surnames = Ranked.of(
            [
                *WORDS["surnames"].replace("\n", " ").strip().split("; "),
                *(name for name in found if SURNAME.fullmatch(name)),
            ]
        )
        self.streets = sorted(set(_drawn(roads.street_name, 20000)))
        self.places = sorted(set(_drawn(dutch.city, 3000)))
        self.groups = {group: Faker(group) for group in groups}


def _drawn(draw: Callable[[], str], times: int) -> list[str]:
    return [draw() for _ in range(times)]


def one_name(one: str, other: str) -> bool:
    """No parents call their twins Juliette and Juliëtte, Cornelis and Kees, or Jacob and Jacobus."""
    one, other = (name.translate(ACCENTS).casefold() for name in (one, other))
    formal = CALLED.get(one, set()) | CALLED.get(other, set())
    return one.startswith(other) or other.startswith(one) or bool({one, other} & formal)


def distance(one: str, other: str) -> int:
    """Letters to change, leave out or put in."""
    row = list(range(len(other) + 1))
    for above, letter in enumerate(one, 1):
        last, row[0] = row[0], above
        for column, against in enumerate(other, 1):
            last, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, last + (letter != against))
    return row[-1]
