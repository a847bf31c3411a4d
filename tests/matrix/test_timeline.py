"""What an event says, and what it cannot say: read without trusting anything in it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto import Machine, Undecryptable
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.olm import MEGOLM
from bot.timeline import TimelineEvent, read_event
from tests.matrix.people import Town, meet

BOT = "@bot:x"


@pytest.fixture
async def town(synapse: LocalSynapse, tmp_path: Path, new_name: str) -> AsyncIterator[Town]:
    async with Town(synapse, tmp_path, new_name) as town:
        yield town


class Desk:
    """Anna and the bot, who reads what she sends as the server has it."""

    def __init__(self, anna: Person, bot: Person, room: str) -> None:
        self.anna = anna
        self.bot = bot
        self.room = room

    async def raw(self, event_id: str) -> dict[str, Any]:
        path = f"/_matrix/client/v3/rooms/{self.room}/event/{event_id}"
        event: dict[str, Any] = await self.bot.http.request("GET", path)
        return event

    async def read(self, event_id: str) -> TimelineEvent | None:
        """As the bot reads it, once its key has come."""
        await self.bot.wait_for(lambda card: card.event_id == event_id)
        return read_event(self.bot.machine, self.bot.user_id, self.room, await self.raw(event_id))

    async def sent(self, content: dict[str, Any], **options: Any) -> TimelineEvent | None:  # noqa: ANN401 (Person.send's)
        return await self.read(await self.anna.send(self.room, content, **options))


@pytest.fixture
async def desk(town: Town) -> Desk:
    anna, bot = await town.person("anna"), await town.person("bot")
    return Desk(anna, bot, await meet(bot, anna))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine.open(BOT, "DEVICE", tmp_path_factory.mktemp("machine"), b"k" * 32)
    yield machine
    machine.close()


@pytest.mark.parametrize(
    ("content", "kind", "body"),
    [
        ({"msgtype": "m.text", "body": "!help"}, "text", "!help"),
        ({"msgtype": "m.notice", "body": "card"}, "notice", "card"),
        ({"msgtype": "m.image", "body": "photo.jpg"}, "other", "photo.jpg"),
        ({"msgtype": "m.text", "body": 7}, "text", ""),
        ({"body": "no type"}, "other", "no type"),
        ({"msgtype": [], "body": {"a": []}}, "other", ""),
        ({"msgtype": {}, "body": "a", "m.relates_to": {"rel_type": [], "m.in_reply_to": []}}, "other", "a"),
    ],
)
async def test_encrypted_messages(desk: Desk, content: dict[str, Any], kind: str, body: str) -> None:
    event = await desk.sent(content)
    device = desk.anna.machine.device
    assert event
    assert (event.kind, event.body, event.sender) == (kind, body, desk.anna.user_id)
    assert (event.sender_key, event.ed25519, event.forwarded) == (device.curve25519, device.ed25519, False)
    assert event.sent_ms > 1_600_000_000_000
    assert (event.raw, event.session_id, event.transaction_id, event.wenk_id) == (None, None, None, None)


async def test_an_encrypted_event_of_another_kind_is_no_text(desk: Desk) -> None:
    event = await desk.sent({"msgtype": "m.text", "body": "!help"}, kind="org.example.command")
    assert event
    assert event.kind == "other"


async def test_an_unencrypted_message_is_plain(desk: Desk) -> None:
    """FIELD-NOTES 3: it proves nothing, so it must not look like what does."""
    event = await desk.sent({"msgtype": "m.text", "body": "!help"}, encrypted=False)
    assert event
    assert (event.kind, event.body, event.sender_key, event.ed25519) == ("plain", "!help", None, None)


async def test_a_reaction(desk: Desk) -> None:
    said = await desk.anna.say(desk.room, "hallo")
    event = await desk.read(await desk.anna.react(desk.room, said, "✅"))
    assert event
    assert (event.kind, event.body, event.target, event.sender_key) == ("reaction", "✅", said, None)


async def test_a_reply_without_its_quotation(desk: Desk) -> None:
    asked = await desk.bot.say(desk.room, "one\n\ntwo")
    quoting = f"> <{desk.bot.user_id}> one\n> two\n\nja\n\n> nee"
    event = await desk.read(await desk.anna.say(desk.room, quoting, reply_to=asked))
    assert event
    assert (event.body, event.reply_to) == ("ja\n\n> nee", asked)
    event = await desk.read(await desk.anna.say(desk.room, quoting))
    assert event
    assert (event.body, event.reply_to) == (quoting, None)


async def test_an_edit_is_marked(desk: Desk) -> None:
    said = await desk.anna.say(desk.room, "hallo")
    relation = {"rel_type": "m.replace", "event_id": said}
    new = {"msgtype": "m.text", "body": "!help"}
    event = await desk.sent({**new, "m.new_content": new, "m.relates_to": relation})
    assert event
    assert event.replaces


async def test_relations_that_only_the_server_vouches_for_cannot_help_a_message(desk: Desk) -> None:
    """Outside the encryption anybody on the way can write: it may spoil a message, never turn `ja` into an answer."""
    event_id = await desk.anna.say(desk.room, "ja")
    await desk.read(event_id)
    raw = await desk.raw(event_id)
    raw["content"]["m.relates_to"] = {"m.in_reply_to": {"event_id": "$question"}}
    event = read_event(desk.bot.machine, desk.bot.user_id, desk.room, raw)
    assert event
    assert (event.reply_to, event.replaces) == (None, False)
    raw["content"]["m.relates_to"] = {"rel_type": "m.replace", "event_id": "$other"}
    event = read_event(desk.bot.machine, desk.bot.user_id, desk.room, raw)
    assert event
    assert event.replaces


async def test_our_own_cards_are_known_again(desk: Desk) -> None:
    card = {"msgtype": "m.notice", "body": "welcome", "wenk": {"v": 1, "id": "outbox-7"}}
    event = await desk.read(await desk.bot.send(desk.room, card))
    assert event
    assert (event.kind, event.wenk_id, event.sender) == ("own", "outbox-7", desk.bot.user_id)
    assert event.transaction_id is not None


async def test_a_redacted_event_is_nothing(desk: Desk) -> None:
    event_id = await desk.anna.say(desk.room, "hallo")
    await desk.read(event_id)
    await desk.bot.http.request("PUT", f"/_matrix/client/v3/rooms/{desk.room}/redact/{event_id}/1", body={})
    assert read_event(desk.bot.machine, desk.bot.user_id, desk.room, await desk.raw(event_id)) is None


async def test_a_message_under_another_name_keeps_its_true_keys(town: Town, desk: Desk) -> None:
    """FIELD-NOTES 5, 13: the server may put any name on it; the keys are those of the device that wrote it."""
    mallory = await town.person("mallory")
    room = await meet(desk.bot, desk.anna, mallory)
    event_id = await mallory.say(room, "!help")
    await desk.bot.wait_for(lambda card: card.event_id == event_id)
    raw = await desk.bot.http.request("GET", f"/_matrix/client/v3/rooms/{room}/event/{event_id}")
    raw["sender"] = desk.anna.user_id
    raw["content"]["sender_key"] = desk.anna.machine.device.curve25519
    raw["content"]["device_id"] = desk.anna.machine.device.device_id
    event = read_event(desk.bot.machine, desk.bot.user_id, room, raw)
    assert event
    assert event.kind == "text"
    anna, truly = [await desk.bot.identities.of(who.user_id) for who in (desk.anna, mallory)]
    assert anna
    assert anna.device(event.sender_key, event.ed25519) is None
    assert truly
    assert truly.device(event.sender_key, event.ed25519) == mallory.machine.device


async def test_a_repetition_is_refused_also_after_a_restart(town: Town, desk: Desk) -> None:
    """With nio the server could have every command obeyed once more whenever the bot starts anew."""
    event_id = await desk.anna.say(desk.room, "!signaal")
    await desk.read(event_id)
    raw = await desk.raw(event_id)
    repeated = {**raw, "event_id": "$other"}
    with pytest.raises(Undecryptable):
        desk.bot.machine.decrypt(repeated, desk.room)
    again = await town.restarted(desk.bot)
    assert again.decrypt(raw, desk.room).content["body"] == "!signaal"
    with pytest.raises(Undecryptable):
        again.decrypt(repeated, desk.room)


async def test_a_message_that_nests_deeper_than_a_parser_goes_can_never_be_read(desk: Desk) -> None:
    """The server cannot see it: it is one string there."""
    await desk.read(await desk.anna.say(desk.room, "!help"))
    session: Any = desk.anna.machine._olm.outbound_group_sessions[desk.room]
    content = {
        "algorithm": MEGOLM,
        "session_id": session.id,
        "ciphertext": session.encrypt("[" * 20_000 + "]" * 20_000),
    }
    event_id = await desk.anna.send(desk.room, content, kind="m.room.encrypted", encrypted=False)
    event = read_event(desk.bot.machine, desk.bot.user_id, desk.room, await desk.raw(event_id))
    assert event
    assert (event.kind, event.session_id) == ("undecryptable", None), "no key is waited for"


async def test_a_message_belongs_to_its_room(desk: Desk) -> None:
    event_id = await desk.anna.say(desk.room, "!help")
    await desk.read(event_id)
    event = read_event(desk.bot.machine, desk.bot.user_id, "!elsewhere", await desk.raw(event_id))
    assert event
    assert (event.kind, event.body) == ("undecryptable", "")


KEYS = st.sampled_from(
    [
        "algorithm",
        "body",
        "ciphertext",
        "event_id",
        "m.relates_to",
        "msgtype",
        "rel_type",
        "sender_key",
        "session_id",
        "wenk",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | KEYS, inner, max_size=5),
    max_leaves=12,
)


@given(
    kind=st.sampled_from(["m.room.encrypted", "m.room.message", "m.reaction", "m.room.member"]),
    content=st.dictionaries(KEYS, json_values),
    unsigned=json_values,
    sender=st.sampled_from([BOT, "@anna:x"]),
    megolm=st.booleans(),
)
def test_no_event_is_too_strange_to_read(
    machine: Machine, kind: str, content: dict[str, Any], unsigned: object, sender: str, *, megolm: bool
) -> None:
    if megolm:
        content = {**content, "algorithm": "m.megolm.v1.aes-sha2", "session_id": "s", "ciphertext": "AwgA"}
    raw = {"type": kind, "sender": sender, "event_id": "$1", "content": content, "unsigned": unsigned}
    event = read_event(machine, BOT, "!room", raw)
    assert event is None or event.kind in {"plain", "reaction", "undecryptable", "own"}
