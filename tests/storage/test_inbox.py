"""What came in: each event once, in order, and its words gone as soon as it was handled."""

from datetime import timedelta

from sqlalchemy import select

from storage.inbox import Said
from storage.schema import inbox
from tests.storage.archive import OWNER, Archive

ROOM = "!room"
WORDS = Said(kind="text", body="ja")


async def order(archive: Archive, room: str = ROOM) -> list[str]:
    """Handle everything in a room; the event ids in the order in which they came out."""
    handled = []
    async with archive.storage.unit() as uow:
        more = True
        while more:
            received, more = await uow.inbox.next(room)
            if received is not None:
                handled.append(received.event_id)
                assert await uow.inbox.done(received.event_id)
    return handled


async def test_the_same_event_twice_is_one_row(archive: Archive) -> None:
    for position, is_new in ((1, True), (2, False)):
        async with archive.storage.unit() as uow:
            assert await uow.inbox.add(position, "$said", ROOM, OWNER, WORDS) is is_new
    assert await order(archive) == ["$said"]
    async with archive.storage.unit() as uow:
        assert not await uow.inbox.add(3, "$said", ROOM, OWNER, WORDS), "handled, and still known"
    assert await order(archive) == []


async def test_rooms_are_handled_in_order_and_side_by_side(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        for position, event_id, room in ((3, "$3", ROOM), (1, "$1", ROOM), (2, "$2", "!other"), (4, "$4", "!other")):
            await uow.inbox.add(position, event_id, room, OWNER, WORDS)
        assert set(await uow.inbox.rooms_with_work()) == {ROOM, "!other"}
        assert await uow.inbox.backlog() == 4
    assert await order(archive) == ["$1", "$3"]
    async with archive.storage.reading() as uow:
        assert await uow.inbox.rooms_with_work() == ["!other"]
        assert await uow.inbox.backlog() == 2
    assert await order(archive, "!other") == ["$2", "$4"]


async def test_what_was_said_comes_out_as_it_went_in(archive: Archive) -> None:
    said = Said(
        kind="undecryptable", body="hé", reply_to="$card", replaces=True, target="$card", sender_key="curve",
        ed25519="ed", forwarded=True, raw={"content": {"ciphertext": "abc"}},
    )  # fmt: skip
    async with archive.storage.unit() as uow:
        await uow.inbox.add(7, "$said", ROOM, OWNER, said)
        received, _more = await uow.inbox.next(ROOM)
    assert received is not None
    assert (received.position, received.event_id, received.matrix_room, received.sender) == (7, "$said", ROOM, OWNER)
    assert received.said == said
    assert received.received_at == archive.now.timestamp() * 1000


async def test_what_waits_for_its_key_moves_behind_what_was_said_meanwhile(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await uow.inbox.add(1, "$late", ROOM, OWNER, Said(kind="undecryptable"), "session")
        await uow.inbox.add(2, "$later", ROOM, OWNER, Said(kind="undecryptable"), "another")
        await uow.inbox.add(3, "$read", ROOM, OWNER, WORDS)
        assert [one.event_id for one in await uow.inbox.waiting_for(["session", "unknown"])] == ["$late"]
        await uow.inbox.readable("$late", 4, WORDS)
        await uow.inbox.readable("$late", 5, Said(kind="text", body="again"))
        assert await uow.inbox.waiting_for(["session"]) == []
    async with archive.storage.unit() as uow:
        await uow.inbox.add(6, "$last", ROOM, OWNER, WORDS)
    assert await order(archive) == ["$read", "$late", "$last"]


async def test_a_key_that_comes_too_late_changes_nothing(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await uow.inbox.add(1, "$late", ROOM, OWNER, Said(kind="undecryptable"), "session")
        assert await uow.inbox.done("$late")
        await uow.inbox.readable("$late", 2, WORDS)
        assert await uow.inbox.next(ROOM) == (None, False)
        assert not await uow.inbox.done("$late")


async def test_a_key_that_does_not_come_is_noticed(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await uow.inbox.add(1, "$late", ROOM, OWNER, Said(kind="undecryptable"), "session")
        await uow.inbox.add(2, "$read", ROOM, OWNER, WORDS)
    begun = int(archive.now.timestamp() * 1000)
    archive.now += timedelta(hours=1)
    async with archive.storage.reading() as uow:
        assert await uow.inbox.waiting_since(begun - 1) == []
        assert [one.event_id for one in await uow.inbox.waiting_since(begun)] == ["$late"]


async def test_the_words_go_once_they_were_handled(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        await uow.inbox.add(1, "$said", ROOM, OWNER, WORDS)
        await uow.inbox.add(2, "$late", ROOM, OWNER, Said(kind="undecryptable"), "session")
        await uow.inbox.done("$said")
        await uow.inbox.done("$late")
    rows = await archive.raw(select(inbox.c.event_id, inbox.c.sealed, inbox.c.session_id).order_by(inbox.c.position))
    assert [tuple(row) for row in rows] == [("$said", None, None), ("$late", None, None)]


async def test_token_and_events_are_taken_in_together(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        assert await uow.inbox.progress() == (None, 0)
        await uow.inbox.advance("token 1", 10)
    async with archive.storage.unit() as uow:
        await uow.inbox.advance("token 2", 20)
        assert await uow.inbox.progress() == ("token 2", 20)
    async with archive.storage.reading() as uow:
        await uow.inbox.add(21, "$lost", ROOM, OWNER, WORDS)
        await uow.inbox.advance("token 3", 21)
    async with archive.storage.reading() as uow:
        assert await uow.inbox.progress() == ("token 2", 20)
        assert await uow.inbox.next(ROOM) == (None, False)
