"""(e) From a child to what is decided on it: tags, lookup, decryption and score, by the size of the index.

The same children are looked for in all databases by turns, so that whatever else the machine does hits all alike.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Final

from rich.table import Table

from bench.figures import Line, lines
from bench.filled import Database, Filled, Show
from domain.candidates import tags
from domain.child import Child
from domain.matcher import Matcher
from domain.matching import Verdict
from domain.profile import Profile
from handlers.weights import learned

PROBES: Final = 600
_WARM_UP: Final = 100
MEDIAN_MS, P95_MS, RATIO = 3.0, 8.0, 1.3


@dataclass(slots=True)
class _Taken:
    """Per child looked for."""

    ms: list[float] = field(default_factory=list)
    candidates: list[float] = field(default_factory=list)
    met: int = 0


async def measure(filled: Filled, show: Show) -> Table:
    """Time, candidates, and what the databases cost; a target stands at the largest of them."""
    show.begin("(e) matching", len(filled.probes))
    taken = {id(database): _Taken() for database in filled.databases}
    matchers = {id(database): Matcher(learned(), database.size) for database in filled.databases}
    for probe in filled.probes[:_WARM_UP]:
        for database in filled.databases:
            await _look(database, probe, matchers[id(database)], _Taken())
    for number, probe in enumerate(filled.probes):
        for which in range(len(filled.databases)):
            # Each comes first as often as the others: what the first one finds cold is warm for the next.
            database = filled.databases[(which + number) % len(filled.databases)]
            await _look(database, probe, matchers[id(database)], taken[id(database)])
        show.step()
    shown: list[Line] = []
    for make in dict.fromkeys(database.make for database in filled.databases):
        shown += _lines([(database, taken[id(database)]) for database in filled.databases if database.make == make])
    heads = ("signals", "median", "p95", "candidates: median, p95", "matched or to review", "a signal", "to fill")
    title = f"(e) matching {len(filled.probes)} children; sealing took {filled.seal_s:.0f} s"
    return lines(title, heads, shown)


async def _look(database: Database, child: Child, matcher: Matcher, taken: _Taken) -> None:
    begun = time.perf_counter()
    profile = Profile.of(child)
    async with database.house.storage.reading() as uow:
        found = await uow.signals.found_by([*tags(profile)])
    verdicts = [matcher.decide(profile, Profile.of(known.child)).verdict for known in found]
    taken.ms.append(1000 * (time.perf_counter() - begun))
    taken.candidates.append(len(found))
    taken.met += any(verdict is not Verdict.NONE for verdict in verdicts)


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def _lines(measured: Sequence[tuple[Database, _Taken]]) -> list[Line]:
    """Of one make, from small to large."""
    (smallest, first), (largest, _) = measured[0], measured[-1]
    out: list[Line] = []
    for database, taken in measured:
        middle, high = median(taken.ms), _p95(taken.ms)
        grown = max(middle / median(first.ms), high / _p95(first.ms))
        target, met = "", True
        if database is largest and database is not smallest:
            target = f"at most {RATIO} x; here {grown:.2f} x"
            met = grown <= RATIO
            if database.make == "SQLite":
                target = f"at most {MEDIAN_MS:g} and {P95_MS:g} ms; {target}"
                met = met and middle <= MEDIAN_MS and high <= P95_MS
        cells = (
            f"{database.size:,}",
            f"{middle:.2f} ms",
            f"{high:.2f} ms",
            f"{median(taken.candidates):.0f}, {_p95(taken.candidates):.0f}",
            f"{taken.met / len(taken.ms):.1%}",
            f"{database.stored_bytes / database.size:,.0f} bytes",
            f"{database.fill_s:.0f} s",
        )
        out.append(Line(database.make, cells, target, is_met=met))
    return out
