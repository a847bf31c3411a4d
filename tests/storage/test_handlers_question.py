"""The one open question of a desk: what ja and nee mean, and what makes the question go away."""

import pytest

from tests.storage.house import FATIMA, JOOST, SANNE, House

YES = ("ja", "Ja", "JA!", "ja.", "!ja", "yes", "ok", "klopt")
NO = ("nee", "Nee.", "!nee", "no", "annuleren", "cancel")


async def proposed(house: House) -> str:
    """Ask the question; the event id of its card."""
    assert (await house.answer(FATIMA, SANNE))["kind"] == "signal.proposed"
    return str(house.cards[FATIMA][-1]["event_id"])


async def test_ja_places(house: House) -> None:
    for day, word in enumerate(YES, start=10):
        await house.answer(FATIMA, f"signaal Sanne; de Vries; {day}-03-2015; geen")
        assert (await house.answer(FATIMA, word))["kind"] == "signal.placed", word


async def test_nee_cancels_and_keeps_nothing(house: House) -> None:
    for word in NO:
        await proposed(house)
        assert (await house.answer(FATIMA, word))["kind"] == "cancelled", word
        refused = await house.answer(FATIMA, "ja")
        assert (refused["kind"], refused["code"]) == ("error", "unknown_command")
    assert (await house.answer(FATIMA, "signalen"))["signals"] == []


async def test_nee_stops_a_question_for_a_field(house: House) -> None:
    await house.answer(FATIMA, "signaal Sanne")
    assert (await house.answer(FATIMA, "nee"))["kind"] == "cancelled"
    assert (await house.answer(FATIMA, "de Vries"))["code"] == "unknown_command"


async def test_ja_said_before_the_card_stood_there_is_asked_again(house: House) -> None:
    await proposed(house)
    again = await house.answer(FATIMA, "ja", before_cards=True)
    assert again["kind"] == "signal.proposed"
    assert "signal.placed" not in await house.audited()
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


async def test_ja_in_reply_to_the_card_counts_wherever_it_stands(house: House) -> None:
    card = await proposed(house)
    assert (await house.answer(FATIMA, "ja", reply_to=card, before_cards=True))["kind"] == "signal.placed"


async def test_ja_in_reply_to_another_card_does_not(house: House) -> None:
    await house.answer(FATIMA, "help")
    other = house.cards[FATIMA][-1]["event_id"]
    await proposed(house)
    assert (await house.answer(FATIMA, "ja", reply_to=other, before_cards=True))["kind"] == "signal.proposed"


async def test_ja_places_once(house: House) -> None:
    await proposed(house)
    await house.answer(FATIMA, "ja")
    again = await house.answer(FATIMA, "ja")
    assert (again["kind"], again["code"]) == ("error", "unknown_command")
    assert len((await house.answer(FATIMA, "signalen"))["signals"]) == 1


async def test_without_a_question_it_is_no_command(house: House) -> None:
    for said in ("ja", "nee", "hallo", "!onzin", "   ", "!", "Sanne; de Vries; 14-03-2015", "signaaltje"):
        refused = await house.answer(FATIMA, said)
        assert (refused["kind"], refused["code"]) == ("error", "unknown_command"), said


async def test_anything_but_ja_or_nee_leaves_the_question_open(house: House) -> None:
    await proposed(house)
    refused = await house.answer(FATIMA, "misschien")
    assert (refused["kind"], refused["code"]) == ("error", "unknown_command")
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


@pytest.mark.parametrize("swept", [True, False])
async def test_ja_after_an_hour_has_expired(house: House, swept: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    await proposed(house)
    house.now = house.now.replace(hour=house.now.hour + 1)
    if swept:
        await house.sweep()
    refused = await house.answer(FATIMA, "ja")
    assert (refused["kind"], refused["code"]) == ("error", "expired")
    assert (await house.answer(FATIMA, "ja"))["code"] == "unknown_command"
    assert "signal.placed" not in await house.audited()


async def test_ja_within_the_hour_counts(house: House) -> None:
    await proposed(house)
    await house.pass_time(minutes=59)
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


async def test_a_field_given_after_an_hour_has_expired(house: House) -> None:
    await house.answer(FATIMA, "signaal Sanne")
    await house.pass_time(minutes=60)
    assert (await house.answer(FATIMA, "de Vries"))["code"] == "expired"
    assert (await house.answer(FATIMA, "de Vries"))["code"] == "unknown_command"


async def test_every_other_command_drops_the_question_and_says_so(house: House) -> None:
    for command in (
        "signalen",
        "matches",
        "taal nl",
        "signaal Bo",
        "intrekken S-7K3QZ9 klaar",
        "organisatie toevoegen X",
    ):
        await proposed(house)
        answer = await house.answer(FATIMA, command)
        assert "vorige vraag" in answer["body"], command
        assert (await house.answer(FATIMA, "ja"))["kind"] != "signal.placed"
    assert "signal.placed" not in await house.audited()


async def test_nothing_is_said_of_a_question_that_was_not_there(house: House) -> None:
    assert "vorige vraag" not in (await house.answer(FATIMA, "signalen"))["body"]
    await proposed(house)
    await house.pass_time(minutes=61)
    assert "vorige vraag" not in (await house.answer(FATIMA, "signalen"))["body"]


async def test_help_keeps_the_question(house: House) -> None:
    await proposed(house)
    for command in ("help", "!help", "hulp"):
        shown = await house.answer(FATIMA, command)
        assert shown["kind"] == "help"
        assert "vorige vraag" not in shown["body"]
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


async def test_each_desk_has_its_own_question(house: House) -> None:
    await proposed(house)
    assert (await house.answer(JOOST, "ja"))["code"] == "unknown_command"
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


async def test_a_cross_on_the_card_cancels(house: House) -> None:
    card = await proposed(house)
    assert (await house.answer(FATIMA, "❌", kind="reaction", target=card))["kind"] == "cancelled"
    assert (await house.answer(FATIMA, "ja"))["code"] == "unknown_command"


async def test_a_cross_cancels_the_question_for_a_field_too(house: House) -> None:
    for key in ("❌\ufe0f", "❌"):
        await house.answer(FATIMA, "signaal")
        card = house.cards[FATIMA][-1]["event_id"]
        assert (await house.answer(FATIMA, key, kind="reaction", target=card))["kind"] == "cancelled"


async def test_any_other_reaction_is_nothing_to_us(house: House) -> None:
    other = house.cards[FATIMA][0]["event_id"]
    card = await proposed(house)
    assert await house.say(FATIMA, "✅", kind="reaction", target=card) == []
    assert await house.say(FATIMA, "ja", kind="reaction", target=card) == []
    assert await house.say(FATIMA, "❌", kind="reaction", target=other) == []
    assert "signal.placed" not in await house.audited()
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


async def test_a_cross_on_a_card_that_was_answered_is_nothing(house: House) -> None:
    card = await proposed(house)
    await house.answer(FATIMA, "ja")
    assert await house.say(FATIMA, "❌", kind="reaction", target=card) == []


async def test_who_was_suspended_meanwhile_places_nothing(house: House) -> None:
    await proposed(house)
    await house.say("@anna:localhost", f"professional schorsen {FATIMA}")
    assert (await house.answer(FATIMA, "ja"))["code"] == "not_allowed"
    assert "signal.placed" not in await house.audited()
