"""Commands cancelled anywhere, a thousand times: state and answers agree."""

import asyncio
import random
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select

from storage.schema import audit, inbox, metadata, outbox
from tests.storage.house import ANNA, FATIMA, JOOST, LIN
from tests.storage.ledger import kept, rows, told
from tests.storage.wire import Wire, open_wire

MANY: Final = 1_000
"""How many commands are cancelled somewhere: FIELD-NOTES, and issue 3."""
GROWING: Final = (inbox, outbox, audit)
CHILDREN: Final = tuple(
    f"{given}; Achterberg; {day:02}-05-2016; geen" for given in ("Bo", "Isa") for day in range(1, 4)
)


@pytest.fixture
async def wire(database_url: str, tmp_path: Path) -> AsyncIterator[Wire]:
    async with open_wire(database_url, tmp_path, [ANNA], daily_cap=MANY) as wire:
        for who, organisation in ((FATIMA, "De Wilgen"), (JOOST, "Halt"), (LIN, "Noord")):
            await wire.admit(who, organisation, who[1:].partition(":")[0].title())
        yield wire


async def is_done(wire: Wire, event_id: str) -> bool:
    ((state,),) = await rows(wire, select(inbox.c.state).where(inbox.c.event_id == event_id))
    return bool(state == "done")


async def all_there_is(wire: Wire) -> list[object]:
    """Every row of what changes; of what only grows, how many there are."""
    small = [await rows(wire, select(table)) for table in metadata.sorted_tables if table not in GROWING]
    return small + [await rows(wire, select(func.count()).select_from(table)) for table in GROWING]


def next_words(rng: random.Random, owned: list[str], *, asked: bool) -> str:
    if asked and rng.random() < 0.9:
        return "ja"
    if owned and rng.random() < 0.5:
        return f"intrekken {rng.choice(owned)} {rng.choice(['klaar', 'fout', 'overleden'])}"
    return f"signaal {rng.choice(CHILDREN)}"


@types.coroutine
def cut_at(number: int, work: Coroutine[Any, Any, object], waits: list[int]) -> Generator[Any, Any, None]:
    """Do the work, and cancel its task the moment it waits for the `number`th time; `waits`: how often it waited."""
    step: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            waited_for = step()
        except StopIteration:
            return
        waits[0] += 1
        task = asyncio.current_task()
        if waits[0] == number and task is not None:
            task.cancel()
        try:
            yield waited_for
            step = partial(work.send, None)
        except asyncio.CancelledError as cancelled:
            step = partial(work.throw, cancelled)


async def run_cut(number: int, work: Coroutine[Any, Any, object]) -> int:
    """The same in a task of its own; how often it waited."""
    waits = [0]

    async def task() -> None:
        await cut_at(number, work, waits)

    (outcome,) = await asyncio.gather(asyncio.create_task(task()), return_exceptions=True)
    assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
    return waits[0]


async def waits_of(wire: Wire, who: str, *said: str) -> int:
    """How often a command waits when nobody cancels it: the most of these."""
    most = 0
    for words in said:
        await wire.says(who, words)
        await wire.take_in()
        most = max(most, await run_cut(0, wire.handle(wire.server.timeline[-1].room)))
        await wire.work()
    return most


async def test_state_and_answers_agree_whatever_is_cancelled(wire: Wire) -> None:
    rng = random.Random(2026)
    state: dict[str, str] = {}
    owned: dict[str, list[str]] = {FATIMA: [], JOOST: [], LIN: []}
    asked = dict.fromkeys(owned, False)
    usual = await waits_of(wire, LIN, f"signaal {CHILDREN[0]}", "nee")
    cut = happened = 0
    while cut < MANY:
        who = rng.choice(list(owned))
        words = next_words(rng, owned[who], asked=asked[who])
        said = await wire.says(who, words)
        await wire.take_in()
        before = await all_there_is(wire)
        most, done = usual, False
        while not done:
            await run_cut(rng.randrange(1, most), wire.handle(wire.server.timeline[-1].room))
            most += usual
            cut += 1
            done = await is_done(wire, said)
            happened += done
            if not done:
                assert await all_there_is(wire) == before, "not handled, and something happened"
        await wire.work()
        (answer,) = wire.answers(said)
        asked[who] = answer["kind"] == "signal.proposed"
        told(state, answer, words)
        if answer["kind"] == "signal.placed":
            owned[who].append(answer["ref"])
        assert await kept(wire) == state
    assert MANY // 10 < happened < MANY - MANY // 10, "none or all were cut: the test shows nothing"
    async with wire.storage.reading() as uow:
        await uow.audit.verify()
