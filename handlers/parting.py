"""It was not the same child after all: who was introduced wrongly is parted again."""

from collections.abc import Mapping
from typing import Any

from domain.introducing import Pairing
from handlers.cards import card
from handlers.command import Command, Who
from handlers.introductions import part
from handlers.office import Office, Talk
from handlers.words import line
from storage.introductions import Introduction
from storage.reviews import Answer
from storage.signals import Signal


async def not_same(talk: Talk, _given: Mapping[str, Any]) -> None:
    """Somebody in an introduction says that theirs is another child than that of all the others who take part."""
    uow = talk.uow
    joined = await _introduction_in(talk)
    numbers = {who.user_id: who.signal_id for who in joined.active if who.signal_id is not None}
    signals = {signal.owner: signal for signal in await uow.signals.some(numbers.values())}
    own = signals.pop(talk.person.user_id)
    for other in signals.values():
        await _remember(talk.office, own, other)
    await uow.audit.write(talk.person.user_id, "introduction.other_child", own.key)
    # They leave the room, which is emptied: only at the desk can the answer be read.
    talk.room_id = (await uow.rooms.desk(talk.person.user_id)).id
    said = line("match.notsame", ref=joined.ref, signal=own.ref)
    await talk.answer(card("match.notsame", said, ref=joined.ref, signal=own.ref))
    await part(talk.office, joined, talk.person.user_id)
    await uow.rematches.want(own.id)
    text = line("alarm.other_child", name=talk.person.full_name, ref=joined.ref)
    await talk.office.alarm("other_child", text, ref=joined.ref, user_id=talk.person.user_id)


async def _introduction_in(talk: Talk) -> Introduction:
    room = await talk.uow.rooms.get(talk.room_id)
    number = room.introduction_id if room is not None else None
    joined = await talk.uow.introductions.get(number) if number is not None else None
    if joined is None:
        raise LookupError
    return joined


async def _remember(office: Office, one: Signal, other: Signal) -> None:
    """Two children, also where that is just being asked: who is in it has the word."""
    await office.uow.pairs.decide(one, other, Pairing.REFUSED)
    review = await office.uow.reviews.between(one, other)
    if review is not None:
        await office.uow.reviews.decide(review, Answer.NO)


COMMANDS = (
    Command(
        name="notsame",
        words={"nl": ("anderkind",), "en": ("notsame",)},
        who=Who.PARTICIPANT,
        act=not_same,
    ),
)
