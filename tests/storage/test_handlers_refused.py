"""Who said it? What is not proven is refused and emptied; what is proven is answered once and emptied."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.office import Message, Office, Proof
from handlers.reception import WARNING_REACTION, cannot_handle, put_off
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, House

REFUSED = [
    (Proof.UNENCRYPTED, "not_allowed"),
    (Proof.UNSIGNED, "unverified_device"),
    (Proof.CHANGED, "unverified_device"),
    (Proof.OVERHEARD, "not_allowed"),
    (Proof.STRANGER, "not_allowed"),
]


@pytest.mark.parametrize(("proof", "code"), REFUSED)
async def test_what_is_not_proven_is_refused_and_nothing_happens(house: House, proof: Proof, code: str) -> None:
    await house.answer(FATIMA, SANNE)
    before = await house.audited()
    for said in ("ja", SANNE, "signalen"):
        refused = await house.answer(FATIMA, said, proof=proof)
        assert (refused["kind"], refused["code"]) == ("error", code)
        assert refused["re"] == house.last_event
        assert "Sanne" not in refused["body"]
        assert house.last_event in house.redacted
    assert (await house.audited())[len(before) :] == [f"refused.{proof}"] * 3
    # The question is still the one that stood there: nothing that was refused had any effect.
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


async def test_a_coordinator_is_not_believed_without_proof_either(house: House) -> None:
    for proof, _code in REFUSED:
        assert (await house.answer(ANNA, f"professional schorsen {FATIMA}", proof=proof))["kind"] == "error"
    assert "professional.suspended" not in await house.audited()


@pytest.mark.parametrize("proof", [Proof.UNSIGNED, Proof.CHANGED])
async def test_an_unsigned_device_sees_a_reaction_in_cleartext_once_a_day(house: House, proof: Proof) -> None:
    welcome = next(card["event_id"] for card in house.cards[FATIMA] if card["wenk"]["kind"] == "welcome")
    for _ in range(2):
        await house.say(FATIMA, "signalen", proof=proof)
    assert house.reactions == [(welcome, WARNING_REACTION)]
    await house.pass_time(days=1)
    await house.say(FATIMA, "signalen", proof=proof)
    assert len(house.reactions) == 2


@pytest.mark.parametrize(("proof", "code"), [(Proof.CHANGED, "changed_identity"), (Proof.OVERHEARD, "stranger")])
async def test_coordinators_are_alarmed_once_a_day(house: House, proof: Proof, code: str) -> None:
    for _ in range(3):
        await house.say(FATIMA, "signalen", proof=proof)
    assert house.kinds(ANNA).count("alarm") == 1
    alarm = house.last(ANNA, "alarm")
    assert (alarm["code"], alarm["user_id"]) == (code, FATIMA)
    await house.pass_time(days=1)
    await house.say(FATIMA, "signalen", proof=proof)
    assert house.kinds(ANNA).count("alarm") == 2


async def test_in_an_introduction_too(house: House) -> None:
    await house.place(FATIMA)
    await house.place(JOOST)
    (answer,) = await house.speak_in(FATIMA, "!help", Proof.UNSIGNED)
    assert answer["wenk"]["code"] == "unverified_device"
    assert (await house.audited())[-1] == "refused.unsigned"


@pytest.mark.parametrize("kind", ["other", "plain"])
async def test_only_text_is_a_command(house: House, kind: str) -> None:
    refused = await house.answer(FATIMA, SANNE, kind=kind)
    assert (refused["kind"], refused["code"]) == ("error", "unknown_command")
    assert house.last_event in house.redacted


async def test_notices_are_emptied_and_never_answered(house: House) -> None:
    # Two bots that answer each other never stop.
    assert await house.say(FATIMA, SANNE, kind="notice") == []
    assert house.last_event in house.redacted


async def test_a_message_without_its_key_is_asked_for_again(house: House) -> None:
    answer = await house.answer(FATIMA, "", kind="undecryptable")
    assert (answer["kind"], answer["code"]) == ("error", "unavailable")


async def test_reactions_are_emptied_too_and_not_answered(house: House) -> None:
    """They are cleartext, and anything can be written in one."""
    assert await house.say(FATIMA, "✅", kind="reaction", target="$out1") == []
    assert house.last_event in house.redacted


async def test_who_is_not_the_owner_is_not_heard_at_a_desk(house: House) -> None:
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
    heard = house.heard(FATIMA)
    await house.say_in(desk.id, JOOST, "signalen")
    assert house.heard(FATIMA) == heard
    assert house.last_event not in house.redacted


async def test_what_cannot_be_handled_is_answered_and_reported(house: House) -> None:
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        message = Message(
            event_id="$broken", position=10_000, sender=FATIMA, kind="text", body=SANNE, proof=Proof.PROVEN
        )
        await cannot_handle(Office(uow, house.region), desk, message)
    await house.deliver()
    answer = house.last(FATIMA, "error")
    assert (answer["code"], answer["re"]) == ("unavailable", "$broken")
    assert "$broken" in house.redacted
    assert house.last(ANNA, "alarm")["code"] == "handler_failed"


@pytest.mark.parametrize(("kind", "answered"), [("text", True), ("reaction", False), ("notice", False)])
async def test_while_the_clock_is_wrong_nothing_is_done_and_said_so(house: House, kind: str, answered: bool) -> None:  # noqa: FBT001 (parameter of the test)
    await house.answer(FATIMA, SANNE)
    before = await house.audited()
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        message = Message(event_id="$undated", position=10_000, sender=FATIMA, kind=kind, body="ja", proof=Proof.PROVEN)
        await put_off(Office(uow, house.region), desk, message)
    told = [card["wenk"] for card in await house.deliver()]
    assert [(card["code"], card["re"]) for card in told] == ([("unavailable", "$undated")] if answered else [])
    assert "$undated" in house.redacted
    assert await house.audited() == before
    # The question stands, and is answered when the clock is right.
    assert (await house.answer(FATIMA, "ja"))["kind"] == "signal.placed"


WORDS = st.sampled_from(
    [
        *("signaal", "signal", "nog een", "signalen", "intrekken", "matches", "taal", "help", "ja", "nee"),
        *("organisatie toevoegen", "professional toevoegen", "professional schorsen", FATIMA, LIN, "De Wilgen"),
        *("Sanne", "de Vries", "14-03-2015", "2015", "9203 ZX 95a", "geheim", "S-7K3QZ9", "klaar", "9" * 5000),
    ]
)
TYPED = st.lists(
    st.lists(WORDS | st.text(max_size=12), max_size=6).flatmap(
        lambda words: st.sampled_from(["; ", " ", "\n", ""]).map(lambda joint: joint.join(words))
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=TYPED)
async def test_whatever_is_typed_is_answered_once_and_emptied(house: House, typed: list[str]) -> None:
    for text in typed:
        for who in (ANNA, FATIMA):
            answer = await house.answer(who, text)
            assert answer["re"] == house.last_event
            assert house.last_event in house.redacted
