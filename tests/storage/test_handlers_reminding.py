"""Asked in time whether to renew: once, by whoever may hear it, and nobody else."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from handlers.sweep import run_due
from tests.storage.house import ANNA, FATIMA, JOOST, START, House, open_house
from tests.storage.test_handlers_life import BABY, MOMENT, day, states
from tests.storage.test_handlers_renewing import renewed
from tests.storage.wire import POINTS, open_wire
from tests.storage.wire import Killed as Kill

ADULT_SOON = "signaal Sanne; de Vries; 20-02-2005; geen"
"""23 before the signal is two years old, and after its reminder is due."""


def asked(house: House, who: str = FATIMA) -> int:
    return house.kinds(who).count("signal.expiring")


async def test_a_month_before_the_end_its_owner_is_asked_once_with_the_exact_command(house: House) -> None:
    ref = await house.place(FATIMA, BABY)
    await house.until(day(2028, 2, 1) - MOMENT)
    assert asked(house) == 0
    (card,) = [card for card in await house.until(day(2028, 2, 1)) if card["room"].owner == FATIMA]
    assert (card["wenk"]["kind"], card["wenk"]["ref"], card["wenk"]["active_until"]) == (
        "signal.expiring", ref, "2028-03-02",
    )  # fmt: skip
    assert card["msgtype"] == "m.text"
    assert "re" not in card["wenk"]
    assert f"verlengen {ref}" in card["body"]
    assert f"intrekken {ref} klaar" in card["body"]
    assert not [word for word in ("Sanne", "Vries", "2026") if word in card["body"] + card["formatted_body"]]
    for moment in (day(2028, 1, 31), day(2028, 2, 1), day(2028, 2, 2), day(2028, 3, 1), day(2028, 3, 2)):
        for _ in range(2):
            await house.until(moment)
    assert asked(house) == 1
    assert (await house.audited()).count("signal.reminded") == 1


async def test_who_is_restored_after_it_was_asked_is_not_asked_again(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.until(day(2028, 2, 1))
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    await house.answer(ANNA, f"professional herstellen {FATIMA}")
    for number in (1, 2, 3):
        await house.until(day(2028, 2, number))
    assert asked(house) == 1


async def test_asked_from_midnight_in_amsterdam_on_the_day_on_which_the_clocks_change(house: House) -> None:
    house.now = day(2026, 4, 25) + timedelta(hours=23)
    await house.place(FATIMA, BABY)
    begins = day(2028, 3, 26)
    assert day(2028, 3, 27) - begins == timedelta(hours=23)
    for moment, heard in ((begins - MOMENT, 0), (begins, 1), (begins + timedelta(hours=23), 1)):
        await house.until(moment)
        assert asked(house) == heard


async def test_a_late_sweep_asks_late_and_not_after_the_end(house: House) -> None:
    await house.place(FATIMA, BABY)
    await house.until(START + timedelta(days=1))
    await house.place(JOOST, BABY)
    await house.until(day(2028, 3, 2))
    assert (asked(house), asked(house, JOOST)) == (0, 1)
    assert house.kinds(FATIMA).count("signal.expired") == 1


async def test_a_region_chooses_how_long_before(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, remind_days=60, active_years=1) as house:
        await house.place(FATIMA, BABY)
        await house.until(day(2027, 1, 1) - MOMENT)
        assert asked(house) == 0
        await house.until(day(2027, 1, 1))
        assert asked(house) == 1


async def test_what_was_withdrawn_or_renewed_is_not_asked_about(house: House) -> None:
    withdrawn = await house.place(FATIMA, BABY)
    await house.answer(FATIMA, f"intrekken {withdrawn} klaar")
    old = await house.place(JOOST, BABY)
    await house.until(day(2027, 3, 2))
    new = await renewed(house, old, JOOST)
    await house.until(day(2028, 2, 15))
    assert (asked(house), asked(house, JOOST)) == (0, 0)
    await house.until(day(2029, 2, 1))
    assert house.last(JOOST, "signal.expiring")["ref"] == new


@pytest.mark.parametrize(("restored", "heard"), [(day(2028, 3, 1), 1), (day(2028, 3, 2), 0)], ids=["before", "ended"])
async def test_who_is_suspended_is_asked_once_restored_before_the_end(
    house: House, restored: datetime, heard: int
) -> None:
    await house.place(FATIMA, BABY)
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    for moment in (day(2028, 2, 1), day(2028, 2, 20)):
        await house.until(moment)
        assert asked(house) == 0
    house.now = restored
    await house.answer(ANNA, f"professional herstellen {FATIMA}")
    assert asked(house) == heard
    await house.sweep()
    assert asked(house) == heard


async def test_whose_child_is_23_before_the_end_is_not_asked(house: House) -> None:
    ref = await house.place(FATIMA, ADULT_SOON)
    await house.until(day(2028, 2, 10))
    assert [state for state in await states(house) if state != "active"] == []
    assert asked(house) == 0
    await house.until(day(2028, 2, 20))
    assert house.last(FATIMA, "signal.erased")["ref"] == ref


async def test_all_that_are_to_be_asked_are_asked_also_beside_many_who_cannot_hear(house: House) -> None:
    """What waits for its owner to be restored does not keep the sweep busy."""
    for number in range(1, 27):
        for month in (1, 2):
            await house.place(
                FATIMA if month == 1 else JOOST, f"signaal Sanne; de Vries; {number:02}-{month:02}-2016; geen"
            )
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    async with asyncio.timeout(60):
        await house.until(day(2028, 2, 1))
    assert (asked(house), asked(house, JOOST)) == (0, 26)


@pytest.mark.parametrize("point", POINTS)
async def test_killed_anywhere_the_reminder_is_sent_once(tmp_path: Path, point: str) -> None:
    for steps in range(6):
        folder = tmp_path / str(steps)
        folder.mkdir()
        async with open_wire(f"sqlite+aiosqlite:///{folder / 'wenk.db'}", folder, [ANNA]) as wire:
            await wire.admit(FATIMA, "De Wilgen", "Fatima Bouali")
            await wire.ask(FATIMA, BABY)
            await wire.ask(FATIMA, "ja")
            wire.now = day(2028, 2, 1)
            wire.fuse.left, wire.fuse.point = steps, point
            try:
                await run_due(wire.storage, wire.region)
                await wire.work()
            except Kill:
                await wire.restart()
            wire.fuse.left = -1
            await run_due(wire.storage, wire.region)
            await wire.work()
            assert [card["kind"] for _, card in wire.cards].count("signal.expiring") == 1
