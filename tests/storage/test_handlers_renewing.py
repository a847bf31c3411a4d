"""Renewed: a new signal stands where the old one stood and nobody else notices."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from domain.introducing import Pairing
from storage.schema import disclosure, participation, review, signal
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, START, Card, House, open_house
from tests.storage.test_handlers_life import BABY, MOMENT, day, states
from tests.storage.wire import POINTS, open_wire
from tests.storage.wire import Killed as Kill

TWIN = "signaal Sannah; de Vries; 01-03-2026; geen"
"""Perhaps the same baby: a coordinator decides."""


async def renewed(house: House, ref: str, who: str = FATIMA) -> str:
    """Renew a signal; the new reference."""
    proposed = await house.answer(who, f"verlengen {ref}")
    assert proposed["kind"] == "signal.proposed", proposed
    answer = await house.answer(who, "ja")
    assert answer["kind"] == "signal.renewed", answer
    return str(answer["ref"])


def others(card: Card) -> set[str]:
    return {who["user_id"] for who in card["participants"]}


async def told_of(house: House, ref: str) -> list[tuple[str, str]]:
    """The access log of a signal."""
    async with house.storage.reading() as uow:
        found = select(disclosure.c.told, disclosure.c.how).join(signal, signal.c.id == disclosure.c.signal_id)
        rows = await uow.pairs._s.all(found.where(signal.c.ref == ref).order_by(disclosure.c.id))
        return [(row.told, row.how) for row in rows]


async def test_a_new_signal_takes_the_place_of_the_old_one(house: House) -> None:
    old = await house.place(FATIMA, "signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.until(day(2028, 2, 10))
    proposed = await house.answer(FATIMA, f"!verlengen {old.lower()}")
    assert (proposed["kind"], proposed["ref"], proposed["tell"]) == ("signal.proposed", old, ["parents", "child"])
    for shown in ("Sanne", "14 maart 2015", "9203 ZX 95a", "redelijk vermoeden", "de ouders én het kind", old):
        assert shown in proposed["body"]
    assert await states(house) == ["active"]
    proposed = await house.answer(FATIMA, f"verlengen {old}")
    answer = await house.answer(FATIMA, "ja")
    new = answer["ref"]
    assert new != old
    assert answer | {"id": "", "re": "", "body": "", "v": 0} == {
        "kind": "signal.renewed", "ref": new, "old": old, "tell": ["parents", "child"],
        "active_until": "2030-02-10", "id": "", "re": "", "body": "", "v": 0,
    }  # fmt: skip
    listed = {one["ref"]: one for one in (await house.answer(FATIMA, "signalen"))["signals"]}
    assert {ref: one["state"] for ref, one in listed.items()} == {old: "inactive", new: "active"}
    async with house.storage.reading() as uow:
        before, after = await uow.signals.owned(FATIMA, old), await uow.signals.owned(FATIMA, new)
        assert before is not None
        assert after is not None
        assert before.child == after.child
        assert before.ended_on == after.placed_on == date(2028, 2, 10)
        wrapped = await uow.signals._s.all(select(signal.c.wrapped_key).where(signal.c.owner == FATIMA))
        assert len({bytes(row.wrapped_key) for row in wrapped}) == 2
    assert (await house.answer(FATIMA, "ja"))["code"] == "unknown_command"
    assert (await house.answer(FATIMA, f"verlengen {old}"))["code"] == "not_allowed"


async def test_the_old_one_is_erased_on_its_day_and_the_new_one_stays(house: House) -> None:
    old = await house.place(FATIMA, BABY)
    await house.until(day(2028, 2, 10))
    new = await renewed(house, old)
    await house.until(day(2031, 3, 2))
    assert [one["ref"] for one in (await house.answer(FATIMA, "signalen"))["signals"]] == [new]
    await house.until(day(2033, 2, 10))
    assert await states(house) == []


async def test_matches_carry_over_and_nobody_else_hears(house: House) -> None:
    old = await house.place(FATIMA, BABY)
    of_joost = await house.place(JOOST, BABY)
    for who in (FATIMA, JOOST):
        await house.enter(who)
    await house.until(START + timedelta(days=100))
    heard = house.heard(JOOST), house.heard("M1")
    new = await renewed(house, old)
    await house.pass_time(minutes=1)
    assert (house.heard(JOOST), house.heard("M1")) == heard
    assert await house.wanted_in() == {FATIMA, JOOST}
    (match,) = (await house.answer(FATIMA, "matches"))["matches"]
    assert (match["signal"], others(match)) == (new, {JOOST})
    assert await told_of(house, new) == await told_of(house, old) == [(JOOST, "match")]
    # A newcomer meets whom it is about now, and does not see the same person as involved before.
    await house.place(LIN, BABY)
    assert others(house.last(LIN, "match.notice")) == {FATIMA, JOOST}
    assert "match.earlier" not in house.kinds(LIN)
    assert house.last(FATIMA, "match.notice")["signal"] == new
    assert await told_of(house, old) == [(JOOST, "match")]
    # When all of it is over, those who met are no new parties.
    await house.until(day(2028, 6, 20))
    await house.answer(FATIMA, f"intrekken {new} klaar")
    await house.place(JOOST, BABY)
    await house.place(LIN, BABY)
    for who in (JOOST, LIN):
        assert "match.earlier" not in house.kinds(who)
    assert of_joost


async def test_a_newcomer_sees_who_renewed_and_ended_once_with_the_last_day(house: House) -> None:
    new = await renewed(house, await house.place(FATIMA, BABY))
    await house.until(day(2027, 1, 1))
    await house.answer(FATIMA, f"intrekken {new} klaar")
    ref = await house.place(JOOST, BABY)
    (who,) = house.last(JOOST, "match.earlier")["participants"]
    assert (who["user_id"], who["until"]) == (FATIMA, "2027-01-01")
    await renewed(house, ref, JOOST)
    await house.answer(ANNA, f"professional schorsen {JOOST}")
    await house.answer(ANNA, f"professional herstellen {JOOST}")
    await house.look_closer()
    assert house.kinds(JOOST).count("match.earlier") == 1


async def test_what_a_coordinator_has_to_decide_is_decided_for_the_new_one(house: House) -> None:
    old = await house.place(FATIMA, BABY)
    await house.place(JOOST, TWIN)
    await house.look_closer()
    ref = house.last(ANNA, "review.opened")["ref"]
    new = await renewed(house, old)
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1
    await house.answer(ANNA, f"beoordelen {ref}")
    await house.answer(ANNA, f"beoordelen {ref} ja")
    await house.look_closer()
    assert house.last(FATIMA, "match.notice")["signal"] == new
    assert others(house.last(JOOST, "match.notice")) == {FATIMA}
    assert "match.earlier" not in house.kinds(JOOST)


async def test_two_children_stay_two_children(house: House) -> None:
    await house.place(FATIMA, BABY)
    old = await house.place(JOOST, TWIN)
    await house.look_closer()
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} nee")
    await renewed(house, old, JOOST)
    await house.look_closer()
    await house.answer(ANNA, f"professional schorsen {JOOST}")
    await house.answer(ANNA, f"professional herstellen {JOOST}")
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1
    assert "match.notice" not in house.kinds(JOOST)


@pytest.mark.parametrize("alone", [True, False], ids=["it looks alone", "both look"])
async def test_renewed_before_a_doubt_was_looked_for_it_is_looked_for_once(house: House, *, alone: bool) -> None:
    await house.place(FATIMA, BABY)
    if alone:
        await house.look_closer()
    await renewed(house, await house.place(JOOST, TWIN), JOOST)
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1


async def test_what_ended_after_renewing_is_asked_about_once(house: House) -> None:
    new = await renewed(house, await house.place(FATIMA, BABY))
    await house.answer(FATIMA, f"intrekken {new} klaar")
    await house.place(JOOST, TWIN)
    await house.look_closer()
    assert len((await house.answer(ANNA, "beoordelen"))["refs"]) == 1
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} ja")
    assert others(house.last(JOOST, "match.earlier")) == {FATIMA}


@pytest.mark.parametrize("second", [FATIMA, JOOST], ids=["one again", "both"])
async def test_an_open_question_about_what_was_renewed_twice_is_one_question(house: House, second: str) -> None:
    refs = {FATIMA: await house.place(FATIMA, BABY), JOOST: await house.place(JOOST, TWIN)}
    await house.look_closer()
    for who in (FATIMA, second):
        refs[who] = await renewed(house, refs[who], who)
        await house.look_closer()
    await house.answer(FATIMA, f"wijzig {refs[FATIMA]}; adres; 9203 ZX 97")
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1


async def test_a_mistake_after_renewing_is_reported_as_before(house: House) -> None:
    await house.place(JOOST, BABY)
    new = await renewed(house, await house.place(FATIMA, BABY))
    await house.answer(FATIMA, f"intrekken {new} fout")
    assert house.last(ANNA, "alarm")["code"] == "mistake_after_disclosure"
    assert house.last(JOOST, "match.mistake")["user_id"] == FATIMA
    assert house.last("M1", "match.closed")["user_id"] == FATIMA


async def test_renewing_is_no_search_so_the_daily_cap_does_not_count_it(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, daily_cap=1) as house:
        old = await house.place(FATIMA, BABY)
        new = await renewed(house, old)
        await renewed(house, new)
        await house.pass_time(days=1)
        await renewed(house, (await house.answer(FATIMA, "signalen"))["signals"][-1]["ref"])
        await house.place(FATIMA, "signaal Tim; Jansen; 02-05-2017; geen")
        again = await house.answer(FATIMA, "signaal Eva; Jansen; 02-05-2018; geen")
        assert again["code"] == "rate_limited"


async def test_who_cannot_renew_is_told_why(house: House) -> None:
    of_joost, old = await house.place(JOOST, BABY), await house.place(FATIMA, BABY)
    assert (await house.answer(FATIMA, f"verlengen {of_joost}"))["code"] == "not_found"
    assert (await house.answer(FATIMA, "verlengen S-7K3QZ9"))["code"] == "not_found"
    assert (await house.answer(FATIMA, "verlengen"))["field"] == "ref"
    await house.answer(FATIMA, f"intrekken {old} klaar")
    refused = await house.answer(FATIMA, f"verlengen {old}")
    assert refused["code"] == "not_allowed"
    assert "nieuw signaal" in refused["body"]
    assert (await house.answer(ANNA, f"verlengen {old}"))["code"] == "not_allowed"


@pytest.mark.parametrize("born", ["20-06-2003", "06-2003"])
async def test_from_the_23rd_birthday_it_is_too_old_also_before_a_late_sweep(house: House, born: str) -> None:
    ref = await house.place(FATIMA, f"signaal Sanne; de Vries; {born}; geen")
    birthday = day(2026, 6, 20 if born.startswith("20") else 1)
    house.now = birthday - MOMENT
    assert (await house.answer(FATIMA, f"verlengen {ref}"))["kind"] == "signal.proposed"
    house.now = birthday
    assert (await house.answer(FATIMA, "ja"))["code"] == "too_old"
    assert house.last(FATIMA, "signal.erased")["ref"] == ref
    assert (await house.answer(FATIMA, f"verlengen {ref}"))["code"] == "not_found"


@pytest.mark.parametrize(("later", "code"), [(day(2028, 3, 2), "not_allowed"), (day(2031, 3, 2), "not_found")])
async def test_what_ended_between_question_and_ja_is_not_renewed(house: House, later: datetime, code: str) -> None:
    """The question stands for an hour: it was asked just before midnight."""
    ref = await house.place(FATIMA, BABY)
    house.now = day(2028, 3, 2) - MOMENT
    await house.answer(FATIMA, f"verlengen {ref}")
    house.now = day(2028, 3, 2) + MOMENT if code == "not_allowed" else later
    assert (await house.answer(FATIMA, "ja"))["code"] in {code, "expired"}
    assert "signal.renewed" not in house.kinds(FATIMA)


async def test_the_database_has_no_participation_left_of_the_old_one(house: House) -> None:
    old = await house.place(FATIMA, BABY)
    await house.place(JOOST, BABY)
    await house.place(LIN, TWIN)
    await house.look_closer()
    await renewed(house, old)
    async with house.storage.reading() as uow:
        before = await uow.signals.owned(FATIMA, old)
        assert before is not None
        rows = await uow.pairs._s.all(
            select(participation.c.user_id).where(participation.c.signal_id == before.id, participation.c.active)
        )
        assert not rows
        assert not await uow.pairs._s.all(
            select(review.c.id).where((review.c.low == before.id) | (review.c.high == before.id))
        )
        assert set((await uow.pairs.decided(before)).values()) == {Pairing.AUTO, Pairing.REVIEW}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_anywhere_it_is_renewed_once(tmp_path: Path, point: str) -> None:
    """On SQLite: a process that dies in the unit of work, or before or after it, and is started again."""
    for steps in range(8):
        folder = tmp_path / str(steps)
        folder.mkdir()
        async with open_wire(f"sqlite+aiosqlite:///{folder / 'wenk.db'}", folder, [ANNA]) as wire:
            await wire.admit(FATIMA, "De Wilgen", "Fatima Bouali")
            await wire.ask(FATIMA, BABY)
            ref = (await wire.ask(FATIMA, "ja"))["ref"]
            await wire.ask(FATIMA, f"verlengen {ref}")
            said = [await wire.says(FATIMA, "ja"), await wire.says(FATIMA, "ja")]
            wire.fuse.left, wire.fuse.point = steps, point
            try:
                await wire.work()
            except Kill:
                await wire.restart()
            wire.fuse.left = -1
            await wire.work()
            kinds = [[answer["kind"] for answer in wire.answers(event)] for event in said]
            assert kinds == [["signal.renewed"], ["error"]]
            async with wire.storage.reading() as uow:
                assert sorted(str(one.state) for one in await uow.signals.of_owner(FATIMA)) == ["active", "inactive"]
