"""(g) What a sweep costs: it should follow what is due, not what there is."""

import random
import time
from datetime import timedelta
from statistics import median
from typing import Final

from rich.table import Table
from sqlalchemy import delete, update

from bench.figures import Line, lines
from bench.filled import Database, Filled, Show
from domain.calendar import add_years
from domain.life import State
from handlers.sweep import run_due
from storage.schema import outbox, signal

FEW, FEW_ROUNDS, FEW_MS = 100, 15, 100.0
MANY, MANY_ROUNDS, MANY_A_SECOND = 10_000, 1, 1_000.0
_AT_A_TIME: Final = 500


async def measure(filled: Filled, show: Show) -> Table:
    """The active term of so many has passed: each ends, is audited, and its professional gets a card."""
    by = random.Random(5)  # noqa: S311 (which of them)
    ends = [database for database in filled.databases if database.size in _ends(filled)]
    many = min(MANY, *(database.size for database in ends))
    few = min(FEW, many)
    took: dict[tuple[int, int], list[float]] = {}
    show.begin("(g) sweeps", FEW_ROUNDS + MANY_ROUNDS)
    for database in ends:
        await _sweep(database, few, by)  # what is done once a day is done, and the statements are built
    for due, rounds in ((few, FEW_ROUNDS), (many, MANY_ROUNDS)):
        for _ in range(rounds):
            for database in ends:
                took.setdefault((id(database), due), []).append(await _sweep(database, due, by))
            show.step()
    shown: list[Line] = []
    for database in ends:
        short, long = median(took[id(database), few]), median(took[id(database), many])
        cells = (f"{database.size:,}", f"{1000 * short:.0f} ms", f"{many / long:,.0f} a second")
        is_met = 1000 * short <= FEW_MS and many / long >= MANY_A_SECOND
        target = f"at most {FEW_MS:g} ms; at least {MANY_A_SECOND:,.0f} a second" if database.make == "SQLite" else ""
        shown.append(Line(database.make, cells, target, is_met=is_met or not target))
    return lines("(g) a sweep, medians", ("signals", f"{few} due", f"{many:,} due"), shown)


def _ends(filled: Filled) -> tuple[int, int]:
    sizes = [database.size for database in filled.databases]
    return min(sizes), max(sizes)


async def _sweep(database: Database, due: int, by: random.Random) -> float:
    """Make so many due, sweep, and take away what is to be sent, as delivery would; seconds."""
    house = database.house
    house.now += timedelta(minutes=1)
    today = house.now.date()
    numbers = by.sample(range(1, database.size + 1), due)
    ending = {"state": State.ACTIVE, "ended_on": None, "active_until": today, "look_on": today,
              "placed_on": add_years(today, -house.region.active_years)}  # fmt: skip
    with database.engine.begin() as connection:
        for start in range(0, due, _AT_A_TIME):
            some = numbers[start : start + _AT_A_TIME]
            connection.execute(update(signal).where(signal.c.id.in_(some)).values(ending))
    begun = time.perf_counter()
    done = await run_due(house.storage, house.region)
    took = time.perf_counter() - begun
    if done < due:  # the head of the audit log once a day comes on top
        msg = f"{done} done, {due} due"
        raise RuntimeError(msg)
    with database.engine.begin() as connection:
        connection.execute(delete(outbox))
    return took
