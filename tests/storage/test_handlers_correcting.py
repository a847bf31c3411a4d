"""What was typed of a child is corrected, and what was decided on the old data is looked at again."""

from pathlib import Path

import pytest

from storage.signals import Signal
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, House, open_house
from tests.storage.test_handlers_leaving import met

OTHER = "signaal Mohammed; Yilmaz; 02-05-2012; 1011 AB 1"


async def signal_of(house: House, user_id: str) -> Signal:
    async with house.storage.reading() as uow:
        return (await uow.signals.of_owner(user_id))[0]


async def pairings(house: House, user_id: str) -> list[str]:
    signal = await signal_of(house, user_id)
    async with house.storage.reading() as uow:
        return [str(pairing) for pairing in (await uow.pairs.decided(signal)).values()]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("wijzig {}; voornaam; Sanne Maria", "Sanne Maria de Vries"),
        ("correct {}; surname; Jansen", "Sanne Jansen"),
        ("!wijzig {}\ngeboren\n15-03-2015", "15 maart 2015"),
        ("wijzig {}; adres; geheim", "geheim adres"),
    ],
)
async def test_it_is_corrected_at_once(house: House, said: str, shown: str) -> None:
    ref = await house.place(FATIMA)
    answer = await house.answer(FATIMA, said.format(ref))
    assert (answer["kind"], answer["ref"]) == ("signal.corrected", ref)
    assert shown in answer["body"]
    assert "signal.corrected" in await house.audited()
    event = house.cards[FATIMA][-1]["event_id"]
    await house.pass_time(minutes=61)
    assert event in house.redacted


async def test_what_another_address_or_half_a_birth_date_means_is_said(house: House) -> None:
    ref = await house.place(FATIMA)
    for field, value, said in (
        ("adres", "geen", "zonder vast adres"),
        ("adres", "geheim", "bij een geheim adres bewaar ik geen adres"),
        ("adres", "9203 ZX 7", "niet meer geheim"),
        ("geboren", "2015", "de geboortedatum is niet volledig"),
        ("geboren", "3-2015", "geboren 03-2015"),
    ):
        assert said in (await house.answer(FATIMA, f"wijzig {ref}; {field}; {value}"))["body"]
    assert "Let op" not in (await house.answer(FATIMA, f"wijzig {ref}; geboren; 14-03-2015"))["body"]


async def test_what_is_missing_or_wrong_is_asked_for(house: House) -> None:
    ref = await house.place(FATIMA)
    assert (await house.answer(FATIMA, "wijzig"))["field"] == "ref"
    assert (await house.answer(FATIMA, ref))["field"] == "field"
    refused = await house.answer(FATIMA, "telefoon")
    assert (refused["code"], refused["field"]) == ("bad_input", "field")
    asked = await house.answer(FATIMA, "geboren")
    assert (asked["kind"], asked["field"]) == ("question", "born")
    refused = await house.answer(FATIMA, "31-02-2015")
    assert (refused["code"], refused["field"]) == ("bad_input", "born")
    for impossible, code in (("01-02-1980", "too_old"), ("01-02-2090", "not_born")):
        refused = await house.answer(FATIMA, impossible)
        assert (refused["code"], refused["field"]) == (code, "born")
        assert f"intrekken {ref} fout" in refused["body"]  # it stands already: what if that is the right date?
    assert (await house.answer(FATIMA, "13-03-2015"))["kind"] == "signal.corrected"
    for field, value in (("voornaam", "S4nne"), ("achternaam", "123"), ("adres", "Dorpsstraat")):
        assert (await house.answer(FATIMA, f"wijzig {ref}; {field}; {value}"))["code"] == "bad_input"


async def test_only_ones_own(house: House) -> None:
    ref = await house.place(FATIMA)
    theirs = await house.answer(JOOST, f"wijzig {ref}; voornaam; Tim")
    nobodys = await house.answer(JOOST, "wijzig S-000000; voornaam; Tim")
    assert theirs["code"] == nobodys["code"] == "not_found"
    assert (await signal_of(house, FATIMA)).child.given == "Sanne"


async def test_not_to_a_child_that_one_has_signalled_already(house: House) -> None:
    first = await house.place(FATIMA)
    second = await house.place(FATIMA, "signaal Sanne; de Vries; 15-03-2015; 9203 ZX 95a")
    refused = await house.answer(FATIMA, f"wijzig {second}; geboren; 14-03-2015")
    assert (refused["code"], refused["ref"]) == ("duplicate", first)
    await house.answer(FATIMA, f"intrekken {second} klaar")
    assert (await house.answer(FATIMA, f"wijzig {second}; geboren; 14-03-2015"))["kind"] == "signal.corrected"


async def test_it_counts_with_placing(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, daily_cap=2) as house:
        ref = await house.place(FATIMA)
        await house.answer(FATIMA, f"wijzig {ref}; voornaam; Tim")
        assert (await house.answer(FATIMA, f"wijzig {ref}; voornaam; Kim"))["code"] == "rate_limited"
        assert (await house.answer(FATIMA, OTHER))["code"] == "rate_limited"
        await house.pass_time(days=1)
        assert (await house.answer(FATIMA, f"wijzig {ref}; voornaam; Kim"))["kind"] == "signal.corrected"


async def test_it_is_found_by_what_it_is_now_and_not_by_what_it_was(house: House) -> None:
    ref = await house.place(FATIMA, OTHER)
    await house.answer(FATIMA, f"wijzig {ref}; geboren; 03-06-2012")
    await house.place(JOOST, OTHER)
    assert "match.notice" not in house.kinds(JOOST)
    await house.place(LIN, OTHER.replace("02-05", "03-06"))
    assert {who["user_id"] for who in house.last(LIN, "match.notice")["participants"]} == {FATIMA}


async def test_it_is_matched_anew_and_the_answer_comes_first(house: House) -> None:
    await house.place(FATIMA)
    ref = await house.place(JOOST, SANNE.replace("14-03-2015", "14-08-2011"))
    assert "match.notice" not in house.kinds(FATIMA)
    cards = await house.say(JOOST, f"wijzig {ref}; geboren; 14-03-2015")
    at_desk = [card["wenk"]["kind"] for card in cards if card["room"].owner == JOOST]
    assert at_desk == ["signal.corrected", "match.notice"]


async def test_an_inactive_one_is_corrected_and_stays_inactive(house: House) -> None:
    ref = await house.place(FATIMA, OTHER)
    await house.answer(FATIMA, f"intrekken {ref} klaar")
    await house.place(JOOST)
    for said in ("voornaam; Sanne", "achternaam; de Vries", "geboren; 14-03-2015", "adres; 9203 ZX 95a"):
        assert (await house.answer(FATIMA, f"wijzig {ref}; {said}"))["kind"] == "signal.corrected"
    await house.place(LIN)
    assert {who["user_id"] for who in house.last(LIN, "match.earlier")["participants"]} == {FATIMA}
    assert "match.notice" not in house.kinds(FATIMA)


async def test_who_must_be_told_follows_the_birth_date(house: House) -> None:
    """On the day of placing; who was told stays told."""
    ref = await house.place(FATIMA)
    signal = await signal_of(house, FATIMA)
    for born, told in (("14-03-2012", {"parents", "child"}), ("14-03-2008", {"child"}), ("14-03-2016", {"parents"})):
        await house.answer(FATIMA, f"wijzig {ref}; geboren; {born}")
        assert await addressees(house, signal) == told


async def addressees(house: House, signal: Signal) -> set[str]:
    async with house.storage.reading() as uow:
        now = await uow.signals.get(signal.id)
        assert now is not None
        return set((await uow.notices.get(now)).must)


async def test_what_shows_the_old_data_is_taken_back(house: House) -> None:
    ref = await house.place(FATIMA)
    (listed,) = await house.say(FATIMA, "signalen")
    await house.answer(FATIMA, f"wijzig {ref}; achternaam; Jansen")
    assert listed["event_id"] in house.redacted
    assert (await house.answer(FATIMA, "nog een Tim; 14-03-2017"))["code"] == "expired"


async def test_the_day_on_which_it_is_looked_at_follows_the_birth_date(house: House) -> None:
    """From the month of the 23rd birthday."""
    ref = await house.place(FATIMA)
    await house.answer(FATIMA, f"wijzig {ref}; geboren; 14-04-2003")
    await house.look_closer()
    await house.pass_time(days=50)
    assert house.kinds(FATIMA)[-1] == "signal.erased"


async def test_a_match_that_holds_no_more_is_reviewed_and_stays_until_then(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    heard = house.heard(JOOST), house.heard("M1")
    cards = await house.say(FATIMA, f"wijzig {refs[FATIMA]}; voornaam; Sanna")
    assert [card["wenk"]["kind"] for card in cards] == ["signal.corrected"]
    await house.look_closer()
    ref = house.last(ANNA, "review.opened")["ref"]
    assert await house.wanted_in() == {FATIMA, JOOST}
    assert (house.heard(JOOST), house.heard("M1")) == heard
    (shown,) = await house.say(ANNA, f"beoordelen {ref}")
    assert "Sanna" in shown["body"]
    assert "uit elkaar" in shown["body"]
    await house.answer(ANNA, f"beoordelen {ref} ja")
    assert await house.wanted_in() == {FATIMA, JOOST}
    assert "match.left" not in house.kinds("M1")
    assert "alarm" not in house.kinds(ANNA)


async def test_no_parts_them(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"wijzig {refs[FATIMA]}; voornaam; Sanna")
    await house.look_closer()
    answer = await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} nee")
    assert (answer["kind"], answer["decision"]) == ("review.decided", "no")
    assert "uit elkaar" in answer["body"]
    told = house.last(JOOST, "match.notsame")
    assert (told["signal"], told["ref"], "re" in told) == (refs[JOOST], house.last("M1", "match.closed")["ref"], False)
    assert house.kinds(FATIMA)[-1] == "match.closed"
    alarm = house.last(ANNA, "alarm")
    assert (alarm["code"], alarm["user_id"]) == ("other_child", JOOST)
    await house.pass_time(days=2)
    assert await pairings(house, FATIMA) == ["refused"]
    assert house.kinds(ANNA).count("review.opened") == 1


async def test_of_the_two_the_one_leaves_who_is_matched_with_fewer(house: House) -> None:
    """Fatima's, the older, turns out to be another child than that of the two others."""
    refs = await met(house, FATIMA, JOOST, LIN)
    await house.answer(FATIMA, f"wijzig {refs[FATIMA]}; voornaam; Sanna")
    await house.look_closer()
    first, second = [card["wenk"] for card in house.cards[ANNA] if card["wenk"]["kind"] == "review.opened"]
    await house.answer(ANNA, f"beoordelen {first['ref']} nee")
    assert await house.wanted_in() == {JOOST, LIN}
    assert house.kinds("M1")[-2:] == ["match.left", "match.introduction"]
    alarms = house.kinds(ANNA).count("alarm")
    await house.answer(ANNA, f"beoordelen {second['ref']} nee")
    assert await house.wanted_in() == {JOOST, LIN}
    assert house.kinds(ANNA).count("alarm") == alarms + 1, "she has seen that one's details too"


async def test_a_confirmed_one_is_asked_again_only_if_nothing_speaks_for_it(house: House) -> None:
    await house.place(FATIMA)
    mine = await house.place(JOOST, SANNE.replace("Sanne", "Sanna"))
    await house.look_closer()
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} ja")
    await house.answer(JOOST, f"wijzig {mine}; adres; 9203 ZX 96")
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1
    await house.answer(JOOST, f"wijzig {mine}; geboren; 20-11-2009")
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 2


async def test_a_refusal_stands_unless_it_is_surely_one_child_now(house: House) -> None:
    await house.place(FATIMA)
    mine = await house.place(JOOST, SANNE.replace("Sanne", "Sanna"))
    await house.look_closer()
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} nee")
    await house.answer(JOOST, f"wijzig {mine}; adres; 9203 ZX 95")
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1
    await house.answer(JOOST, f"wijzig {mine}; adres; 9203 ZX 95a")
    await house.answer(JOOST, f"wijzig {mine}; voornaam; Sanne")
    assert "match.notice" not in house.kinds(JOOST), "never automatic"
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 2
    assert "match.notice" not in house.kinds(JOOST)


async def test_what_somebody_in_it_said_stands_when_other_fields_are_corrected(house: House) -> None:
    refs = await met(house, FATIMA, JOOST)
    await house.speak_in(FATIMA, "!anderkind")
    await house.answer(FATIMA, f"wijzig {refs[FATIMA]}; adres; 9203 ZX 95")
    await house.look_closer()
    assert "review.opened" not in house.kinds(ANNA)
    assert await pairings(house, FATIMA) == ["refused"]


async def test_an_open_review_shows_the_new_data_or_goes(house: House) -> None:
    await house.place(FATIMA)
    mine = await house.place(JOOST, SANNE.replace("Sanne", "Sanna"))
    await house.look_closer()
    ref = house.last(ANNA, "review.opened")["ref"]
    (before,) = await house.say(ANNA, f"beoordelen {ref}")
    await house.answer(JOOST, f"wijzig {mine}; adres; 9203 ZX 95")
    await house.look_closer()
    assert before["event_id"] in house.redacted
    (shown,) = await house.say(ANNA, f"beoordelen {ref}")
    assert shown["wenk"]["kind"] == "review.shown"
    assert [child["address"] for child in shown["wenk"]["children"]] != [
        child["address"] for child in before["wenk"]["children"]
    ]
    await house.answer(JOOST, f"wijzig {mine}; geboren; 20-11-2009")
    assert (await house.answer(ANNA, f"beoordelen {ref} ja"))["code"] == "not_found"
    assert await pairings(house, JOOST) == []


async def test_two_corrections_do_not_make_it_forgotten(house: House) -> None:
    """From in doubt to surely another child: those who are together are still asked about."""
    refs = await met(house, FATIMA, JOOST)
    await house.answer(FATIMA, f"wijzig {refs[FATIMA]}; voornaam; Sanna")
    await house.answer(FATIMA, f"wijzig {refs[FATIMA]}; geboren; 20-11-2009")
    await house.look_closer()
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} nee")
    assert "match.closed" in house.kinds("M1")


@pytest.mark.parametrize("ends_it_first", [False, True])
async def test_who_saw_who_was_involved_before_and_corrects_is_reported(house: House, *, ends_it_first: bool) -> None:
    first = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {first} klaar")
    mine = await house.place(JOOST)
    assert "match.earlier" in house.kinds(JOOST)
    if ends_it_first:
        await house.answer(JOOST, f"intrekken {mine} klaar")
    await house.answer(JOOST, f"wijzig {mine}; geboren; 20-11-2009")
    await house.look_closer()
    ref = house.last(ANNA, "review.opened")["ref"]
    await house.answer(ANNA, f"beoordelen {ref} nee")
    alarm = house.last(ANNA, "alarm")
    assert (alarm["code"], alarm["ref"], alarm["user_id"]) == ("other_child", ref, JOOST)


async def test_an_ordinary_no_is_no_alarm(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST, SANNE.replace("Sanne", "Sanna"))
    await house.look_closer()
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} nee")
    assert "alarm" not in house.kinds(ANNA)
