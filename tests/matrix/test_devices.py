"""Only a device that its owner has confirmed is obeyed and spoken to; who has another finds out what to do."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.crosssigning import publish
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.play import CLIENT, Play, Seat, of_kind, playing, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Play]:
    async with playing(tmp_path_factory.mktemp("devices"), synapse) as running:
        yield running


async def _at_a_strange_desk(play: Play, name: str) -> tuple[Person, str]:
    """Somebody whose only device is not confirmed, in the room that is their desk."""
    await play.allow(name)
    person: Person = await play.client(name, signed=False)
    await person.until(lambda: bool(person.rooms()))
    return person, person.rooms()[0]


async def test_an_unsigned_device_finds_out_what_to_do_and_goes_on_when_it_is_signed(play: Play) -> None:
    lin, desk = await _at_a_strange_desk(play, "lin")
    assert "dit apparaat" in (await lin.state(desk, "m.room.topic"))["topic"]
    command = await lin.say(desk, "!signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a")
    warning = await lin.wait_for(lambda card: not card.encrypted and card.sender == play.bot)
    relation = warning.content["m.relates_to"]
    assert relation["rel_type"] == "m.annotation"
    assert relation["event_id"] in lin.unread  # the welcome card, which this device cannot read
    await lin.until(lambda: command in lin.redacted)
    assert [card for card in lin.cards if card.encrypted and card.sender == play.bot] == []

    # Confirmed, as after a login that is verified a day later.
    await publish(lin.http, lin.keys, lin.user_id, play.stage.passwords["lin"])
    await lin.sign()
    refusal = await lin.wait_for(of_kind("error", code="unverified_device", re=command))
    await lin.wait_for(of_kind("welcome"))
    seat = Seat(lin, desk)
    assert (await seat.ask("signalen")).wenk["signals"] == []
    assert refusal.verified


async def test_the_warning_comes_before_anything_is_said(play: Play) -> None:
    person, desk = await _at_a_strange_desk(play, "silent")
    warning = await person.wait_for(lambda card: not card.encrypted and card.sender == play.bot)
    assert warning.room_id == desk
    assert warning.content["m.relates_to"]["event_id"] in person.unread


async def test_the_signed_devices_hear_of_an_unsigned_one(play: Play) -> None:
    joost = await play.admit("joost")
    assert isinstance(joost.who, Person)
    second: Person = await play.client("joost", signed=False)
    await second.until(lambda: joost.desk in second.rooms())
    command = await second.say(joost.desk, "!signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a")
    await joost.hear("error", code="unverified_device", re=command)
    await second.until(lambda: command in second.redacted)
    assert not joost.heard("signal.proposed")
    assert [card for card in second.cards if card.encrypted and card.sender == play.bot] == []
    # Nor was anything begun: ja finds no question.
    assert (await joost.ask("ja")).wenk["code"] == "unknown_command"


async def test_plaintext_is_refused_and_redacted(play: Play) -> None:
    els = await play.admit("els")
    assert isinstance(els.who, Person)
    command = await els.who.say(els.desk, "!signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a", encrypted=False)
    await els.hear("error", code="not_allowed", re=command)
    await els.who.until(lambda: command in els.who.redacted)
    assert (await els.ask("ja")).wenk["code"] == "unknown_command"


async def test_nobody_can_bring_a_stranger_to_a_desk(play: Play) -> None:
    mo = await play.admit("mo")
    stranger: Person = await play.client("stranger")
    assert isinstance(mo.who, Person)
    room = f"{CLIENT}/{quote(mo.desk)}"
    assert await refused(mo.who.http, "POST", f"{room}/invite", {"user_id": stranger.user_id})
    assert await refused(stranger.http, "POST", f"/_matrix/client/v3/join/{quote(mo.desk)}", {})
    assert await refused(stranger.http, "POST", f"/_matrix/client/v3/knock/{quote(mo.desk)}", {})


async def test_a_changed_identity_waits_until_the_coordinator_vouches_for_it(
    play: Play,
    js_client: None,  # noqa: ARG001 - asked for its effect
) -> None:
    await play.allow("ida")
    first = await play.client("ida", js=True)
    desk = (await first.wait_for(of_kind("welcome"))).room_id
    second = await play.client("ida", js=True)  # makes the account's cross-signing keys anew
    await second.until(lambda: desk in second.rooms())
    command = await second.say(desk, "!signaal Sanne; de Vries; 14-03-2015; 9203 ZX 95a")
    await play.anna.hear("alarm", code="changed_identity", user_id=first.user_id)
    await second.until(lambda: command in second.redacted)
    assert not [card for card in second.cards if card.encrypted]

    vouched = await play.anna.ask(f"professional vertrouwen {first.user_id}")
    assert vouched.wenk["kind"] == "professional.trusted"
    answer = await Seat(second, desk).ask("signalen")
    assert (answer.wenk["kind"], answer.verified, answer.wenk["signals"]) == ("signal.list", True, [])
