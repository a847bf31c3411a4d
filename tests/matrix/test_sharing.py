"""Room keys reach the devices that are proven, and no others."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.crosssigning import DeviceKeys, sign_device
from bot.crypto import Machine, NoKey
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from tests.matrix.people import ENCRYPTED, JOINED_ONLY, Bare, Town, invite, meet, reads


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


async def as_sent(someone: Person, room: str, event_id: str) -> dict[str, Any]:
    """An event as the server has it."""
    path = f"/_matrix/client/v3/rooms/{room}/event/{event_id}"
    event: dict[str, Any] = await someone.http.request("GET", path)
    assert event["type"] == "m.room.encrypted"
    return event


def can_read(machine: Machine, room: str, raw: dict[str, Any]) -> bool:
    try:
        machine.decrypt(raw, room)
    except NoKey:
        return False
    return True


async def test_signed_devices_read_and_the_unsigned_one_does_not(town: Town) -> None:
    """FIELD-NOTES 9: nio gives keys to any device that the server invents, or to none."""
    anna, bert = await town.person("anna"), await town.person("bert")
    tablet = await town.device(bert.user_id, keys=bert.keys)
    stray = await town.device(bert.user_id, keys=bert.keys, signed=False)
    room = await meet(anna, bert, tablet, stray)
    said = await anna.say(room, "hallo")
    assert await reads(bert, said) == await reads(tablet, said) == "hallo"
    await stray.until(lambda: said in stray.unread)


async def test_a_device_that_is_signed_later_reads_what_comes_next(town: Town) -> None:
    """FIELD-NOTES 12: nio keeps it blacklisted for ever."""
    anna, bert = await town.person("anna"), await town.person("bert")
    tablet = await town.device(bert.user_id, keys=bert.keys, signed=False)
    room = await meet(anna, bert, tablet)
    before = await anna.say(room, "before")
    await tablet.until(lambda: before in tablet.unread)
    await tablet.sign()
    await anna.until(lambda: bert.user_id not in anna.identities._known)
    assert await reads(tablet, await anna.say(room, "after")) == "after"
    assert before in tablet.unread


async def test_a_device_that_the_server_invents_under_our_own_name_gets_nothing(town: Town) -> None:
    """FIELD-NOTES 12: nio raises on send; here it is passed over."""
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await meet(anna, bert)
    invented = await town.device(anna.user_id, keys=anna.keys, signed=False)
    assert anna.identities._known.get(bert.user_id) is None
    said = await anna.say(room, "hallo")
    assert await reads(bert, said) == "hallo"
    await invented.until(lambda: said in invented.unread)


async def test_somebody_without_an_identity_gets_nothing(town: Town) -> None:
    anna, newcomer = await town.person("anna"), await town.person("new", signed=False)
    room = await meet(anna, newcomer)
    said = await anna.say(room, "hallo")
    await newcomer.until(lambda: said in newcomer.unread)


async def test_who_left_cannot_read_on_and_who_comes_cannot_read_back(town: Town) -> None:
    anna, bert, carla = [await town.person(who) for who in ("anna", "bert", "carla")]
    room = await meet(anna, bert, state=(ENCRYPTED, JOINED_ONLY))
    first = await as_sent(anna, room, await anna.say(room, "first"))
    assert await reads(bert, first["event_id"]) == "first"
    await invite(anna, room, carla)
    second = await as_sent(anna, room, await anna.say(room, "second"))
    assert await reads(carla, second["event_id"]) == await reads(bert, second["event_id"]) == "second"
    assert not can_read(carla.machine, room, first)
    await bert.leave(room)
    await anna.until(lambda: anna.members[room][bert.user_id] == "leave")
    third = await as_sent(anna, room, await anna.say(room, "third"))
    assert await reads(carla, third["event_id"]) == "third"
    assert not can_read(bert.machine, room, third)


async def test_a_device_is_given_keys_only_while_it_is_proven(town: Town) -> None:
    """Whatever devices the caller names: which of them are proven is known here too."""
    anna, bert = await town.person("anna"), await town.person("bert")
    tablet = await town.device(bert.user_id, keys=bert.keys, signed=False)
    room = await meet(anna, bert, tablet)
    devices = [bert.machine.device, tablet.machine.device, anna.machine.device]

    async def sealed() -> dict[str, Any]:
        content = await anna.machine.encrypt(anna.http, room, devices, "m.room.message", {"body": "hallo"})
        return {"event_id": "$1", "content": content}

    raw = await sealed()
    assert not can_read(bert.machine, room, raw)  # never proven yet
    await anna.identities.of(bert.user_id)
    raw = await sealed()
    await bert.until(lambda: can_read(bert.machine, room, raw))
    assert not can_read(tablet.machine, room, raw)
    anna.machine.note_devices(bert.user_id, ())
    later = await sealed()
    assert later["content"]["session_id"] != raw["content"]["session_id"]
    await anna.identities.of(bert.user_id, fresh=True)
    await reads(bert, await anna.say(room, "the last to arrive"))
    assert not can_read(bert.machine, room, later)


async def test_a_message_costs_no_further_request(town: Town) -> None:
    """While nothing changes no key is asked for, claimed or sent; after 100 messages the session does."""
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await meet(anna, bert)
    await anna.identities.of(bert.user_id)
    devices, kind = [bert.machine.device], "m.room.message"
    sent = [await anna.machine.encrypt(anna.http, room, devices, kind, {}) for _ in range(2)]
    silent = town.server()
    sent += [await anna.machine.encrypt(silent, room, devices, kind, {}) for _ in range(98)]
    assert silent.requests == 0
    assert len({content["session_id"] for content in sent}) == 1
    after = await anna.machine.encrypt(anna.http, room, devices, kind, {})
    assert after["session_id"] != sent[0]["session_id"]


async def test_a_device_without_one_time_keys_is_passed_over_and_tried_again(town: Town) -> None:
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await meet(anna, bert)
    empty = await town.bare(bert.user_id, "EMPTY")
    device_keys = empty.machine.device_keys()
    await empty.http.request("POST", "/_matrix/client/v3/keys/upload", body={"device_keys": device_keys})
    await sign_device(empty.http, bert.keys, device_keys)
    await anna.identities.of(bert.user_id, fresh=True)
    said = await anna.say(room, "one")
    assert await reads(bert, said) == "one"
    await empty.machine.maintain(empty.http)
    raw = await as_sent(anna, room, await anna.say(room, "two"))
    await empty.sync()
    assert empty.machine.decrypt(raw, room).content["body"] == "two"


async def test_a_device_whose_one_time_key_is_not_its_own_is_passed_over(town: Town) -> None:
    """The server could put its own key in place of the device's."""
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await meet(anna, bert)
    identity = await anna.identities.of(bert.user_id)
    assert identity

    class Forger:
        """A server that answers with keys of its own making."""

        sent = 0

        async def request(self, _method: str, path: str, **_rest: object) -> dict[str, Any]:
            if path.endswith("/keys/claim"):
                device = bert.machine.device
                key = {"key": anna.machine.device.curve25519, "signatures": {bert.user_id: {"ed25519:X": "AAAA"}}}
                return {"one_time_keys": {bert.user_id: {device.device_id: {"signed_curve25519:A": key}}}}
            Forger.sent += 1
            return {}

    forger: Any = Forger()
    await anna.machine.encrypt(forger, room, identity.devices, "m.room.message", {"body": "hallo"})
    assert Forger.sent == 0
    assert await reads(bert, await anna.say(room, "hallo")) == "hallo"


@pytest.mark.parametrize("claimed", ["before", "after"])
async def test_nobody_spoils_anothers_sessions_by_claiming_their_key(town: Town, claimed: str) -> None:
    """Any user can sign a device of their own that names another's Curve25519 key, and be seen first with it.

    Who owns the key reads all the same, before having said a word; who claims it reads nothing.
    """
    anna, bert, mallory = [await town.person(who) for who in ("anna", "bert", "mallory")]
    thief = await impostor(town, mallory, bert.machine.device)
    first, second = (mallory, bert) if claimed == "before" else (bert, mallory)
    room = await meet(anna, first)
    assert await reads(first, await anna.say(room, "first")) == "first"
    await invite(anna, room, second)
    raw = await as_sent(anna, room, await anna.say(room, "hallo"))
    assert await reads(bert, raw["event_id"]) == await reads(mallory, raw["event_id"]) == "hallo"
    given = await to_device(thief)
    assert {key for event in given for key in event["content"]["ciphertext"]} == {bert.machine.device.curve25519}
    for event in given:
        (message,) = event["content"]["ciphertext"].values()
        event["content"]["ciphertext"] = {thief.machine.device.curve25519: message}
        assert thief.machine.receive_to_device(event) is None
    assert not can_read(thief.machine, room, raw)

    # What Bert says goes back to him by the session that he began, and still not to the other.
    assert await reads(anna, await bert.say(room, "yes?")) == "yes?"
    await invite(anna, room, await town.person("carla"))
    assert await reads(bert, await anna.say(room, "a new session")) == "a new session"


async def impostor(town: Town, owner: Person, victim: DeviceKeys) -> Bare:
    """A device that its owner signed, and that claims the victim's Curve25519 key."""
    bare = await town.bare(owner.user_id, "IMPOSTOR")
    machine = bare.machine
    claimed = machine.device_keys()
    claimed["keys"]["curve25519:IMPOSTOR"] = victim.curve25519
    del claimed["signatures"]
    claimed = machine._published._signed(claimed)
    account = machine._olm.account
    account.generate_one_time_keys(10)
    keys = machine._published._public(account.one_time_keys["curve25519"])
    body = {"device_keys": claimed, "one_time_keys": keys}
    await bare.http.request("POST", "/_matrix/client/v3/keys/upload", body=body)
    await sign_device(bare.http, owner.keys, claimed)
    return bare


async def to_device(bare: Bare) -> list[dict[str, Any]]:
    """What the server keeps for a device."""
    answer = await bare.http.request("GET", "/_matrix/client/v3/sync")
    return list(answer["to_device"]["events"])


async def test_a_look_at_somebodys_devices_costs_what_they_are_not_their_square(town: Town) -> None:
    machine = town.machine("@anna:x", "ANNA")
    few, many = [steps_of_a_look(machine, f"@{count}:x", count) for count in (50, 500)]
    assert many < 10 * few + 100


def steps_of_a_look(machine: Machine, user_id: str, count: int) -> int:
    """How many function calls, and turns of generators, it takes to note so many devices that are known already."""
    devices = [DeviceKeys(user_id, f"D{number}", f"ed{number}", f"{user_id}{number}") for number in range(count)]
    machine.note_devices(user_id, devices)
    steps = 0

    def step(_frame: object, what: str, _argument: object) -> None:
        nonlocal steps
        steps += what == "call"

    sys.setprofile(step)
    try:
        machine.note_devices(user_id, devices)
    finally:
        sys.setprofile(None)
    return steps


async def test_a_device_that_comes_back_with_other_keys_is_proven_anew(town: Town) -> None:
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await meet(anna, bert)
    await reads(bert, await anna.say(room, "one"))
    device = bert.machine.device
    other = town.machine(bert.user_id, device.device_id, "other").device
    assert other.curve25519 != device.curve25519
    anna.machine.note_devices(bert.user_id, [other])
    silent = town.server()
    await anna.machine.encrypt(silent, "!another", [device], "m.room.message", {})
    assert silent.requests == 0
    anna.machine.note_devices(bert.user_id, [device])
    assert await reads(bert, await anna.say(room, "two")) == "two"


async def test_relations_stand_outside_the_encryption_too(town: Town) -> None:
    anna, bert = await town.person("anna"), await town.person("bert")
    room = await meet(anna, bert)
    asked = await anna.say(room, "question")
    raw = await as_sent(anna, room, await anna.say(room, "answer", reply_to=asked))
    relation = {"m.in_reply_to": {"event_id": asked}}
    assert raw["content"]["m.relates_to"] == relation
    card = await bert.wait_for(lambda card: card.event_id == raw["event_id"])
    assert card.content["m.relates_to"] == relation
    assert card.verified
