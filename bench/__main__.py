"""`make bench`: all figures in one run, on one homeserver."""

import argparse
import asyncio
import itertools
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import answers, burst, desks, introduction, linkage, matching, sweeping
from bench.cast import Cast
from bench.figures import Figure, table
from bench.filled import Show, filled

ON_MATRIX, AT_SCALE, LINKAGE = "abcd", "eg", "f"
PARTS = "abcdefg"
SIZES = (10_000, 100_000, 1_000_000)
_WIDE = 160


async def on_matrix(parts: str, console: Console) -> list[Figure]:
    """Measure these parts, against bare Matrix."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="wenk-bench-") as directory, _progress(console) as progress:
        task = progress.add_task("the homeserver and the two bots", total=None)

        def begin(what: str, total: int) -> None:
            progress.reset(task, description=what, total=total)

        def step() -> None:
            progress.advance(task)

        async with Cast(Path(directory)) as cast:
            names = [f"pro{number}" for number in range(burst.DESKS)]
            begin("the professionals", len(names))
            players = []
            for name in names if "b" in parts else names[:2]:
                await cast.stage.register(name)
                await cast.admit([name])
                players.append(await cast.player(name))
                step()
            await cast.settled()
            child = map(_child, itertools.count()).__next__
            if "d" in parts:
                figures += await desks.measure(cast, len(players))
            if "a" in parts:
                begin("(a) a command and its answer", answers.ROUNDS)
                figures += await answers.measure(players[0], child, step)
            if "c" in parts:
                begin("(c) an introduction", introduction.ROUNDS)
                host = await cast.stage.person("host")
                figures += await introduction.measure(cast, host, (players[0], players[1]), child, step)
            if "b" in parts:
                begin("(b) many commands at once", 2 * burst.ROUNDS)
                figures += await burst.measure(cast, players, step)
            if "d" in parts:
                begin("(d) many desks", desks.DESKS - len(players))
                await desks.fill(cast, len(players), step)
                figures += await desks.measure(cast, desks.DESKS)
    return sorted(figures, key=lambda figure: figure.what[:3])


async def at_scale(parts: str, sizes: Sequence[int], console: Console) -> list[Table]:
    """Measure these parts in databases of these sizes."""
    shown: list[Table] = []
    with tempfile.TemporaryDirectory(prefix="wenk-bench-") as directory, _progress(console) as progress:
        task = progress.add_task("databases", total=None)
        show = Show(
            lambda what, total: progress.reset(task, description=what, total=total), lambda: progress.advance(task)
        )
        async with filled(Path(directory), sorted(sizes), matching.PROBES, show) as full:
            if "e" in parts:
                shown.append(await matching.measure(full, show))
            if "g" in parts:
                shown += await sweeping.measure(full, show)
    return shown


def _child(number: int) -> str:
    """A child that does not exist, and no other like it."""
    letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:05}")
    return f"Proef{letters}; Bank{letters}; 14-03-2015; 9203 ZX 95a"


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True,
    ) as progress:  # fmt: skip
        yield progress


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--parts", default=PARTS, help=f"which of {PARTS}; all by default")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="how many signals there are, in e and g"
    )
    chosen = parser.parse_args()
    logging.getLogger("nio").setLevel(logging.ERROR)
    console, begun = Console(), time.perf_counter()
    if not console.is_terminal:
        console.width = _WIDE
    shown: list[Table] = []
    if parts := _among(ON_MATRIX, chosen.parts):
        shown.append(table(asyncio.run(on_matrix(parts, console))))
    if parts := _among(AT_SCALE, chosen.parts):
        shown += asyncio.run(at_scale(parts, chosen.sizes, console))
    if _among(LINKAGE, chosen.parts):
        shown.append(linkage.measure(console))
    console.print(*shown, sep="\n")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    console.print(f"measured in {time.perf_counter() - begun:.0f} s; the machine's load over 1, 5, 15 minutes: {load}")


def _among(these: str, parts: str) -> str:
    return "".join(part for part in these if part in parts)


if __name__ == "__main__":
    main()
