"""What comes late, waits too long, or is damaged: it harms nothing else."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from handlers.office import Message, Office, Proof
from handlers.reception import receive
from handlers.sweep import run_due
from storage.inbox import Said
from storage.schema import notice, outbox, signal
from storage.vault import Unsealable
from tests.storage.house import FATIMA, JOOST, SANNE, House


async def test_a_ja_whose_key_came_late_does_not_confirm_what_was_asked_since(house: House) -> None:
    async with house.storage.unit() as uow:
        await uow.inbox.add(5, "$late", "!desk", FATIMA, Said(kind="undecryptable", raw={}), "session")
    assert (await house.answer(FATIMA, SANNE))["kind"] == "signal.proposed"
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        await uow.inbox.readable("$late", 10_000, Said(kind="text", body="ja", stood_at=5))
        received, _more = await uow.inbox.next("!desk")
        assert received is not None
        assert received.said is not None
        assert (received.position, received.said.stood_at) == (10_000, 5)
        said = Message(event_id="$late", position=5, sender=FATIMA, kind="text", body="ja", proof=Proof.PROVEN)
        await receive(Office(uow, house.region), desk, said)
    cards = await house.deliver()
    assert [card["wenk"]["kind"] for card in cards] == ["signal.proposed"]


async def test_what_nobody_could_read_within_its_hour_is_never_sent(house: House) -> None:
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        message = Message(event_id="$list", position=1, sender=FATIMA, kind="text", body="signalen", proof=Proof.PROVEN)
        await receive(Office(uow, house.region), desk, message)
    await house.pass_time(minutes=61)
    assert "signal.list" not in house.kinds(FATIMA)


async def test_an_erased_child_stands_on_no_card_any_more(house: House) -> None:
    reference = await house.place(FATIMA)
    await house.answer(FATIMA, "signalen")
    listed = house.cards[FATIMA][-1]["event_id"]
    await house.answer(FATIMA, f"intrekken {reference} fout")
    assert listed in house.redacted


async def test_a_damaged_signal_keeps_no_other_from_ending(house: House) -> None:
    damaged, sound = await house.place(FATIMA), await house.place(JOOST, SANNE.replace("Sanne", "Tim"))
    async with house.storage.unit() as uow:
        await uow._session.run(update(signal).where(signal.c.ref == damaged).values(sealed_child=b"broken"))
    house.now = house.now.replace(year=house.now.year + 2)
    with pytest.raises(Unsealable):
        await run_due(house.storage, house.region)
    await house.deliver()
    assert house.last(JOOST, "signal.expired")["ref"] == sound
    async with house.storage.unit() as uow:
        rows = await uow._session.all(outbox.select().where(outbox.c.redact_at.is_not(None)))
    assert not rows, "cards with a child's data are redacted all the same"


async def test_a_damaged_notice_keeps_no_other_family_from_being_asked_about(house: House) -> None:
    """Who has several reads of them on one card, unless one of theirs is damaged: then each by itself."""
    damaged = await house.place(FATIMA)
    others = [
        await house.place(who, SANNE.replace("Sanne", name))
        for who, name in ((JOOST, "Tim"), (JOOST, "Eva"), (FATIMA, "Bo"))
    ]
    async with house.storage.unit() as uow:
        which = select(signal.c.id).where(signal.c.ref == damaged).scalar_subquery()
        await uow._session.run(update(notice).where(notice.c.signal_id == which).values(sealed=b"broken"))
    house.now += timedelta(days=3)
    with pytest.raises(Unsealable):
        await run_due(house.storage, house.region)
    await house.deliver()
    assert house.last(JOOST, "notice.reminder")["refs"] == others[:2]
    assert house.last(FATIMA, "notice.reminder")["ref"] == others[2]


async def test_an_edited_message_is_not_obeyed(house: House) -> None:
    async with house.storage.unit() as uow:
        desk = await uow.rooms.desk(FATIMA)
        edit = Message(
            event_id="$edit", position=1, sender=FATIMA, kind="text", body=SANNE, proof=Proof.PROVEN, replaces=True
        )
        await receive(Office(uow, house.region), desk, edit)
    (answer,) = await house.deliver()
    assert (answer["wenk"]["kind"], answer["wenk"]["re"]) == ("error", "$edit")
    assert "$edit" in house.redacted
