"""What counting the register is worth: `python -m training.sampling DIR`; DIR holds the files of `training.register`.

The figures of `training.figures` with the frequencies of nothing (`usual` only), of random samples, and of the whole.
"""

import argparse
import random
from collections import defaultdict
from pathlib import Path

from bot.rows import Row, read
from domain.candidates import tags
from domain.matcher import Matcher
from domain.matching import Verdict
from domain.weights import Frequencies
from handlers.weights import learned
from training import figures

SAMPLES = (0, 2_000, 10_000)
_SEED = 1


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    where = parser.parse_args().directory
    new, known = (list(read(where / f"{name}.csv", print, lambda _: None)) for name in ("new", "register"))
    pairs = _candidates(new, known)
    by = random.Random(_SEED)
    for size in (*SAMPLES, len(known)):
        whole = size == len(known)
        frequencies = Frequencies(learned().usual, sample=not whole)
        for row in known if whole else by.sample(known, size):
            frequencies.count(row.profile)
        matcher = Matcher(learned(), len(known), frequencies)
        decided = {
            (one.id, other.id): str(verdict)
            for one, other in pairs
            if (verdict := matcher.decide(one.profile, other.profile).verdict) is not Verdict.NONE
        }
        print(f"{size} counted\n{figures.count(where, decided)}\n")


def _candidates(new: list[Row], known: list[Row]) -> list[tuple[Row, Row]]:
    holders: dict[int, list[int]] = defaultdict(list)
    for number, row in enumerate(new):
        for tag in tags(row.profile):
            holders[hash(tag)].append(number)
    return [
        (new[number], row)
        for row in known
        for number in {number for tag in tags(row.profile) for number in holders.get(hash(tag), ())}
    ]


if __name__ == "__main__":
    main()
