"""What is wrong leaves nothing behind: neither itself nor what it was renewed from."""

from pathlib import Path

import pytest
from sqlalchemy import select

from handlers.objection import freeze, uphold
from storage.journal import Journal
from storage.schema import disclosure, notice, pair, signal, tag
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, House
from tests.storage.test_handlers_life import BABY, day
from tests.storage.test_handlers_objection import decided
from tests.storage.test_handlers_renewing import renewed

WRONG = pytest.mark.parametrize("reason", ["fout", "overleden"])


async def chain_of_three(house: House) -> list[str]:
    """Fatima's signal, renewed twice; the references, the oldest first."""
    refs = [await house.place(FATIMA, BABY)]
    for year in (2027, 2028):
        await house.until(day(year, 6, 1))
        refs.append(await renewed(house, refs[-1]))
    return refs


async def listed(house: House) -> list[str]:
    return [one["ref"] for one in (await house.answer(FATIMA, "signalen"))["signals"]]


@WRONG
async def test_withdrawn_as_wrong_it_takes_along_what_it_was_renewed_from(
    house: House, tmp_path: Path, reason: str
) -> None:
    """From the database, each under its own line in the audit log, and in the journal, so that it stays erased."""
    refs = await chain_of_three(house)
    heard = house.heard(FATIMA)
    answer = await house.answer(FATIMA, f"intrekken {refs[2]} {reason}")
    assert (answer["kind"], answer["ref"], answer["along"]) == ("signal.withdrawn", refs[2], refs[:2])
    assert all(ref in answer["body"] for ref in refs)
    # It is all in the answer: who did it is not told once more.
    assert house.heard(FATIMA) == heard + 1
    assert await listed(house) == []
    async with house.storage.reading() as uow:
        for column in (signal.c.id, tag.c.tag, notice.c.signal_id, pair.c.low, disclosure.c.id):
            assert not await uow.pairs._s.all(select(column)), column
    event = {"fout": "mistake", "overleden": "deceased"}[reason]
    assert [what for what in await house.audited() if what.endswith((event, "along"))] == [
        "signal.erased_along", "signal.erased_along", f"signal.{event}",
    ]  # fmt: skip
    assert Journal.open(tmp_path / "erased.journal").erased() == set(refs)


@WRONG
@pytest.mark.parametrize("late", [False, True])
async def test_also_when_time_erased_the_first_of_them(house: House, reason: str, *, late: bool) -> None:
    """Or should have: what time does is said as ever."""
    refs = await chain_of_three(house)
    house.now = day(2031, 3, 2)
    if not late:
        await house.sweep()
    assert (await house.answer(FATIMA, f"intrekken {refs[2]} {reason}"))["along"] == refs[1:2]
    assert house.last(FATIMA, "signal.erased")["ref"] == refs[0]
    assert house.kinds(FATIMA).count("signal.erased") == 1
    assert await listed(house) == []


async def test_a_mistake_is_reported_once_for_the_whole_chain(house: House) -> None:
    """Whom its owner was shown before it was renewed counts, and who came after."""
    await house.place(JOOST, BABY)
    refs = await chain_of_three(house)
    await house.place(LIN, BABY)
    await house.answer(FATIMA, f"intrekken {refs[2]} fout")
    assert house.last(ANNA, "alarm")["code"] == "mistake_after_disclosure"
    assert house.kinds(ANNA).count("alarm") == 1
    assert [house.kinds(who).count("match.mistake") for who in (JOOST, LIN)] == [1, 1]


async def test_what_is_done_stays_to_be_seen_and_so_does_what_it_was_renewed_from(house: House) -> None:
    refs = await chain_of_three(house)
    answer = await house.answer(FATIMA, f"intrekken {refs[2]} klaar")
    assert answer["along"] == []
    assert await listed(house) == refs


@WRONG
async def test_what_renewed_it_stays_and_its_owner_is_told_of_that(house: House, reason: str) -> None:
    """Its ground was confirmed anew: only who says so knows that it is wrong as well."""
    refs = await chain_of_three(house)
    answer = await house.answer(FATIMA, f"intrekken {refs[1]} {reason}")
    assert (answer["along"], answer["others"]) == (refs[:1], refs[2:])
    assert f"intrekken {refs[2]} {reason}" in answer["body"]
    assert await listed(house) == refs[2:]


@WRONG
async def test_a_signal_of_its_own_on_the_same_child_stays(house: House, reason: str) -> None:
    """Placed anew after it was done: not a renewal, and it may have been right. Its owner is told how to erase it."""
    done = await house.place(FATIMA, BABY)
    await house.answer(FATIMA, f"intrekken {done} klaar")
    old = await house.place(FATIMA, BABY)
    other = await house.place(FATIMA, "signaal Tim; Jansen; 02-05-2017; geen")
    new = await renewed(house, old)
    answer = await house.answer(FATIMA, f"intrekken {new} {reason}")
    assert (answer["along"], answer["others"]) == ([old], [done])
    assert f"intrekken {done} {reason}" in answer["body"]
    assert await listed(house) == [done, other]


async def test_an_upheld_objection_erases_what_it_was_renewed_from_and_its_owner_hears_of_each(house: House) -> None:
    refs = await chain_of_three(house)
    await decided(house, freeze, refs[1])
    await decided(house, freeze, refs[2])
    cards = await decided(house, uphold, refs[2])
    erased = {card["wenk"]["ref"]: card["body"] for card in cards if card["wenk"]["kind"] == "signal.erased"}
    assert erased.keys() == set(refs)
    assert "verlenging" in erased[refs[0]]
    assert "toegewezen" in erased[refs[2]]
    assert await listed(house) == []


async def test_the_list_and_a_refusal_say_under_which_number_it_goes_on(house: House) -> None:
    refs = await chain_of_three(house)
    other = await house.place(FATIMA, "signaal Tim; Jansen; 02-05-2017; geen")
    lines = (await house.answer(FATIMA, "signalen"))["body"].splitlines()
    renewed_as = {ref: [text for text in lines if text.startswith(ref)] for ref in (*refs, other)}
    for ref in refs[:2]:
        assert renewed_as[ref][0].endswith(f"verlengd, nu {refs[2]}")
    for ref in (refs[2], other):
        assert "actief tot" in renewed_as[ref][0]
    refused = await house.answer(FATIMA, f"intrekken {refs[0]} klaar")
    assert (refused["code"], f"intrekken {refs[2]} klaar" in refused["body"]) == ("not_allowed", True)
