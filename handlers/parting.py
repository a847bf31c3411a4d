"""It was not the same child after all: who was introduced wrongly is parted again."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.introducing import Pairing
from handlers.cards import card
from handlers.command import Command, Who
from handlers.leaving import part
from handlers.life import WENK
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
    talk.room_id = await uow.rooms.desk_id(talk.person.user_id)
    said = line("match.notsame", ref=joined.ref, signal=own.ref)
    await talk.answer(card("match.notsame", said, ref=joined.ref, signal=own.ref))
    await part(talk.office, joined, talk.person.user_id)
    await uow.rematches.want(own.id)
    await _alarm(talk.office, joined.ref, talk.person.user_id)


async def together(office: Office, one: Signal, other: Signal) -> Sequence[Introduction]:
    """The open introductions in which both take part."""
    groups = await office.uow.introductions.open_ones_of_signals([one.id])
    return [group for group in groups if other.id in {who.signal_id for who in group.active}]


async def part_two(office: Office, one: Signal, other: Signal, review: str) -> None:
    """A coordinator said that two signals are on two children: whoever was introduced over that is parted.

    Of the two, who is matched with fewer of the others leaves. `review`: its reference, for the alarm.
    """
    uow = office.uow
    groups = await together(office, one, other)
    for joined in groups:
        leaver = await _who_leaves(office, joined, one, other)
        await part(office, joined, leaver.owner)
        said = line("match.notsame.decided", ref=joined.ref, signal=leaver.ref)
        await office.tell(leaver.owner, card("match.notsame", said, ref=joined.ref, signal=leaver.ref))
        await uow.audit.write(WENK, "introduction.other_child", leaver.key)
        await _alarm(office, joined.ref, leaver.owner)
    if not groups and (told := await have_met(office, one, other)) is not None:
        text = line("alarm.other_child.earlier", name=await _name(office, told), ref=review)
        await office.alarm("other_child", text, ref=review, user_id=told)


async def have_met(office: Office, one: Signal, other: Signal) -> str | None:
    """Who was told of the other over these two signals, if no other signal of theirs explains it; None: nobody."""
    for signal, shown in ((one, other), (other, one)):
        if signal.owner in await office.uow.pairs.disclosed_to(shown, "match", "earlier"):
            decided = await office.uow.pairs.decided(shown)
            others = await office.uow.signals.some(number for number, pairing in decided.items() if pairing.matched)
            if not any(each.owner == signal.owner and each.id != signal.id for each in others):
                return signal.owner
    return None


async def _who_leaves(office: Office, joined: Introduction, one: Signal, other: Signal) -> Signal:
    """Who is matched with fewer of the others who take part; the newer signal if there is no difference."""
    numbers = {who.signal_id for who in joined.active if who.signal_id is not None}
    pairings = await office.uow.pairs.among(numbers)

    def matched(signal: Signal) -> int:
        others = numbers - {one.id, other.id}
        pairs = [pairings.get((min(signal.id, number), max(signal.id, number))) for number in others]
        return sum(pairing is not None and pairing.matched for pairing in pairs)

    return min(one, other, key=lambda signal: (matched(signal), -signal.id))


async def _alarm(office: Office, match: str, user_id: str) -> None:
    text = line("alarm.other_child", name=await _name(office, user_id), ref=match)
    await office.alarm("other_child", text, ref=match, user_id=user_id)


async def _name(office: Office, user_id: str) -> str:
    person = await office.uow.people.get(user_id)
    return person.full_name if person is not None else user_id


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
