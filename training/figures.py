"""How well `wenk evaluate` did: `python -m training.figures DIR OUT.csv`; DIR holds its files, and the truth."""

import argparse
import csv
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

_Z = 1.96
Pair = tuple[str, str]


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The interval in which the true share lies, 19 times in 20."""
    if not total:
        return 0.0, 1.0
    share, scale = hits / total, 1 + _Z**2 / total
    centre = share + _Z**2 / (2 * total)
    around = _Z * sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    return max(0.0, (centre - around) / scale), min(1.0, (centre + around) / scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is said of a matcher. `false_reviews`: the share of what is new with a review that is not the child."""

    truth: int
    automatic: int
    false_automatic: int
    twins_automatic: int
    recall: float
    recall_with_review: float
    false_reviews: float

    def __str__(self) -> str:
        low, high = wilson(self.automatic - self.false_automatic, self.automatic)
        return (
            f"pairs of one person  {self.truth}\n"
            f"automatic            {self.automatic}, false {self.false_automatic} (twins: {self.twins_automatic})\n"
            f"  precision          {1 - self.false_automatic / max(1, self.automatic):.5f} "
            f"(Wilson, 95%: {low:.5f} to {high:.5f})\n"
            f"  recall             {self.recall:.4f}\n"
            f"with review, recall  {self.recall_with_review:.4f}\n"
            f"false reviews        {self.false_reviews:.4f} of what is new"
        )


def count(directory: Path, decided: Mapping[Pair, str]) -> Figures:
    """Hold the decisions against `truth.csv` and, where there is one, `twins.csv`."""
    truth, twins = (pairs(directory / name) for name in ("truth.csv", "twins.csv"))
    automatic = {pair for pair, decision in decided.items() if decision == "auto"}
    wrongly_asked = {new for new, known in decided.keys() - automatic - truth}
    with (directory / "new.csv").open("rb") as file:
        new = sum(1 for _ in file) - 1
    return Figures(
        truth=len(truth),
        automatic=len(automatic),
        false_automatic=len(automatic - truth),
        twins_automatic=len(automatic & twins),
        recall=len(automatic & truth) / max(1, len(truth)),
        recall_with_review=len(decided.keys() & truth) / max(1, len(truth)),
        false_reviews=len(wrongly_asked) / new,
    )


def pairs(path: Path) -> set[Pair]:
    """Of truth.csv or twins.csv; none where there is no such file."""
    return {(row["new_id"], row["register_id"]) for row in rows(path)} if path.exists() else set()


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file by their columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    print(count(chosen.directory, {(row["new_id"], row["register_id"]): row["decision"] for row in rows(chosen.out)}))


if __name__ == "__main__":
    main()
