"""The bot stays reachable: its keys never run out, and nothing that a stranger sends breaks the machine."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import vodozemac
from unpaddedbase64 import encode_base64

from bot.crosssigning import DeviceKeys
from bot.crypto import Machine, RoomKey
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import Homeserver, MatrixError
from bot.olm import OLM
from tests.matrix.people import Bare, Town, meet, reads

CLAIM = "/_matrix/client/v3/keys/claim"
FULL = 50
ROOM = "!room"


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


@pytest.fixture
async def bot(town: Town) -> Bare:
    """A device that has published its keys."""
    bot = await town.bare(await town.account("bot"), "BOT")
    await bot.machine.maintain(bot.http)
    await bot.sync()
    return bot


async def take(http: Homeserver, bot: Bare, times: int) -> list[dict[str, Any]]:
    """Claim one-time keys of a device."""
    own = bot.machine.device
    body = {"one_time_keys": {own.user_id: {own.device_id: "signed_curve25519"}}}
    answers = [await http.request("POST", CLAIM, body=body) for _ in range(times)]
    return [answer["one_time_keys"][own.user_id][own.device_id] for answer in answers]


async def left(bot: Bare) -> int:
    """How many one-time keys the server has."""
    answer = await bot.http.request("POST", "/_matrix/client/v3/keys/upload", body={})
    return int(answer["one_time_key_counts"].get("signed_curve25519", 0))


async def test_a_new_device_publishes_its_keys_once(bot: Bare) -> None:
    assert await left(bot) == FULL
    sent = bot.http.requests
    await bot.machine.maintain(bot.http)
    assert bot.http.requests == sent


async def test_a_store_that_ran_dry_is_filled_again(bot: Bare) -> None:
    """FIELD-NOTES 7: nio takes a count of 0 for unknown."""
    await take(bot.http, bot, FULL)
    assert await left(bot) == 0
    await bot.sync()
    await bot.machine.maintain(bot.http)
    assert await left(bot) == FULL


async def test_a_count_that_is_left_out_is_zero(bot: Bare) -> None:
    await take(bot.http, bot, FULL)
    bot.machine.note_key_counts({}, ["signed_curve25519"])
    await bot.machine.maintain(bot.http)
    assert await left(bot) == FULL


async def test_when_all_are_taken_the_fallback_key_serves_and_is_replaced(bot: Bare) -> None:
    """A bot that was away for a week can still be written to."""
    taken = await take(bot.http, bot, FULL + 2)
    assert taken[-1] == taken[-2]
    assert next(iter(taken[-1].values()))["fallback"] is True
    await bot.sync()
    await bot.machine.maintain(bot.http)
    again = await take(bot.http, bot, FULL + 1)
    assert next(iter(again[-1].values()))["fallback"] is True
    assert again[-1] != taken[-1]


async def test_a_used_fallback_key_is_replaced_also_while_others_are_left(bot: Bare) -> None:
    bot.machine.note_key_counts({"signed_curve25519": FULL}, ["signed_curve25519"])
    sent = bot.http.requests
    await bot.machine.maintain(bot.http)
    assert bot.http.requests == sent
    bot.machine.note_key_counts({"signed_curve25519": FULL}, [])
    await bot.machine.maintain(bot.http)
    assert bot.http.requests == sent + 1


class Crash(Exception):
    """The process ends here."""


class Crashing:
    """A connection that breaks down after the server has done what was asked."""

    def __init__(self, http: Homeserver) -> None:
        self._http = http

    async def request(self, method: str, path: str, *, body: dict[str, Any]) -> None:
        await self._http.request(method, path, body=body)
        raise Crash


async def test_keys_are_saved_before_they_are_published(town: Town, bot: Bare) -> None:
    """A crash after the upload leaves no key on the server that nobody knows."""
    anna = await town.person("anna")
    await take(bot.http, bot, FULL)
    await bot.sync()
    crashing: Any = Crashing(bot.http)
    with pytest.raises(Crash):
        await bot.machine.maintain(crashing)
    bot.machine.close()

    again = Bare(bot.http, town.machine(bot.machine.device.user_id, "BOT"), bot.token)
    content = await to(anna, again.machine)
    await again.sync()
    assert again.machine.decrypt({"content": content}, ROOM).content == {"body": "hallo"}


async def to(sender: Person, receiver: Machine) -> dict[str, Any]:
    """An encrypted message, its key sent on its way."""
    sender.machine.note_devices(receiver.device.user_id, [receiver.device])
    kind, devices = "m.room.message", [receiver.device]
    return await sender.machine.encrypt(sender.http, ROOM, devices, kind, {"body": "hallo"})


def pre_key_message(receiver: Machine) -> dict[str, Any]:
    """A well-formed first message that names a one-time key which never was."""
    account = vodozemac.Account()
    session = account.create_outbound_session(
        vodozemac.Curve25519PublicKey.from_base64(receiver.device.curve25519), vodozemac.Account().curve25519_key
    )
    kind, ciphertext = session.encrypt(b"{}").to_parts()
    return {
        "algorithm": OLM,
        "sender_key": account.curve25519_key.to_base64(),
        "ciphertext": {receiver.device.curve25519: {"type": kind, "body": encode_base64(ciphertext)}},
    }


async def test_a_message_for_an_unknown_one_time_key_stops_nothing(town: Town, bot: Bare) -> None:
    """FIELD-NOTES 6: with nio anybody can make a bot fail on every sync from now on."""
    anna = await town.person("anna")
    own = bot.machine.device
    body = {"messages": {own.user_id: {own.device_id: pre_key_message(bot.machine)}}}
    await anna.http.request("PUT", "/_matrix/client/v3/sendToDevice/m.room.encrypted/1", body=body)
    content = await to(anna, bot.machine)
    news = await bot.sync()
    assert news.room_keys == (RoomKey(ROOM, content["session_id"]),)
    assert bot.machine.decrypt({"content": content}, ROOM).content == {"body": "hallo"}


async def test_a_message_that_nests_deeper_than_a_parser_goes_stops_nothing(town: Town, bot: Bare) -> None:
    """The server cannot see it: it is one string there."""
    anna, own = await town.person("anna"), bot.machine.device
    (taken,) = await take(bot.http, bot, 1)
    account = vodozemac.Account()
    session = account.create_outbound_session(
        vodozemac.Curve25519PublicKey.from_base64(own.curve25519),
        vodozemac.Curve25519PublicKey.from_base64(next(iter(taken.values()))["key"]),
    )
    kind, ciphertext = session.encrypt(b"[" * 20_000 + b"]" * 20_000).to_parts()
    nested = {
        "algorithm": OLM,
        "sender_key": account.curve25519_key.to_base64(),
        "ciphertext": {own.curve25519: {"type": kind, "body": encode_base64(ciphertext)}},
    }
    body = {"messages": {own.user_id: {own.device_id: nested}}}
    await anna.http.request("PUT", "/_matrix/client/v3/sendToDevice/m.room.encrypted/1", body=body)
    content = await to(anna, bot.machine)
    before = bot.token
    assert (await bot.sync()).room_keys == (RoomKey(ROOM, content["session_id"]),)
    assert bot.token != before
    assert (await bot.sync()).room_keys == ()


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"ciphertext": {}},
        {"ciphertext": []},
        {"ciphertext": {"OWN": {}}},
        {"ciphertext": {"OWN": {"type": 0, "body": "AAAA"}}},
        {"ciphertext": {"OWN": {"type": 1, "body": "not base64 ///"}}},
        {"ciphertext": {"OWN": {"type": 1, "body": None}}},
        {"ciphertext": {"OWN": {"type": "0", "body": "é"}}},
    ],
    ids=str,
)
def test_a_malformed_to_device_event_stops_nothing(tmp_path: Path, content: dict[str, Any] | None) -> None:
    machine = Machine.open("@bot:x", "DEVICE", tmp_path, b"k" * 32)
    text = json.dumps(content and {"algorithm": OLM, "sender_key": "A" * 43, **content})
    event = {
        "type": "m.room.encrypted",
        "sender": "@anna:x",
        "content": json.loads(text.replace("OWN", machine.device.curve25519)),
    }
    assert machine.receive_to_device(event) is None
    machine.close()


async def test_a_broken_session_is_repaired(town: Town) -> None:
    """As after a crash that cost the last steps of a ratchet; with Olm both sides would stay deaf for ever."""
    anna, bot = await town.person("anna"), await town.person("bot")
    room = await meet(anna, bot)
    await reads(bot, await anna.say(room, "one"))
    await reads(anna, await bot.say(room, "two"))
    sessions = bot.machine._olm.session_store
    await reads(bot, await _with_a_new_key(anna, room, "three"))
    sessions[anna.machine.device.curve25519].clear()

    lost = await _with_a_new_key(anna, room, "lost")
    await bot.until(lambda: lost in bot.unread)
    theirs = anna.machine._olm.session_store[bot.machine.device.curve25519]
    await anna.until(lambda: len(theirs) > 1)
    assert await reads(bot, await _with_a_new_key(anna, room, "four")) == "four"


async def _with_a_new_key(someone: Person, room: str, text: str) -> str:
    someone.machine._olm.outbound_group_sessions.pop(room)
    return await someone.say(room, text)


async def test_a_stranger_cannot_make_us_claim_keys(bot: Bare) -> None:
    """Only with devices that are proven is a broken session worth a new one."""
    stranger = "@stranger:x"
    for _ in range(3):
        content = pre_key_message(bot.machine)
        device = DeviceKeys(stranger, "DEVICE", "ed25519", content["sender_key"])
        bot.machine.note_devices(stranger, [device])
        bot.machine.note_devices(stranger, [])
        event = {"type": "m.room.encrypted", "sender": stranger, "content": content}
        assert bot.machine.receive_to_device(event) is None
    sent = bot.http.requests
    await bot.machine.maintain(bot.http)
    assert bot.http.requests == sent


class Refusing:
    """A server that has other keys under these names."""

    asked = 0

    async def request(self, *_what: object, **_more: object) -> None:
        self.asked += 1
        raise MatrixError(400, "M_UNKNOWN", {})


async def test_a_server_that_refuses_our_keys_is_not_hammered(bot: Bare, caplog: pytest.LogCaptureFixture) -> None:
    """So it goes when an old store was put back (FIELD-NOTES 15): what works goes on, and the log says why."""
    refusing: Any = Refusing()
    bot.machine.note_key_counts({}, [])
    for _ in range(5):
        await bot.machine.maintain(refusing)
    assert refusing.asked == 1
    assert "old crypto store" in caplog.text
