"""What each kind of tag is good for: `python -m training.blocking DIR`; DIR holds the files of `training.register`.

A line for each kind: the share of the pairs of one child that it finds, those that it alone finds, the candidates for a
signal that it brings (the register's signals with the same tag), and those that it alone brings.
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from bot.rows import Row, read
from domain.candidates import tags


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    where = parser.parse_args().directory
    new = list(_rows(where / "new.csv"))
    holders: dict[int, list[str]] = defaultdict(list)
    for row in new:
        for tag in tags(row.profile):
            holders[hash(tag)].append(row.id)
    with (where / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = {(row["new_id"], row["register_id"]) for row in csv.DictReader(file)}
    found, candidates, made = Counter[str](), Counter[str](), Counter[int]()
    pairs = total = 0
    for known in _rows(where / "register.csv"):
        kinds: dict[str, set[str]] = defaultdict(set)
        mine = tags(known.profile)
        made[len(mine)] += 1
        for tag in mine:
            for one in holders.get(hash(tag), ()):
                kinds[one].add(tag.partition(":")[0])
        for one, by in kinds.items():
            same = (one, known.id) in truth
            pairs += same
            total += 1
            for counts in (candidates, found) if same else (candidates,):
                counts.update(by)
                counts["only " + "".join(by)] += len(by) == 1
    print(f"{pairs / len(truth):.5f} of {len(truth)} pairs; {total / len(new):.2f} candidates for each of {len(new)}")
    print(f"{sum(number * often for number, often in made.items()) / made.total():.1f} tags to a signal")
    for kind in sorted(kind for kind in candidates if not kind.startswith("only ")):
        only = f"only {kind}"
        print(
            f"{kind:22} finds {found[kind] / len(truth):.4f}, alone {found[only] / len(truth):.5f}; "
            f"brings {candidates[kind] / len(new):6.2f}, alone {candidates[only] / len(new):6.2f}"
        )


def _rows(path: Path) -> Iterator[Row]:
    return read(path, print, lambda _: None)


if __name__ == "__main__":
    main()
