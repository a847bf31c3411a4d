"""`wenk evaluate`: the matcher over two files, so that a region can try it before it trusts it."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from bot.rows import NotTheColumns, Row, read
from domain.candidates import tags
from domain.matcher import Matcher
from domain.matching import Verdict
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
            matches: list[tuple[int, str, Verdict, float]] = []
            for known in files.rows(register, "the register, matched", quiet=True):
                for which in {number for tag in tags(known.profile) for number in found.get(hash(tag), ())}:
                    decision = matcher.decide(arrived[which].profile, known.profile)
                    if decision.verdict is not Verdict.NONE:
                        matches.append((which, known.id, decision.verdict, decision.score))
    except NotTheColumns as fault:
        raise EvaluateFault(str(fault)) from fault
    matches.sort(key=lambda match: (match[0], -match[3], match[1]))
    with out.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(("new_id", "register_id", "decision", "score"))
        written.writerows(
            (arrived[which].id, known, verdict, f"{score:.2f}") for which, known, verdict, score in matches
        )
    automatic = sum(verdict is Verdict.AUTO for _, _, verdict, _ in matches)
    console.print(
        f"{len(arrived)} new, {size} in the register: {automatic} automatic, {len(matches) - automatic} to review; "
        f"{files.unreadable} rows could not be read"
    )


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
