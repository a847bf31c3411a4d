"""`make soak`: the bot is killed hundreds of times on the way to an introduction; prints where, and what became of it.

First at every single step, before and after it (tests.matrix.mortal), then from outside at random moments, at times
once more while it starts again. Each stage has a homeserver of its own, and SQLite or PostgreSQL by turns. Who
interrupts it is told what was found until then.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.matrix.killing import Keeper, Outcome, Pair, a_pair
from tests.postgres import LocalPostgres, local_postgres

_MEETINGS_PER_STAGE: Final = 50
"""Then another stage, with the other database: what is there already should not slow down what comes."""
_ONCE_MORE: Final = 0.3
_START_S: Final = 2.0
_SAY_EVERY: Final = 20
_MOST_FAULTS: Final = 10


class Soak:
    """What is to be done, what was, and what went wrong."""

    def __init__(self, kills: int, seed: int, *, points: bool) -> None:
        """`points`: first at every step."""
        self.deaths: Counter[str] = Counter()
        self.faults: list[str] = []
        self._wanted = kills
        self._chosen = random.Random(seed)
        self._points = points
        self._to_go: list[str] | None = None
        self._did_not_come: list[str] = []
        self._by_random = 0
        self._meetings = 0
        self._span_s = 0.0
        self._begun = time.monotonic()

    async def play(self, folder: Path, database_url: str | None) -> None:
        """On one stage, until it is worn out or all is done."""
        options = {"database_url": database_url} if database_url else {}
        async with a_pair(folder, None, **options) as pair:
            if self._to_go is None:
                unkilled = await pair.meet()
                if self._to_go is None:  # nobody was quicker
                    self._learn(unkilled)
            for _ in range(_MEETINGS_PER_STAGE):
                if self.is_over:
                    return
                await self._disturb(pair)

    @property
    def is_over(self) -> bool:
        return self._to_go == [] and self.deaths.total() >= self._wanted

    def say(self) -> None:
        """How far it is."""
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        _print(
            f"{minutes:3}:{seconds:02}  {self.deaths.total()} kills in {self._meetings} meetings, "
            f"{len(self._to_go or ())} points to go, {len(self.faults)} faults"
        )

    def tell(self) -> None:
        """What became of it."""
        self.say()
        for point, times in sorted(self.deaths.items(), key=lambda each: each[0].split(" ", 1)[::-1]):
            _print(f"{times:5}  {point}")
        _print(f"{self._by_random} of them from outside, at random moments: what is named was passed last")
        if self._did_not_come:
            _print(f"{len(self._did_not_come)} points did not come again: {', '.join(sorted(self._did_not_come))}")
        for fault in self.faults:
            _print(f"FAULT  {fault}")

    def _learn(self, unkilled: Outcome) -> None:
        """What there is to be killed at."""
        times: Counter[str] = Counter()
        self._to_go = []
        for point in unkilled.passed if self._points else ():
            times[point] += 1
            self._to_go.append(f"{point} #{times[point]}")
        self._span_s = unkilled.seconds
        self._chosen.shuffle(self._to_go)

    async def _disturb(self, pair: Pair) -> None:
        """One meeting, with death at the next point or at a random moment."""
        self._meetings += 1
        how = "at a random moment"
        try:
            if self._to_go:
                how = self._to_go.pop()
                met = await pair.meet(how)
                self._did_not_come.extend(met.left)
            else:
                met = await pair.meet(killer=self._at_a_random_moment)
                self._by_random += len(met.deaths)
        except Exception as fault:
            fault.add_note(f"killed {how}; last passed: {pair.mortality.passed()[-3:]}")
            raise
        before = self.deaths.total()
        self.deaths.update(met.deaths)
        if self.deaths.total() // _SAY_EVERY > before // _SAY_EVERY:
            self.say()

    async def _at_a_random_moment(self, keeper: Keeper) -> None:
        await asyncio.sleep(self._chosen.uniform(0, self._span_s))
        keeper.kill()
        if self._chosen.random() < _ONCE_MORE:
            await asyncio.sleep(self._chosen.uniform(0, _START_S))
            keeper.kill()


async def _stages(soak: Soak, folder: Path, postgres: LocalPostgres, number: int) -> None:
    """One stage after the other; a fault ends a stage, for nobody knows what it left behind."""
    while not soak.is_over and len(soak.faults) < _MOST_FAULTS:
        number += 1
        stage = folder / str(number)
        try:
            if number % 2:
                await soak.play(stage, None)
            else:
                with postgres.fresh_database() as url:
                    await soak.play(stage, url)
        except Exception as fault:  # noqa: BLE001 (told at the end, and the next stage goes on)
            soak.faults.append(f"{''.join(traceback.format_exception(fault))}what is left of it is in {stage}")
            soak.say()


async def _soak(soak: Soak, folder: Path, side_by_side: int) -> None:
    with local_postgres() as postgres:
        async with asyncio.TaskGroup() as group:
            for side in range(side_by_side):
                group.create_task(_stages(soak, folder / str(side), postgres, side))


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (the command line)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="at least so many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16), help="of what is random")
    parser.add_argument("--side-by-side", type=int, default=2, help="stages (default: %(default)s)")
    parser.add_argument("--no-points", action="store_true", help="random moments only")
    arguments = parser.parse_args()
    soak = Soak(arguments.kills, arguments.seed, points=not arguments.no_points)
    _print(f"seed {arguments.seed}")
    folder = Path(tempfile.mkdtemp(prefix="wenk-soak-"))
    with suppress(KeyboardInterrupt):  # what was found until then counts
        asyncio.run(_soak(soak, folder, arguments.side_by_side))
    soak.tell()
    if soak.faults:
        sys.exit(1)
    shutil.rmtree(folder)


main()
