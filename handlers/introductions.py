"""Introductions: two professionals find each other, a third joins, people leave, and the room is emptied."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

from domain.notice import Notice
from handlers.cards import Card, card
from handlers.office import Office
from handlers.words import Line, line
from storage.introductions import Introduction
from storage.people import Person
from storage.signals import Signal

T = TypeVar("T")

GATHER_MS = 4_000
"""How long the card in the room waits for the others to come, so that joins close together make one card."""


def contact_of(person: Person) -> dict[str, str]:
    """What a matched professional learns of another: the machine part."""
    return {
        "user_id": person.user_id,
        "name": person.full_name,
        "organisation": person.organisation.name if person.organisation else "",
        "function": person.function,
        "email": person.email,
        "phone": person.phone,
    }


def contact_line(person: Person) -> Line:
    """The same, to be read."""
    return line("contact", **contact_of(person))


async def meet(office: Office, number: int | None, newcomers: Sequence[Signal]) -> None:
    """The owners of these signals join an introduction, or begin one (None)."""
    uow = office.uow
    if number is None:
        reference = await office.reference("M", uow.introductions.exists)
        number = await uow.introductions.open(reference, uow.today + timedelta(days=office.region.contact_days))
    await uow.introductions.set_close_on(number, None)
    await _take_part(office, number, newcomers)


async def _take_part(office: Office, number: int, newcomers: Sequence[Signal]) -> None:
    uow = office.uow
    room = await uow.rooms.of_introduction(number)
    returned: list[str] = []
    for signal in newcomers:
        await uow.introductions.join(number, signal.owner, signal.id)
        if await uow.rooms.want(room.id, signal.owner) == "join":
            # Still there: left a moment ago, and is back before the door closed.
            returned.append(signal.owner)
    joined = await _introduction(office, number)
    fresh = {signal.owner for signal in newcomers}
    taking_part = [(await _person(office, who.user_id), await _signal(office, who.signal_id)) for who in joined.active]
    for reader, own in taking_part:
        others = [(person, theirs) for person, theirs in taking_part if person != reader]
        # Everybody learns of the newcomers; a newcomer learns of all.
        news = [(person, theirs) for person, theirs in others if {reader.user_id, person.user_id} & fresh]
        for _person_told_of, theirs in news:
            await uow.pairs.disclose(theirs, reader.user_id, "match")
        shown = _notice(
            joined,
            own,
            [person for person, _ in others],
            [person for person, _ in news],
            family=_family(await uow.notices.get(own), own.ref, uow.today),
        )
        await office.tell(reader.user_id, shown)
    for user_id in returned:
        await arrived(office, number, user_id)
    what = "introduction.joined" if len(newcomers) == 1 else "introduction.opened"
    await uow.audit.write("wenk", what, newcomers[0].key)


def _notice(
    joined: Introduction, own: Signal, others: Sequence[Person], news: Sequence[Person], *, family: tuple[Line, ...]
) -> Card:
    is_new_here = len(others) == len(news)
    return card(
        "match.notice",
        line("match.notice" if is_new_here else "match.notice.newcomer", signal=own.ref),
        *(contact_line(person) for person in news),
        *family,
        line("match.call", call_by=joined.call_by),
        line("match.room" if is_new_here else "match.room.same", ref=joined.ref),
        ref=joined.ref,
        signal=own.ref,
        participants=[contact_of(person) for person in others],
        call_by=joined.call_by.isoformat(),
    )


def _family(notice: Notice, ref: str, today: date) -> tuple[Line, ...]:
    """A family is told before others are spoken to about it, unless that was postponed."""
    if not notice.left:
        return ()
    if notice.postponed_until(today) is not None:
        return (line("match.family_later"),)
    return (line("match.tell_family_first", ref=ref),)


async def arrived(office: Office, number: int, user_id: str) -> None:
    """Somebody came into the room of an introduction: the card for those who are there now.

    It waits a moment for the others, and goes at once when all have come.
    """
    uow = office.uow
    joined = await _introduction(office, number)
    newcomer = next((who for who in joined.active if who.user_id == user_id), None)
    if newcomer is None or newcomer.arrived:
        return
    await uow.introductions.mark_arrived(number, user_id)
    room = await uow.rooms.of_introduction(number)
    language = office.region.language
    pending = await uow.outbox.pending_card(room.id, "match.introduction")
    before = await uow.outbox.latest(room.id, "match.introduction")
    if before is not None and pending is None:
        person = await _person(office, user_id)
        await office.post(
            room.id,
            card("match.joined", line("match.joined", name=person.full_name), ref=joined.ref, user_id=user_id),
            language,
        )
    here = {who.user_id for who in joined.active if who.arrived} | {user_id}
    delay_ms = 0 if len(here) == len(joined.active) else GATHER_MS
    people = [await _person(office, who.user_id) for who in joined.active]
    shown = card(
        "match.introduction",
        line("match.introduction"),
        *(contact_line(person) for person in people),
        line("match.introduction.call", call_by=joined.call_by),
        line("match.introduction.rules", days=office.region.close_days),
        ref=joined.ref,
        participants=[contact_of(person) for person in people],
    )
    if pending is not None:
        # A card of its own, not another text in that one, which may be on its way already.
        await uow.outbox.withdraw(pending)
    await office.post(room.id, shown, language, delay_ms=delay_ms)


async def leave(office: Office, signal: Signal, *, at_once: bool) -> None:
    """A signal takes no part in introductions any more; `at_once`: a room in which fewer than two remain closes now."""
    uow = office.uow
    for joined in await uow.introductions.open_ones_of_signals([signal.id]):
        await step_out(office, joined, signal.owner, at_once=at_once)


async def step_out(office: Office, joined: Introduction, user_id: str, *, at_once: bool) -> None:
    """One participant leaves an introduction."""
    uow = office.uow
    room = await uow.rooms.of_introduction(joined.id)
    await uow.introductions.leave(joined.id, user_id)
    await uow.rooms.unwant(room.id, user_id)
    remaining = [who for who in joined.active if who.user_id != user_id]
    person = await _person(office, user_id)
    # Somebody may have waited for whoever leaves now.
    await uow.rematches.want(*(who.signal_id for who in remaining if who.signal_id is not None))
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


async def close(office: Office, joined: Introduction, *, by: str | None = None) -> None:
    """The introduction ends: its room is emptied and left, and who was still in it is told at the desk.

    `by`: whose leaving made it end.
    """
    uow = office.uow
    room = await uow.rooms.of_introduction(joined.id)
    present = [who.user_id for who in joined.active if who.user_id in room.wanted]
    await uow.introductions.close(joined.id)
    await uow.outbox.cancel(room.id)
    await uow.rooms.close(room.id)
    shown = card("match.closed", line("match.closed", ref=joined.ref), ref=joined.ref, user_id=by)
    await office.post(room.id, shown, office.region.language)
    for user_id in present:
        await office.tell(user_id, shown)
    await uow.audit.write("wenk", "introduction.closed")


async def show_own(office: Office, user_id: str) -> Card:
    """Somebody's own introductions, with who takes part."""
    lines: list[Line] = []
    shown: list[dict[str, object]] = []
    for joined in await office.uow.introductions.open_ones_of(user_id):
        own = await _signal(office, next(who.signal_id for who in joined.active if who.user_id == user_id))
        others = [await _person(office, who.user_id) for who in joined.active if who.user_id != user_id]
        lines.append(line("match.list.one", ref=joined.ref, signal=own.ref, call_by=joined.call_by))
        lines.extend(contact_line(person) for person in others)
        participants = [contact_of(person) for person in others]
        shown.append({"ref": joined.ref, "signal": own.ref, "participants": participants})
    return card("match.list", line("match.list" if lines else "match.list.none"), *lines, matches=shown)


async def tell_of_earlier(office: Office, new: Signal, earlier: Sequence[Signal]) -> None:
    """Who was involved before: told once, to the new party only; the others hear nothing."""
    if not earlier:
        return
    uow = office.uow
    until: dict[str, date] = {}
    for signal in earlier:
        await uow.pairs.disclose(signal, new.owner, "earlier")
        until[signal.owner] = max(until.get(signal.owner, date.min), signal.ended_on or signal.active_until)
    people = [await _person(office, user_id) for user_id in until]
    lines = [line("match.earlier.one", contact=contact_line(person), until=until[person.user_id]) for person in people]
    participants = [contact_of(person) | {"until": until[person.user_id].isoformat()} for person in people]
    shown = card(
        "match.earlier",
        line("match.earlier", signal=new.ref),
        *lines,
        line("match.earlier.then"),
        signal=new.ref,
        participants=participants,
    )
    await office.tell(new.owner, shown)
    await uow.audit.write("wenk", "earlier.shown", new.key)


async def _introduction(office: Office, number: int) -> Introduction:
    return _found(await office.uow.introductions.get(number))


async def _person(office: Office, user_id: str) -> Person:
    return _found(await office.uow.people.get(user_id))


async def _signal(office: Office, number: int | None) -> Signal:
    return _found(await office.uow.signals.get(number) if number is not None else None)


def _found(row: T | None) -> T:
    """Foreign keys promise that it is there; if not, the unit of work fails and is reported."""
    if row is None:
        raise LookupError
    return row
