"""(f) The matcher beside Splink, recordlinkage and exact matching, on FEBRL4: adults, so without the twin guard.

The labels only count what was found: nothing is tuned on them, but for the threshold that says so.
"""

import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.figures import Line, lines
from bot.evaluate import evaluate
from domain.weights import AUTO_ODDS
from training import febrl

PEERS: Final = Path(".venv-bench")
"""Made by `make bench`: heavy, and of no use to Wenk itself."""
RECALL: Final = 0.994
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Linked:
    """What somebody made of it; `seconds` of CPU, for both files together."""

    pairs: frozenset[Pair]
    seconds: float | None = None


def measure(console: Console) -> Table:
    """Precision, recall, and CPU time per record; raises RuntimeError if the others are not installed."""
    if not (PEERS / "bin" / "python").exists():
        msg = f"there is no {PEERS}: run `make bench`, which makes it"
        raise RuntimeError(msg)
    with tempfile.TemporaryDirectory(prefix="wenk-bench-") as name, console.status("(f) FEBRL4"):
        directory = Path(name)
        febrl.write(next(PEERS.glob("lib/python*/site-packages")), directory, "4")
        register, new, truth = (_rows(directory / f"{file}.csv") for file in ("register", "new", "truth"))
        same = frozenset((row["new_id"], row["register_id"]) for row in truth)
        ours = _ours(directory)
        peers = _peers(directory)
    records = len(register) + len(new)
    others: dict[str, _Linked] = {}
    scored, spent = _scored(peers["Splink"]), float(peers["Splink"]["seconds"])
    others["Splink, threshold set before"] = _Linked(_from(scored, log2(AUTO_ODDS)), spent)
    others["Splink, best threshold, seen afterwards"] = _Linked(_best(scored, same), spent)
    found = peers["recordlinkage"]
    others["recordlinkage, ECMClassifier"] = _Linked(frozenset(_scored(found)), float(found["seconds"]))
    others["exact matching"] = _Linked(_exact(register, new))
    shown = [_line("Wenk, threshold set before", ours, same, records, asked=True)]
    shown += [_line(what, linked, same, records) for what, linked in others.items()]
    title = f"(f) FEBRL4; threshold: {AUTO_ODDS} to 1"
    return lines(title, ("pairs", "false", "precision", "recall", "CPU a record"), shown)


def _line(what: str, linked: _Linked, same: frozenset[Pair], records: int, *, asked: bool = False) -> Line:
    right = len(linked.pairs & same)
    false, recall = len(linked.pairs) - right, right / len(same)
    spent = f"{1000 * linked.seconds / records:.3f} ms" if linked.seconds else ""
    precision = f"{right / max(1, len(linked.pairs)):.5f}"
    cells = (f"{len(linked.pairs):,}", str(false), precision, f"{recall:.4f}", spent)
    target = f"no false ones; recall at least {RECALL}" if asked else ""
    return Line(what, cells, target, is_met=not asked or (false == 0 and recall >= RECALL))


def _ours(directory: Path) -> _Linked:
    out, begun = directory / "out.csv", time.process_time()
    silent = Console(quiet=True)
    evaluate(directory / "register.csv", directory / "new.csv", out, guarded=False, console=silent)
    spent = time.process_time() - begun
    automatic = (row for row in _rows(out) if row["decision"] == "auto")
    return _Linked(frozenset((row["new_id"], row["register_id"]) for row in automatic), spent)


def _peers(directory: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("peers.py")
    found = subprocess.run([PEERS / "bin" / "python", script, directory], capture_output=True, check=False)  # noqa: S603 (our own)
    if found.returncode:
        raise RuntimeError(found.stderr.decode())
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def _scored(found: Mapping[str, Any]) -> dict[Pair, float]:
    return {(one, other): bits for one, other, bits in found["pairs"]}


def _from(scored: Mapping[Pair, float], threshold: float) -> frozenset[Pair]:
    return frozenset(pair for pair, bits in scored.items() if bits >= threshold)


def _best(scored: Mapping[Pair, float], same: frozenset[Pair]) -> frozenset[Pair]:
    """From the threshold with the highest F1, which only who knows the answers can choose."""
    best, highest, right = -1.0, 0.0, 0
    for number, (pair, bits) in enumerate(sorted(scored.items(), key=lambda each: -each[1]), start=1):
        right += pair in same
        if (balance := 2 * right / (number + len(same))) > best:
            best, highest = balance, bits
    return _from(scored, highest)


def _exact(register: list[dict[str, str]], new: list[dict[str, str]]) -> frozenset[Pair]:
    """All that is compared is the same, letter for letter."""
    known: dict[tuple[str, ...], list[str]] = {}
    for row in register:
        known.setdefault(_values(row), []).append(row["id"])
    return frozenset((row["id"], found) for row in new for found in known.get(_values(row), ()))


def _values(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(value for field, value in row.items() if field not in {"id", "place"})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
