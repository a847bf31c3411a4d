"""`make bench`: all figures in one run, on one homeserver."""

import argparse
import asyncio
import itertools
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import answers, burst, desks, introduction
from bench.cast import Cast
from bench.figures import Figure, table

PARTS = "abcd"
_WIDE = 160


async def bench(parts: str, console: Console) -> list[Figure]:
    """Measure these parts."""
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
    parts = parser.parse_args().parts
    logging.getLogger("nio").setLevel(logging.ERROR)
    console, begun = Console(), time.perf_counter()
    if not console.is_terminal:
        console.width = _WIDE
    figures = asyncio.run(bench(parts, console))
    console.print(table(figures))
    console.print(f"measured in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
