"""What is behind the matcher's answers: `python -m training.kinds DIR OUT.csv`; DIR holds files of training.another.

Pairs of one child by what went wrong in either row (a pair counts for each of its errors), and by all that went wrong
together, for those that were missed. Errors in street and place, which Dutch addresses are not compared by, are left
out. Last, what was matched falsely, by how a twin's name is like its twin's.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path

from training.figures import pairs, rows

_NOT_COMPARED = {"street-mistyped", "street-missing", "place-missing"}
_MISSED_SHOWN = 25


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    decided = {(row["new_id"], row["register_id"]): row["decision"] for row in rows(chosen.out)}
    made = {row["id"]: row for row in rows(chosen.directory / "errors.csv")}
    truth, twins = (pairs(chosen.directory / name) for name in ("truth.csv", "twins.csv"))
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    missed: Counter[str] = Counter()
    for pair in truth:
        answer = decided.get(pair, "missed")
        errors = {error for row in pair for error in made[row]["errors"].split()} - _NOT_COMPARED
        for error in errors or {"none"}:
            answers[error][answer] += 1
        if len(errors) == 1:
            answers[f"only {errors.copy().pop()}"][answer] += 1
        if answer == "missed":
            missed[", ".join(sorted(errors)) or "none"] += 1
    print(f"{'error in one of the rows':32}{'pairs':>8}{'auto':>8}{'review':>8}{'missed':>8}")
    for error, by in sorted(answers.items(), key=lambda item: -item[1].total()):
        print(f"{error:32}{by.total():8}{by['auto']:8}{by['review']:8}{by['missed']:8}")
    print("\nmissed, by all errors together")
    for errors_together, often in missed.most_common(_MISSED_SHOWN):
        print(f"{often:6}  {errors_together}")
    print("\nfalsely automatic, by likeness")
    false = (pair for pair, answer in decided.items() if answer == "auto" and pair not in truth)
    likeness = Counter(
        "".join(made[row]["likeness"] for row in pair) if pair in twins else "no twins" for pair in false
    )
    for kind, often in likeness.most_common():
        print(f"{often:6}  {kind}")


if __name__ == "__main__":
    main()
