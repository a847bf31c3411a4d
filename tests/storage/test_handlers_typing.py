"""A signal as it is typed: field by field, in one line, with a mistake in it."""

import pytest

from tests.storage.house import ANNA, FATIMA, SANNE, House

FIELDS = (("given", "Sanne"), ("surname", "de Vries"), ("born", "14-03-2015"), ("address", "9203 ZX 95a"))


async def test_each_field_is_asked_in_turn(house: House) -> None:
    asked = await house.answer(FATIMA, "signaal")
    for field, value in FIELDS:
        assert (asked["kind"], asked["field"]) == ("question", field)
        assert "Bijvoorbeeld" in asked["body"]
        asked = await house.answer(FATIMA, value)
    assert asked["kind"] == "signal.proposed"
    assert asked["tell"] == ["parents"]
    for shown in ("Sanne de Vries", "14 maart 2015", "9203 ZX 95a"):
        assert shown in asked["body"]
    placed = await house.answer(FATIMA, "ja")
    assert placed["kind"] == "signal.placed"
    assert placed["tell"] == ["parents"]
    assert placed["active_until"] == "2028-03-02"


@pytest.mark.parametrize(
    ("address", "said"),
    [("9203 ZX 95a", None), ("geen", "zonder vast adres"), ("geheim", "bij een geheim adres bewaar ik geen adres")],
)
async def test_an_address_that_is_none_says_what_follows(house: House, address: str, said: str | None) -> None:
    body = (await house.answer(FATIMA, f"signaal Sanne; de Vries; 14-03-2015; {address}"))["body"]
    assert ("Let op" in body) is (said is not None)
    assert said is None or said in body


async def test_who_is_not_born_yet_is_signalled_after_the_birth(house: House) -> None:
    answer = await house.answer(FATIMA, "signaal Sanne; de Vries; 14-05-2026; geen")
    assert (answer["code"], answer["field"]) == ("not_born", "born")
    assert "pas na de geboorte: ik bewaar niets" in answer["body"]
    async with house.storage.reading() as uow:
        assert await uow.signals.of_owner(FATIMA) == []


async def test_all_at_once(house: House) -> None:
    for typed in (
        SANNE,
        f"!{SANNE}",
        "Signaal Sanne ;de Vries;14 maart 2015;9203zx 95-A",
        "signal Sanne; de Vries; 2015-03-14; 9203 ZX 95a",
        "!SIGNAL\nSanne\nde Vries\n14-03-2015\n9203 ZX 95a",
        "signaal Sanne; de Vries; 14-03-2015; 9203 ZX; 95a",
    ):
        proposed = await house.answer(FATIMA, typed)
        assert proposed["kind"] == "signal.proposed", typed
        assert "Sanne de Vries" in proposed["body"]
        assert "9203 ZX 95a" in proposed["body"]


@pytest.mark.parametrize(
    ("wrong", "field", "right", "example"),
    [
        ("S4nne; de Vries; 14-03-2015; 9203 ZX 95a", "given", "Sanne", "`Sanne`"),
        ("Sanne; de Vr!es; 14-03-2015; 9203 ZX 95a", "surname", "de Vries", "`de Vries`"),
        ("Sanne; de Vries; 31-02-2015; 9203 ZX 95a", "born", "14-03-2015", "`14-03-2015`"),
        ("Sanne; de Vries; 14-03-15; 9203 ZX 95a", "born", "14-03-2015", "`14-03-2015`"),
        ("Sanne; de Vries; 14-03-2015; Moleneind 95a", "address", "9203 ZX 95a", "`9203 ZX 95a`"),
    ],
)
async def test_a_mistake_names_its_field_and_keeps_the_rest(
    house: House, wrong: str, field: str, right: str, example: str
) -> None:
    refused = await house.answer(FATIMA, f"signaal {wrong}")
    assert (refused["kind"], refused["code"], refused["field"]) == ("error", "bad_input", field)
    assert example.strip("`") in refused["body"]
    proposed = await house.answer(FATIMA, right)
    assert proposed["kind"] == "signal.proposed"
    for kept in ("Sanne de Vries", "14 maart 2015", "9203 ZX 95a"):
        assert kept in proposed["body"]


async def test_what_is_missing_is_asked_and_mistakes_come_one_by_one(house: House) -> None:
    asked = await house.answer(FATIMA, "signaal S4nne; ; 31-02-2015")
    assert (asked["kind"], asked["field"]) == ("error", "given")
    asked = await house.answer(FATIMA, "Sanne")
    assert (asked["kind"], asked["field"]) == ("question", "surname")
    asked = await house.answer(FATIMA, "de Vries")
    assert (asked["kind"], asked["code"], asked["field"]) == ("error", "bad_input", "born")
    asked = await house.answer(FATIMA, "zomaar")
    assert (asked["kind"], asked["code"], asked["field"]) == ("error", "bad_input", "born")
    asked = await house.answer(FATIMA, "2015")
    assert (asked["kind"], asked["field"]) == ("question", "address")


REFUSED = (("02-03-2003", "too_old"), ("03-2003", "too_old"), ("2003", "too_old"), ("03-03-2026", "not_born"))


async def test_too_old_and_not_born_ask_for_the_date_again(house: House) -> None:
    for born, code in REFUSED:
        refused = await house.answer(FATIMA, f"signaal Sanne; de Vries; {born}; geen")
        assert (refused["kind"], refused["code"], refused["field"]) == ("error", code, "born")
        proposed = await house.answer(FATIMA, "14-03-2015")
        assert proposed["kind"] == "signal.proposed"
        assert "geen vast adres" in proposed["body"]


async def test_the_youngest_and_the_oldest_who_can_be_signalled(house: House) -> None:
    for born in ("03-03-2003", "02-03-2026", "04-2003", "2004", "2026"):
        assert (await house.answer(FATIMA, f"signaal Sanne; de Vries; {born}; geen"))["kind"] == "signal.proposed"


async def test_who_turns_23_while_the_question_is_open_is_refused(house: House) -> None:
    await house.until(house.now.replace(hour=22, minute=30))  # 23:30 in Amsterdam
    assert (await house.answer(FATIMA, "signaal Sanne; de Vries; 03-03-2003; geen"))["kind"] == "signal.proposed"
    await house.pass_time(minutes=45)
    assert (await house.answer(FATIMA, "ja"))["code"] == "too_old"


TOLD = (
    ("03-03-2014", ["parents"]),
    ("02-03-2014", ["parents", "child"]),
    ("03-03-2010", ["parents", "child"]),
    ("02-03-2010", ["child"]),
    ("2010", ["parents", "child"]),
)


async def test_who_must_be_told_follows_from_the_age_on_the_day_of_placing(house: House) -> None:
    for born, tell in TOLD:
        command = f"signaal Sanne; de Vries; {born}; geen"
        assert (await house.answer(FATIMA, command))["tell"] == tell
        assert (await house.answer(FATIMA, "ja"))["tell"] == tell


async def test_another_child_of_the_family_needs_only_name_and_birth(house: House) -> None:
    await house.place(FATIMA)
    proposed = await house.answer(FATIMA, "nog een Tim; 02-05-2017")
    assert proposed["kind"] == "signal.proposed"
    for shown in ("Tim de Vries", "2 mei 2017", "9203 ZX 95a"):
        assert shown in proposed["body"]
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"
    asked = await house.answer(FATIMA, "another")
    assert (asked["kind"], asked["field"]) == ("question", "given")
    asked = await house.answer(FATIMA, "Bo")
    assert (asked["kind"], asked["field"]) == ("question", "born")
    assert "Bo de Vries" in (await house.answer(FATIMA, "2019"))["body"]


async def test_the_family_is_forgotten_after_an_hour(house: House) -> None:
    await house.place(FATIMA)
    await house.pass_time(minutes=61)
    refused = await house.answer(FATIMA, "nog een Tim; 02-05-2017")
    assert (refused["kind"], refused["code"]) == ("error", "expired")


async def test_nobody_knows_the_family_of_somebody_elses_signal(house: House) -> None:
    await house.place(FATIMA)
    refused = await house.answer("@joost:localhost", "nog een Tim; 02-05-2017")
    assert (refused["kind"], refused["code"]) == ("error", "expired")


async def test_a_coordinator_who_is_no_professional_cannot_place(house: House) -> None:
    for command in (SANNE, "signalen", "matches", "intrekken S-7K3QZ9 klaar", "nog een Tim; 2017"):
        refused = await house.answer(ANNA, command)
        assert (refused["kind"], refused["code"]) == ("error", "not_allowed")
    assert "signal.placed" not in await house.audited()
