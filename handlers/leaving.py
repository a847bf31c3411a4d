"""Leaving an introduction: people step out or are parted, and the room is emptied, or closes."""

from collections.abc import Sequence
from datetime import timedelta

from handlers.cards import card
from handlers.introductions import by_voice, introduction_of, person_of, say_who_takes_part
from handlers.office import Office
from handlers.words import Line, line
from storage.introductions import Introduction, Participation
from storage.rooms import Room
from storage.signals import Signal


async def leave(office: Office, signal: Signal, *, at_once: bool) -> None:
    """A signal takes no part in introductions any more; `at_once`: a room in which fewer than two remain closes now."""
    uow = office.uow
    for joined in await uow.introductions.open_ones_of_signals([signal.id]):
        await step_out(office, joined, signal.owner, at_once=at_once)


async def step_out(office: Office, joined: Introduction, user_id: str, *, at_once: bool) -> None:
    """One participant leaves an introduction."""
    uow = office.uow
    room, remaining = await _take_out(office, joined, user_id)
    person = await person_of(office, user_id)
    if len(remaining) > 1:
        closes: tuple[Line, ...] = ()
    elif at_once:
        await close(office, joined, by=user_id)
        return
    else:
        # The last one to leave does not lengthen what began when the last but one left.
        last_day = joined.close_on or uow.today + timedelta(days=office.region.close_days)
        await uow.introductions.set_close_on(joined.id, last_day)
        closes = (line("match.left.closes", day=last_day),)
    await office.post(
        room.id,
        card("match.left", line("match.left", name=person.full_name), *closes, ref=joined.ref, user_id=user_id),
        office.region.language,
    )


async def part(office: Office, joined: Introduction, user_id: str) -> None:
    """One participant turns out to be involved with another child: they leave, and what was written is emptied.

    It closes when fewer than two remain. Those who do are told why in the room, where it was emptied, or at the desk.
    """
    uow = office.uow
    room, remaining = await _take_out(office, joined, user_id)
    person = await person_of(office, user_id)
    if len(remaining) < 2:  # noqa: PLR2004 (nobody meets alone)
        await close(office, joined, by=user_id, why=(line("match.left.other_child", name=person.full_name),))
        return
    # First: of what is said from here on nothing is emptied.
    await uow.clearing.empty(room.id)
    await uow.rooms.empty(room.id)
    left = card(
        "match.left",
        line("match.left.other_child", name=person.full_name),
        line("match.left.emptied"),
        ref=joined.ref,
        user_id=user_id,
    )
    await office.post(room.id, left, office.region.language)
    if any(who.arrived for who in remaining):
        await say_who_takes_part(office, await introduction_of(office, joined.id), room.id)


async def _take_out(office: Office, joined: Introduction, user_id: str) -> tuple[Room, Sequence[Participation]]:
    """One participant takes no part any more; the room, and who remains."""
    uow = office.uow
    room = await uow.rooms.of_introduction(joined.id)
    await uow.introductions.leave(joined.id, user_id)
    await uow.rooms.unwant(room.id, user_id)
    remaining = [who for who in joined.active if who.user_id != user_id]
    # Somebody may have waited for whoever leaves now.
    await uow.rematches.want(*(who.signal_id for who in remaining if who.signal_id is not None))
    return room, remaining


async def close(office: Office, joined: Introduction, *, by: str | None = None, why: Sequence[Line] = ()) -> None:
    """The introduction ends: its room is emptied and left, and who was still in it is told at the desk.

    `by`: whose leaving made it end.
    """
    uow = office.uow
    room = await uow.rooms.of_introduction(joined.id)
    heard, _silent = await by_voice(office, joined)
    present = [person.user_id for person in heard if person.user_id in room.wanted]
    await uow.introductions.close(joined.id)
    await uow.outbox.cancel(room.id)
    await uow.rooms.close(room.id)
    shown = card("match.closed", *why, line("match.closed", ref=joined.ref), ref=joined.ref, user_id=by)
    await office.post(room.id, shown, office.region.language)
    for user_id in present:
        await office.tell(user_id, shown)
    await uow.audit.write("wenk", "introduction.closed")
