"""(g) What a sweep costs, of signals that end and of families to be asked about: it should follow what is due."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any, Final

from rich.table import Table
from sqlalchemy import Table as Stored
from sqlalchemy import delete, update

from bench.figures import Line, lines
from bench.filled import Database, Filled, Show
from domain.calendar import add_years
from domain.life import State
from domain.region import Region
from handlers.sweep import run_due
from storage.schema import notice, outbox, signal

FEW, FEW_ROUNDS, FEW_MS = 100, 15, 100.0
MANY, MANY_ROUNDS, MANY_A_SECOND = 10_000, 1, 1_000.0
_AT_A_TIME: Final = 500

Changes = Mapping[Stored, Mapping[str, Any]]
"""What is to stand in the rows of a signal, by table."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Something that can be due: what makes it so on a day."""

    title: str
    makes_due: Callable[[date, Region], Changes]


async def measure(filled: Filled, show: Show) -> list[Table]:
    """One table for each kind of what can be due."""
    return [await _measure(filled, show, kind) for kind in _KINDS]


async def _measure(filled: Filled, show: Show, kind: _Kind) -> Table:
    by = random.Random(5)  # noqa: S311 (which of them)
    ends = [database for database in filled.databases if database.size in _ends(filled)]
    many = min(MANY, *(database.size for database in ends))
    few = min(FEW, many)
    took: dict[tuple[int, int], list[float]] = {}
    show.begin(f"(g) {kind.title}", FEW_ROUNDS + MANY_ROUNDS)
    for database in ends:
        await _sweep(database, kind, few, by)  # what is done once a day is done, and the statements are built
    for due, rounds in ((few, FEW_ROUNDS), (many, MANY_ROUNDS)):
        for _ in range(rounds):
            for database in ends:
                took.setdefault((id(database), due), []).append(await _sweep(database, kind, due, by))
            show.step()
    shown: list[Line] = []
    for database in ends:
        short, long = median(took[id(database), few]), median(took[id(database), many])
        cells = (f"{database.size:,}", f"{1000 * short:.0f} ms", f"{many / long:,.0f} a second")
        is_met = 1000 * short <= FEW_MS and many / long >= MANY_A_SECOND
        target = f"at most {FEW_MS:g} ms; at least {MANY_A_SECOND:,.0f} a second" if database.make == "SQLite" else ""
        shown.append(Line(database.make, cells, target, is_met=is_met or not target))
    return lines(f"(g) {kind.title}, medians", ("signals", f"{few} due", f"{many:,} due"), shown)


def _ends(filled: Filled) -> tuple[int, int]:
    sizes = [database.size for database in filled.databases]
    return min(sizes), max(sizes)


async def _sweep(database: Database, kind: _Kind, due: int, by: random.Random) -> float:
    """Make so many due, sweep, and take away what is to be sent, as delivery would; seconds."""
    house = database.house
    house.now += timedelta(minutes=1)
    _change(database, by.sample(range(1, database.size + 1), due), kind.makes_due(house.now.date(), house.region))
    begun = time.perf_counter()
    done = await run_due(house.storage, house.region)
    took = time.perf_counter() - begun
    if done < due:  # the head of the audit log once a day comes on top
        msg = f"{done} done, {due} due"
        raise RuntimeError(msg)
    with database.engine.begin() as connection:
        connection.execute(delete(outbox))
    return took


def _change(database: Database, numbers: Sequence[int], changes: Changes) -> None:
    with database.engine.begin() as connection:
        for start in range(0, len(numbers), _AT_A_TIME):
            some = numbers[start : start + _AT_A_TIME]
            for table, values in changes.items():
                key = table.c.id if table is signal else table.c.signal_id
                connection.execute(update(table).where(key.in_(some)).values(values))


def _ended(today: date, region: Region) -> Changes:
    """The active term has passed: it ends, is audited, and its professional gets a card."""
    placed_on = add_years(today, -region.active_years)
    return {
        signal: {
            "state": State.ACTIVE, "ended_on": None, "active_until": today, "look_on": today, "placed_on": placed_on,
        },
        notice: {"look_on": None},
    }  # fmt: skip


def _not_told(today: date, region: Region) -> Changes:
    """The first reminder is due: it is written down, is audited, and stands on its professional's card."""
    placed_on = today - timedelta(days=region.notice_days[0])
    ends = add_years(placed_on, region.active_years)
    return {
        signal: {
            "state": State.ACTIVE, "ended_on": None, "active_until": ends, "look_on": ends, "placed_on": placed_on,
        },
        notice: {"look_on": today, "sealed": None},
    }  # fmt: skip


_KINDS: Final = (
    _Kind("a sweep, signals that end", _ended),
    _Kind("a sweep, families to be told", _not_told),
)
