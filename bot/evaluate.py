"""`wenk evaluate`: the matcher over two files, so that a region can try it before it trusts it."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bot.rows import NotTheColumns, Row, read
from domain.candidates import tags
from domain.matcher import Matcher, certain
from domain.matching import Decision, Verdict
from domain.weights import Frequencies
from handlers.weights import learned


class EvaluateFault(Exception):
    """What whoever runs it can do something about."""


def evaluate(register: Path, new: Path, out: Path, *, guarded: bool, console: Console) -> None:
    """Write the matches of `new` with `register` to `out`, and say on the console what could not be read.

    The register is read twice and never held, so that memory goes with the size of `new`: first to count how common its
    names and places are and how many it holds, as a region's index knows of itself; then to match.
    """
    if any(out.exists() and out.samefile(given) for given in (register, new)):
        raise EvaluateFault(f"{out} would be written over")
    try:
        with _progress(console) as files:
            arrived = list(files.rows(new, "what is new"))
            found = _by_tag(arrived)
            frequencies, size = Frequencies(learned().usual), 0
            for known in files.rows(register, "the register, counted"):
                frequencies.count(known.profile)
                size += 1
            matcher = Matcher(learned(), size, frequencies, guarded=guarded)
            matches: list[_Match] = []
            for known in files.rows(register, "the register, matched", quiet=True):
                for which in {number for tag in tags(known.profile) for number in found.get(hash(tag), ())}:
                    decision = matcher.decide(arrived[which].profile, known.profile)
                    if decision.verdict is not Verdict.NONE:
                        matches.append(_Match(which, known, decision))
    except NotTheColumns as fault:
        raise EvaluateFault(str(fault)) from fault
    matches.sort(key=lambda match: (match.which, -match.decision.score, match.known.id))
    sure = _certain(matches, matcher) if guarded else {id(match) for match in matches if match.is_auto}
    with out.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(("new_id", "register_id", "decision", "score"))
        for match in matches:
            verdict = Verdict.AUTO if id(match) in sure else Verdict.REVIEW
            written.writerow((arrived[match.which].id, match.known.id, verdict, f"{match.decision.score:.2f}"))
    console.print(
        f"{len(arrived)} new, {size} in the register: {len(sure)} automatic, {len(matches) - len(sure)} to review; "
        f"{files.unreadable} rows could not be read"
    )


@dataclass(frozen=True, slots=True)
class _Match:
    """A row of what is new, by its number, and one of the register that it is, or may be."""

    which: int
    known: Row
    decision: Decision

    @property
    def is_auto(self) -> bool:
        return self.decision.verdict is Verdict.AUTO


def _certain(matches: Sequence[_Match], matcher: Matcher) -> set[int]:
    """By id those that stay automatic beside the others found with the same row."""
    sure: set[int] = set()
    for _, group in groupby(matches, key=lambda match: match.which):
        found = {match: match.decision for match in group}
        sure |= {id(match) for match in certain(found, partial(_are_one, matcher))}
    return sure


def _are_one(matcher: Matcher, one: _Match, other: _Match) -> bool:
    return matcher.decide(one.known.profile, other.known.profile).verdict is Verdict.AUTO


def _by_tag(arrived: list[Row]) -> dict[int, list[int]]:
    """Which rows have a tag; by its hash, which is smaller, and at worst makes one more candidate."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, row in enumerate(arrived):
        for tag in tags(row.profile):
            found[hash(tag)].append(number)
    return dict(found)


class _Files:
    """Reads files under a progress bar."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self.unreadable = 0

    def rows(self, path: Path, what: str, *, quiet: bool = False) -> Iterator[Row]:
        """The rows; those that cannot be read are listed, unless they were before."""
        task = self._progress.add_task(what, total=path.stat().st_size)

        def bad(line: int, reason: str) -> None:
            if not quiet:
                self.unreadable += 1
                self._console.print(f"{path}, line {line}: {reason}", markup=False, highlight=False, soft_wrap=True)

        yield from read(path, bad, lambda size: self._progress.advance(task, size))


@contextmanager
def _progress(console: Console) -> Iterator[_Files]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield _Files(console, progress)
