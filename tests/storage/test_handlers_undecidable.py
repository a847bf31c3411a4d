"""Doubts about which nobody may be asked: they are not forgotten, and no party to one learns that there is one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.clocks import Clocks
from bot.http import Homeserver
from bot.metrics import Metrics
from bot.schedule import Schedule
from handlers.office import Office
from handlers.people import admit_coordinators
from tests.storage.house import ANNA, FATIMA, JOOST, House, open_house
from tests.storage.test_handlers_reviews import BERT, MAYBE, SECRET


async def alarmed(house: House) -> bool:
    """Whether the administrator is told, once the minute hand has looked."""
    metrics = Metrics()
    http = Homeserver("http://127.0.0.1:1", "", patience_s=0)
    try:
        clocks = Clocks(http, house.storage.clock, metrics)
        minute_hand = Schedule(clocks, house.storage, house.region, metrics, timedelta(days=30))
        (look,) = (part for part in minute_hand._parts if part == minute_hand._undecidable)
        await look()
    finally:
        await http.close()
    return bool(metrics.registry.get_sample_value("wenk_alarm", {"code": "undecidable"}))


async def starts_anew(house: House, *coordinators: str, shielded: str = "") -> None:
    house.region = replace(house.region, coordinators=coordinators, shielded_coordinator=shielded)
    async with house.storage.unit() as uow:
        await admit_coordinators(Office(uow, house.region))
    await house.sweep()


@pytest.mark.parametrize("other", [MAYBE, SECRET])
async def test_the_administrator_hears_of_it_and_names_somebody(database_url: str, tmp_path: Path, other: str) -> None:
    async with open_house(database_url, tmp_path) as house:
        await house.admit(ANNA, "Jeugdteam", "Anna de Boer")
        await house.place(FATIMA)
        assert not await alarmed(house)
        await house.place(ANNA, other)
        heard = house.heard(ANNA), house.heard(FATIMA)
        await house.look_closer()
        assert await alarmed(house)
        await house.pass_time(days=1)
        assert await alarmed(house)
        assert (await house.answer(ANNA, "beoordelen"))["refs"] == []
        told = [kind for kind in house.kinds(ANNA)[heard[0] :] if kind not in {"audit.head", "review.list"}]
        assert (told, house.heard(FATIMA)) == ([], heard[1])
        await starts_anew(house, ANNA, BERT, shielded=BERT)
        ref = house.last(BERT, "review.opened")["ref"]
        assert not await alarmed(house)
        assert (await house.answer(BERT, f"beoordelen {ref} ja"))["kind"] == "review.decided"
        assert "match.notice" in house.kinds(FATIMA)


async def test_what_others_may_not_decide_is_no_less_silent_to_them(database_url: str, tmp_path: Path) -> None:
    """Bert is no party, and a shielded child is not for him."""
    async with open_house(database_url, tmp_path, coordinators=(ANNA, BERT), shielded_coordinator=ANNA) as house:
        await house.admit(ANNA, "Jeugdteam", "Anna de Boer")
        await house.place(ANNA)
        mine = await house.place(JOOST, SECRET)
        await house.look_closer()
        assert await alarmed(house)
        assert "review.opened" not in house.kinds(BERT)
        await house.answer(JOOST, f"intrekken {mine} fout")
        assert not await alarmed(house)
