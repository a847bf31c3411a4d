"""What is to be said: in order per room, sealed until it is sent, and redacted when its time is up."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from storage.outbox import Letter
from storage.schema import outbox
from storage.unit import UnitOfWork
from tests.storage.archive import OTHER, OWNER, Archive

MINUTE_MS = 60_000


def card(kind: str = "help", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (whatever a card may hold)
    return {"msgtype": "m.notice", "body": kind, "wenk": {"kind": kind, **fields}}


async def sent_in_order(uow: UnitOfWork, room_id: str) -> list[str]:
    """Send everything that is due in a room; the kinds, or what is done, in order."""
    order = []
    while (letter := await uow.outbox.next(room_id)) and letter.not_before <= uow.now.timestamp() * 1000:
        order.append(letter.kind or letter.action)
        await uow.outbox.sent(letter.id, f"${letter.id}", 1)
    return order


async def next_in(uow: UnitOfWork, room_id: str) -> Letter:
    letter = await uow.outbox.next(room_id)
    assert letter is not None
    return letter


async def test_each_room_in_order_and_redactions_last(archive: Archive) -> None:
    desk, other = await archive.desk(), await archive.desk(OTHER)
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "first", card())
        await uow.clearing.redact(desk, "$command")
        await uow.outbox.post(other, "elsewhere", card())
        await uow.outbox.react(desk, "$plain", "🔒")
        await uow.outbox.post(desk, "second", card())
    async with archive.storage.unit() as uow:
        assert await uow.outbox.backlog() == 5
        assert await sent_in_order(uow, desk) == ["first", "reaction", "second", "redaction"]
        assert await uow.outbox.oldest_pending(desk) is None
        assert await uow.outbox.oldest_pending(other) is not None
        assert await sent_in_order(uow, other) == ["elsewhere"]


async def test_what_is_delayed_holds_up_no_other_card(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "delayed", card(), delay_ms=MINUTE_MS)
        await uow.outbox.post(desk, "at once", card())
    async with archive.storage.unit() as uow:
        assert await sent_in_order(uow, desk) == ["at once"]
        waiting = await next_in(uow, desk)
        assert waiting.not_before == int(archive.now.timestamp() * 1000) + MINUTE_MS
    archive.now += timedelta(minutes=1)
    async with archive.storage.unit() as uow:
        assert await sent_in_order(uow, desk) == ["delayed"]


async def test_without_readers_only_what_nobody_has_to_read_goes_out(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "help", card())
        assert await uow.outbox.next(desk, cards=False) is None
        await uow.outbox.react(desk, "$plain", "🔒")
        await uow.outbox.pin(desk, "$before")
        seen = []
        while letter := await uow.outbox.next(desk, cards=False):
            seen.append((letter.action, letter.target, letter.content))
            await uow.outbox.sent(letter.id, None)
    assert seen == [("reaction", "$plain", {"key": "🔒"}), ("pin", "$before", None)]


async def test_a_letter_survives_a_restart_with_the_same_transaction_id(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        identity = await uow.outbox.post(desk, "help", card(ref="S-000001"))
    again = await archive.open_another()
    async with again.reading() as uow:
        letter = await next_in(uow, desk)
    await again.close()
    assert letter.id == identity
    assert letter.content == card(ref="S-000001") | {
        "wenk": {"v": 1, "id": identity, "kind": "help", "ref": "S-000001"}
    }


async def test_ids_are_random(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        ids = {await uow.outbox.post(desk, "help", card()) for _ in range(5)}
    assert len(ids) == 5
    assert {len(identity) for identity in ids} == {24}


@pytest.mark.parametrize("how", ["sent", "not to be had", "cancelled"])
async def test_the_content_goes_once_it_is_sent_or_given_up(archive: Archive, how: str) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "help", card())
        await uow.outbox.react(desk, "$plain", "🔒")
    async with archive.storage.unit() as uow:
        if how == "cancelled":
            await uow.outbox.cancel(desk)
        else:
            while letter := await uow.outbox.next(desk):
                await uow.outbox.sent(letter.id, "$sent" if how == "sent" else None)
        assert await uow.outbox.next(desk) is None
        assert await uow.outbox.backlog() == 0
    rows = await archive.raw(select(outbox.c.sealed))
    assert [row.sealed for row in rows] == [None, None]


async def test_a_card_that_waits_can_be_taken_back(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        identity = await uow.outbox.post(desk, "match.joined", card("match.joined"), delay_ms=1)
        assert await uow.outbox.pending_card(desk, "match.joined") == identity
        await uow.outbox.withdraw(identity)
        assert await uow.outbox.next(desk) is None
        assert await uow.outbox.latest(desk, "match.joined") is None
    assert [row.sealed for row in await archive.raw(select(outbox.c.sealed))] == [None]


async def test_a_child_s_data_does_not_wait_for_ever_to_be_sent(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "signal.list", card("signal.list"), lifetime_ms=MINUTE_MS)
        lasting = await uow.outbox.post(desk, "signal.placed", card("signal.placed"))
        assert await uow.clearing.drop_unsent(10) == 0
    archive.now += timedelta(minutes=1)
    async with archive.storage.unit() as uow:
        assert await uow.clearing.drop_unsent(10) == 1
        assert (await next_in(uow, desk)).id == lasting


async def test_where_a_card_stands_is_known_once_it_was_seen(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        identity = await uow.outbox.post(desk, "help", card())
        assert await uow.outbox.place(identity) == (None, None)
        await uow.outbox.sent(identity, "$card", 2)
        assert await uow.outbox.place(identity) == (None, "$card")
        await uow.outbox.seen(7, "$card", None)
        await uow.outbox.seen(9, "$card", identity)
        assert await uow.outbox.place(identity) == (7, "$card"), "where it was seen first"
        assert await uow.outbox.card_at("$card") == identity
        assert await uow.outbox.card_at("$another") is None
        assert await uow.outbox.latest(desk, "help") == ("$card", 2)
        assert await uow.outbox.latest(desk, "welcome") is None
        assert await uow.outbox.place("unknown") == (None, None)


async def test_what_is_seen_was_sent_and_is_not_sent_again(archive: Archive) -> None:
    """The process was killed before it could write down that it was sent, or the answer was lost."""
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        identity = await uow.outbox.post(desk, "signal.placed", card(), lifetime_ms=MINUTE_MS)
        assert (await next_in(uow, desk)).event_id is None
        await uow.outbox.seen(7, "$card", identity)
        assert await uow.outbox.place(identity) == (7, "$card")
        assert (await next_in(uow, desk)).event_id == "$card", "whoever sends learns that it stands there"
        await uow.outbox.withdraw(identity)
        assert await uow.outbox.next(desk) is None
        assert await uow.outbox.latest(desk, "signal.placed") == ("$card", None)
        sealed = select(outbox.c.sealed).where(outbox.c.id == identity)
        assert await uow.outbox._s.value(sealed) is None
    archive.now += timedelta(minutes=1)
    assert await lapse(archive) == 1, "it is emptied when its time is up"


async def test_the_answer_may_come_after_the_card_was_seen(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        identity = await uow.outbox.post(desk, "help", card())
        await uow.outbox.seen(7, "$card", identity)
        await uow.outbox.sent(identity, "$card", 2)
        assert await uow.outbox.place(identity) == (7, "$card")
        assert await uow.outbox.latest(desk, "help") == ("$card", 2)


async def test_what_was_given_up_and_stands_there_all_the_same_is_emptied(archive: Archive) -> None:
    """A child's data does not stay because nobody knew that it had been sent."""
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        identity = await uow.outbox.post(desk, "signal.placed", card(), lifetime_ms=MINUTE_MS)
    archive.now += timedelta(minutes=1)
    async with archive.storage.unit() as uow:
        assert await uow.clearing.drop_unsent(10) == 1
        await uow.outbox.seen(7, "$card", identity)
    assert await lapse(archive) == 1, "at once: its time was up before it was seen"


async def lapse(archive: Archive, limit: int = 10) -> int:
    async with archive.storage.unit() as uow:
        return await uow.clearing.redact_lapsed(limit)


async def test_a_card_about_a_child_is_redacted_when_its_time_is_up(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "signal.proposed", card(), lifetime_ms=60 * MINUTE_MS)
        await uow.outbox.post(desk, "help", card())
    archive.now += timedelta(hours=5)
    assert await lapse(archive) == 0, "the time counts from when it was sent"
    async with archive.storage.unit() as uow:
        assert await sent_in_order(uow, desk) == ["signal.proposed", "help"]
        personal = (await archive.raw(select(outbox.c.id).where(outbox.c.kind == "signal.proposed")))[0].id
    archive.now += timedelta(minutes=60) - timedelta(milliseconds=1)
    assert await lapse(archive) == 0
    archive.now += timedelta(milliseconds=1)
    assert await lapse(archive) == 1
    assert await lapse(archive) == 0, "once is enough"
    async with archive.storage.unit() as uow:
        letter = await next_in(uow, desk)
        assert (letter.action, letter.target) == ("redaction", f"${personal}")
        assert await sent_in_order(uow, desk) == ["redaction"]


async def test_many_lapsed_cards_are_taken_in_portions_the_oldest_first(archive: Archive) -> None:
    desk = await archive.desk()
    for at in range(3):
        async with archive.storage.unit() as uow:
            identity = await uow.outbox.post(desk, "signal.list", card(), lifetime_ms=1)
            await uow.outbox.sent(identity, f"$card {at}")
        archive.now += timedelta(seconds=1)
    assert [await lapse(archive, 2), await lapse(archive, 2), await lapse(archive, 2)] == [2, 1, 0]
    async with archive.storage.unit() as uow:
        targets = []
        while letter := await uow.outbox.next(desk):
            targets.append(letter.target)
            await uow.outbox.sent(letter.id, None)
    assert targets == ["$card 0", "$card 1", "$card 2"]


async def test_a_card_that_never_came_to_be_needs_no_redaction(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        await uow.outbox.sent(await uow.outbox.post(desk, "signal.list", card(), lifetime_ms=1), None)
    archive.now += timedelta(seconds=1)
    assert await lapse(archive) == 1
    async with archive.storage.reading() as uow:
        assert await uow.outbox.oldest_pending(desk) is None


async def test_old_letters_are_forgotten_but_nothing_that_is_still_needed(archive: Archive) -> None:
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        for kind, lifetime in (("help", None), ("welcome", None), ("signal.list", MINUTE_MS)):
            identity = await uow.outbox.post(desk, kind, card(kind), lifetime_ms=lifetime)
            await uow.outbox.sent(identity, f"${kind}")
        await uow.outbox.post(desk, "pending", card())
        moment = uow._session.now_ms
        assert await uow.clearing.forget_before(moment - 1, 10) == 0
        assert await uow.clearing.forget_before(moment, 10) == 1
        assert await uow.outbox.latest(desk, "help") is None
        assert await uow.outbox.latest(desk, "welcome") is not None
        assert await uow.outbox.pending_card(desk, "pending") is not None
    archive.now += timedelta(minutes=1)
    assert await lapse(archive) == 1, "what is to be redacted was not forgotten"


async def test_letters_wake_their_room(archive: Archive) -> None:
    desk = await archive.desk()
    woken: list[frozenset[str]] = []
    archive.storage.wake = woken.append
    async with archive.storage.unit() as uow:
        await uow.outbox.post(desk, "help", card())
    async with archive.storage.unit() as uow:
        await uow.people.get(OWNER)
    assert woken == [frozenset({desk}), frozenset()]
