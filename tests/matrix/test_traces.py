"""What the story leaves behind: rooms as described, and of the child nothing, in no byte of bot and homeserver."""

import re
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from bot.demo.clock import moved
from bot.demo.person import Person
from bot.demo.synapse import LocalSynapse
from bot.http import quote
from tests.matrix.people import meet
from tests.matrix.play import CLIENT, Admin, administrator, playing, refused, unread
from tests.matrix.story import BORN, CHATTER, DOUBTED, GIVEN, KNOWN, MISHEARD, POSTCODE, SURNAME, Story, play_all

pytestmark = pytest.mark.asyncio(loop_scope="module")

YEAR, MONTH, DAY = BORN
SPELLINGS = (
    KNOWN, MISHEARD, *DOUBTED.split("; "),
    *GIVEN.split(), SURNAME, CHATTER, POSTCODE, POSTCODE.replace(" ", ""), POSTCODE.replace(" ", "%20"),
    f"{YEAR}-{MONTH:02}-{DAY}", f"{DAY}-{MONTH:02}-{YEAR}", f"{DAY}-{MONTH}-{YEAR}", f"{DAY}/{MONTH}/{YEAR}",
    f"{DAY}/{MONTH:02}/{YEAR}", f"{DAY}.{MONTH:02}.{YEAR}", f"{YEAR}{MONTH:02}{DAY}", f"{DAY} maart {YEAR}",
    f"{DAY} mrt {YEAR}", f"{DAY} March {YEAR}", f"March {DAY}, {YEAR}", f"{YEAR + 23}-{MONTH:02}-{DAY}",
)  # fmt: skip
"""The child in all spellings, and the one whose name was misheard; the 23rd birthday tells the birth date too."""
SECRET = re.compile(b"|".join(re.escape(word.encode()) for word in SPELLINGS), re.IGNORECASE)
REFERENCE = re.compile(r"\b[SMRCAO]-[0-9A-HJKMNP-TV-Z]{6}\b")
STATE = {
    "m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility",
    "m.room.guest_access", "m.room.encryption", "m.room.name", "m.room.topic", "m.room.canonical_alias",
    "m.room.pinned_events", "nl.wenk.room",
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(synapse: LocalSynapse, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """The whole story; cards with a child's data stay for half an hour."""
    folder = tmp_path_factory.mktemp("traces")
    async with playing(folder, synapse, region={"card_minutes": 30}) as play:
        told = await play_all(play)
        await play.drained()
        yield told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(synapse: LocalSynapse) -> AsyncIterator[Admin]:
    async with administrator(synapse) as everything:
        yield everything


async def test_every_room_is_as_described_and_tells_nothing(story: Story, admin: Admin) -> None:
    rooms = [room["room_id"] for room in await admin.rooms(story.play.bot) if room["joined_members"]]
    assert {seat.desk for seat in story.everybody} | {story.open_room} <= set(rooms)
    for room in rooms:
        state = await admin.state(room)
        assert {event["type"] for event in state} <= STATE
        assert not REFERENCE.search(str(state))
        assert not SECRET.search(str(state).encode())
        content = {event["type"]: event["content"] for event in state if event["state_key"] == ""}
        assert content["m.room.encryption"]["algorithm"] == "m.megolm.v1.aes-sha2"
        assert content["m.room.join_rules"] == {"join_rule": "invite"}
        assert content["m.room.history_visibility"] == {"history_visibility": "joined"}
        assert content["m.room.guest_access"] == {"guest_access": "forbidden"}
        levels = content["m.room.power_levels"]
        assert levels.get("users", {}) == {}
        assert levels["users_default"] == 0
        assert min(levels[what] for what in ("invite", "kick", "ban", "redact", "state_default")) > 0
        assert content["m.room.name"]["name"] in {"Verwijsindex", "Kennismaking"}


@pytest.mark.parametrize("where", ["desk", "introduction"])
async def test_only_the_bot_may_invite_or_change_anything(story: Story, admin: Admin, where: str) -> None:
    fatima, room_id = story.fatima.who, story.fatima.desk if where == "desk" else story.open_room
    assert isinstance(fatima, Person)
    room, lin = f"{CLIENT}/{quote(room_id)}", story.lin.user_id
    for verb in ("invite", "kick", "ban"):
        assert await refused(fatima.http, "POST", f"{room}/{verb}", {"user_id": lin})
        assert await refused(fatima.http, "POST", f"{room}/{verb}", {"user_id": story.play.bot})
    state = {event["type"]: event["content"] for event in await admin.state(room_id) if event["state_key"] == ""}
    del state["m.room.create"]
    state |= {"anything": {}}
    for kind, content in state.items():
        assert await refused(fatima.http, "PUT", f"{room}/state/{kind}", {**content, "by": "fatima"}), kind
    assert await refused(fatima.http, "POST", f"{room}/upgrade", {"new_version": "11"})
    card = next(card for card in fatima.cards if card.room_id == room_id and card.sender == story.play.bot)
    assert await refused(fatima.http, "PUT", f"{room}/redact/{quote(card.event_id)}/once", {})


async def test_invitations_to_other_rooms_are_declined(story: Story) -> None:
    fatima = story.fatima.who
    assert isinstance(fatima, Person)
    room = await meet(fatima)
    await fatima.http.request("POST", f"{CLIENT}/{quote(room)}/invite", body={"user_id": story.play.bot})
    await fatima.until(lambda: fatima.members[room].get(story.play.bot) == "leave")


async def test_the_bot_is_never_heard_in_clear_and_never_unread(story: Story, admin: Admin) -> None:
    people = [seat.who for seat in story.everybody]
    assert not unread(people)  # type: ignore[arg-type]  # all are Persons here
    for who in people:
        assert all(card.encrypted and card.verified for card in who.cards if card.sender == story.play.bot)
    for room in await admin.rooms(story.play.bot):
        said = [event for event in await admin.events(room["room_id"]) if "state_key" not in event]
        assert {event["type"] for event in said} <= {"m.room.encrypted", "m.room.redaction"}


async def test_what_people_said_at_their_desks_is_gone(story: Story, admin: Admin) -> None:
    for seat in story.everybody:
        contents = {event["event_id"]: event["content"] for event in await admin.events(seat.desk)}
        assert seat.said
        assert all(contents[said] == {} for said in seat.said)


async def test_what_professionals_say_to_each_other_is_not_even_counted(story: Story) -> None:
    refusal = await story.joost.ask("!contact", room=story.open_room)
    assert refusal.room_id == story.open_room
    with sqlite3.connect(f"file:{story.play.stage.directory}/data/wenk.db?mode=ro", uri=True) as database:
        stored = {row[0] for row in database.execute("SELECT event_id FROM inbox")}
    database.close()
    assert refusal.wenk["re"] in stored
    assert set(story.fatima.said) <= stored
    assert not stored & set(story.chatter)


async def test_no_byte_of_bot_and_homeserver_holds_the_child(story: Story, synapse: LocalSynapse) -> None:
    stage = story.play.stage
    files = [
        path for path in stage.directory.rglob("*") if path.is_file() and stage.directory / "people" not in path.parents
    ]
    files += [path for path in synapse.directory.rglob("*") if path.is_file()]
    assert {"wenk.db", "bot.log", "session.json", "homeserver.db", "homeserver.log"} <= {path.name for path in files}
    _status, metrics = await story.play.web("metrics")
    searched = {path.name: path.read_bytes() for path in files} | {"metrics": metrics.encode()}
    assert story.fatima.user_id.encode() in searched["homeserver.db"] + searched.get("homeserver.db-wal", b"")
    found = {name: SECRET.search(content) for name, content in searched.items()}
    assert [name for name, match in found.items() if match] == []


async def test_an_emptied_introduction_holds_nothing(story: Story, admin: Admin) -> None:
    events = await admin.events(story.room)
    assert story.chatter[0] in {event["event_id"] for event in events}
    assert all(event["content"] == {} for event in events if event["type"] == "m.room.encrypted")
    assert story.play.bot not in {
        event["state_key"]
        for event in await admin.state(story.room)
        if event["type"] == "m.room.member" and event["content"]["membership"] == "join"
    }


async def test_cards_that_show_a_child_are_emptied_after_their_time(story: Story, admin: Admin) -> None:
    listed = await story.fatima.ask("signalen")
    personal = {card.event_id for card in story.fatima.heard("signal.proposed")} | {listed.event_id}
    lasting = {card.event_id for card in story.fatima.heard("signal.placed")}
    assert not personal & story.fatima.who.redacted
    await story.play.drained()
    await story.play.stage.stop()
    story.play.stage.env |= moved(timedelta(minutes=31))
    await story.play.stage.start()
    await story.fatima.who.until(lambda: personal <= story.fatima.who.redacted)
    assert not lasting & story.fatima.who.redacted
    anna = story.play.anna
    both = {card.event_id for card in anna.heard("review.shown")}
    await anna.who.until(lambda: both <= anna.who.redacted)
    contents = {event["event_id"]: event["content"] for event in await admin.events(story.fatima.desk)}
    assert all(contents[card] == {} for card in personal)
