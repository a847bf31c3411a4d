from tests.storage.house import FATIMA, JOOST, LIN, SANNE, House


async def test_two_signals_on_one_child_introduce_their_owners(house: House) -> None:
    first = await house.place(FATIMA)
    assert "match.notice" not in house.kinds(FATIMA)
    second = await house.place(JOOST)
    at_fatima, at_joost = house.last(FATIMA, "match.notice"), house.last(JOOST, "match.notice")
    assert at_fatima["signal"] == first
    assert at_joost["signal"] == second
    assert at_fatima["ref"] == at_joost["ref"]
    assert [who["user_id"] for who in at_fatima["participants"]] == [JOOST]
    assert [who["user_id"] for who in at_joost["participants"]] == [FATIMA]
    assert at_joost["participants"][0]["phone"] == "0512 123456"
    assert at_joost["call_by"] == "2026-03-12"


async def test_a_third_joins_the_same_introduction(house: House) -> None:
    for who in (FATIMA, JOOST):
        await house.place(who)
    for who in (FATIMA, JOOST):
        await house.enter(who)
    assert house.kinds("M1").count("match.introduction") == 1
    await house.place(LIN)
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {FATIMA, JOOST}
    assert LIN in {who["user_id"] for who in house.last(FATIMA, "match.notice")["participants"]}
    await house.enter(LIN)
    assert house.last("M1", "match.joined")["user_id"] == LIN
    assert len(house.last("M1", "match.introduction")["participants"]) == 3


async def test_the_same_child_twice_is_refused_with_the_first_reference(house: House) -> None:
    first = await house.place(FATIMA)
    again = await house.answer(FATIMA, SANNE)
    assert (again["kind"], again["code"], again["ref"]) == ("error", "duplicate", first)


async def test_the_ids_of_old_mail_are_forgotten_but_not_what_is_looked_up_later(house: House) -> None:
    await house.place(FATIMA)
    await house.pass_time(days=91)
    await house.sweep()
    async with house.storage.reading() as uow:
        desk = await uow.rooms.desk_of(FATIMA)
        assert desk is not None
        assert await uow.outbox.latest(desk.id, "welcome") is not None
        assert await uow.outbox.latest(desk.id, "signal.placed") is None
    assert (await house.answer(FATIMA, "signalen"))["signals"]


async def test_a_wizard_that_is_finished_asks_nothing_more(house: House) -> None:
    signal = await house.place(FATIMA)
    asked = await house.answer(FATIMA, f"intrekken {signal}")
    assert (asked["kind"], asked["field"]) == ("question", "reason")
    assert (await house.answer(FATIMA, "klaar"))["kind"] == "signal.withdrawn"
    assert "vervallen" not in (await house.answer(FATIMA, "signalen"))["body"]
    assert (await house.answer(FATIMA, "fout"))["code"] == "unknown_command"
