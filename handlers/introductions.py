"""Introductions: two professionals find each other, and a third joins. How one leaves: handlers.leaving."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import TypeVar

from domain.life import State
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


def silent_line(person: Person) -> Line:
    """Of whoever is silent for an objection: that they are, not why, and no way to reach them."""
    return line("match.silent", name=person.full_name)


async def meet(office: Office, number: int | None, newcomers: Sequence[Signal]) -> None:
    """The owners of these signals join an introduction, or begin one (None)."""
    uow = office.uow
    if number is None:
        reference = await office.reference("M", uow.introductions.exists)
        number = await uow.introductions.open(reference, _call_by(office))
    else:
        await uow.introductions.go_on(number, _call_by(office))
    await _take_part(office, number, newcomers)


def _call_by(office: Office) -> date:
    """Who learn of each other today call each other by then, however old the introduction is."""
    return office.uow.today + timedelta(days=office.region.contact_days)


def _call(office: Office, joined: Introduction) -> Line:
    """By which day to call, or to do so at last: nobody is told a day that has passed."""
    return line("match.call", call_by=joined.call_by) if office.uow.today <= joined.call_by else line("match.call.late")


async def _take_part(office: Office, number: int, newcomers: Sequence[Signal]) -> None:
    uow = office.uow
    room = await uow.rooms.of_introduction(number)
    returned: list[str] = []
    for signal in newcomers:
        await uow.introductions.join(number, signal.owner, signal.id)
        if await uow.rooms.want(room.id, signal.owner) == "join":
            # Still there: left a moment ago, and is back before the door closed.
            returned.append(signal.owner)
    for user_id in returned:
        await arrived(office, number, user_id)
    fresh = {signal.owner for signal in newcomers}
    # Everybody learns of the newcomers; a newcomer learns of all.
    joined = await introduction_of(office, number)
    who_take_part = {who.user_id for who in joined.active}
    await _announce(office, joined, {frozenset({one, other}) for one in fresh for other in who_take_part})
    what = "introduction.joined" if len(newcomers) == 1 else "introduction.opened"
    await uow.audit.write("wenk", what, newcomers[0].key)


async def heard_again(office: Office, signal: Signal) -> None:
    """A signal takes part again that was silent: who came meanwhile and its owner learn of each other now."""
    uow = office.uow
    for joined in await uow.introductions.open_ones_of_signals([signal.id]):
        owners = {who.user_id: await _signal(office, who.signal_id) for who in joined.active}
        known = {who for who, theirs in owners.items() if signal.owner in await uow.pairs.disclosed_to(theirs, "match")}
        if strangers := owners.keys() - known - {signal.owner}:
            await uow.introductions.go_on(joined.id, _call_by(office))
            pairs = {frozenset({signal.owner, who}) for who in strangers}
            await _announce(office, await introduction_of(office, joined.id), pairs)


async def _announce(office: Office, joined: Introduction, news_to_each_other: Collection[frozenset[str]]) -> None:
    """Tell those who take part of each other, where two of them are news to each other.

    Who is silent for an objection is told nothing, and of them only that they are.
    """
    uow = office.uow
    everybody = [(await person_of(office, who.user_id), await _signal(office, who.signal_id)) for who in joined.active]
    there = {who.user_id for who in joined.active if who.arrived}
    heard = [(person, signal) for person, signal in everybody if signal.state is not State.FROZEN]
    silent = [(person, signal) for person, signal in everybody if signal.state is State.FROZEN]
    for reader, own in heard:
        others = [person for person, _ in heard if person != reader]
        news = [
            (each, theirs)
            for each, theirs in heard
            if each != reader and {reader.user_id, each.user_id} in news_to_each_other
        ]
        if not news:
            continue
        for _, theirs in news:
            await uow.pairs.disclose(theirs, reader.user_id, "match")
        hushed = [(each, theirs) for each, theirs in silent if {reader.user_id, each.user_id} in news_to_each_other]
        for _, theirs in hushed:
            await uow.pairs.disclose(theirs, reader.user_id, "silent")
        shown = _notice(
            joined,
            own,
            others,
            [person for person, _ in news],
            [person for person, _ in hushed],
            family=_family(await uow.notices.get(own), own.ref, uow.today),
            is_there=reader.user_id in there,
        )
        await office.tell(reader.user_id, shown)


def _notice(
    joined: Introduction, own: Signal, others: Sequence[Person], news: Sequence[Person], silent: Sequence[Person],
    *, family: tuple[Line, ...], is_there: bool,
) -> Card:  # fmt: skip
    knew_nobody = len(others) == len(news)
    return card(
        "match.notice",
        line("match.notice" if knew_nobody else "match.notice.newcomer", signal=own.ref),
        *(contact_line(person) for person in news),
        *(silent_line(person) for person in silent),
        *family,
        line("match.call", call_by=joined.call_by),
        line("match.room.same" if is_there else "match.room", ref=joined.ref),
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
    joined = await introduction_of(office, number)
    newcomer = next((who for who in joined.active if who.user_id == user_id), None)
    if newcomer is None or newcomer.arrived:
        return
    await uow.introductions.mark_arrived(number, user_id)
    room = await uow.rooms.of_introduction(number)
    language = office.region.language
    pending = await uow.outbox.pending_card(room.id, "match.introduction")
    before = await uow.outbox.latest(room.id, "match.introduction")
    if before is not None and pending is None:
        person = await person_of(office, user_id)
        await office.post(
            room.id,
            card("match.joined", line("match.joined", name=person.full_name), ref=joined.ref, user_id=user_id),
            language,
        )
    if pending is not None:
        # A card of its own, not another text in that one, which may be on its way already.
        await uow.outbox.withdraw(pending)
    here = {who.user_id for who in joined.active if who.arrived} | {user_id}
    await say_who_takes_part(office, joined, room.id, delay_ms=0 if len(here) == len(joined.active) else GATHER_MS)


async def say_who_takes_part(office: Office, joined: Introduction, room_id: str, *, delay_ms: int = 0) -> None:
    """The card in the room that stays in sight: who takes part, and how to go on."""
    people, silent = await by_voice(office, joined)
    shown = card(
        "match.introduction",
        line("match.introduction"),
        *(contact_line(person) for person in people),
        *(silent_line(person) for person in silent),
        _call(office, joined),
        line("match.introduction.rules", days=office.region.close_days),
        ref=joined.ref,
        participants=[contact_of(person) for person in people],
    )
    await office.post(room_id, shown, office.region.language, delay_ms=delay_ms)


async def by_voice(office: Office, joined: Introduction) -> tuple[list[Person], list[Person]]:
    """Who takes part in an introduction: those who are heard, and those who are silent for an objection."""
    heard: list[Person] = []
    silent: list[Person] = []
    for who in joined.active:
        is_silent = (await _signal(office, who.signal_id)).state is State.FROZEN
        (silent if is_silent else heard).append(await person_of(office, who.user_id))
    return heard, silent


async def say_in_rooms(office: Office, signal: Signal, kind: str) -> None:
    """Say of whoever takes part with a signal, in the rooms where they do, what this kind of card says."""
    uow = office.uow
    person = await person_of(office, signal.owner)
    for joined in await uow.introductions.open_ones_of_signals([signal.id]):
        room = await uow.rooms.of_introduction(joined.id)
        shown = card(kind, line(kind, name=person.full_name), ref=joined.ref, user_id=signal.owner)
        await office.post(room.id, shown, office.region.language)


async def show_own(office: Office, user_id: str) -> Card:
    """Somebody's own introductions, with who takes part."""
    lines: list[Line] = []
    shown: list[dict[str, object]] = []
    for joined in await office.uow.introductions.open_ones_of(user_id):
        own = await _signal(office, next(who.signal_id for who in joined.active if who.user_id == user_id))
        heard, silent = await by_voice(office, joined)
        others = [person for person in heard if person.user_id != user_id]
        if own.state is State.FROZEN:
            # Nor do they learn of who came meanwhile, before the objection is decided on.
            others = await _known_before(office, joined, user_id, others)
        lines.append(line("match.list.one", ref=joined.ref, signal=own.ref, call=_call(office, joined)))
        lines.extend(contact_line(person) for person in others)
        lines.extend(silent_line(person) for person in silent if person.user_id != user_id)
        participants = [contact_of(person) for person in others]
        shown.append({"ref": joined.ref, "signal": own.ref, "participants": participants})
    return card("match.list", line("match.list" if lines else "match.list.none"), *lines, matches=shown)


async def _known_before(office: Office, joined: Introduction, reader: str, people: Sequence[Person]) -> list[Person]:
    signals = {who.user_id: await _signal(office, who.signal_id) for who in joined.active}
    told_of = {who for who, theirs in signals.items() if reader in await office.uow.pairs.disclosed_to(theirs, "match")}
    return [person for person in people if person.user_id in told_of]


async def tell_of_earlier(office: Office, new: Signal, earlier: Sequence[Signal]) -> None:
    """Who was involved before: told once, to the new party only; the others hear nothing.

    `earlier`: one signal of each of them.
    """
    if not earlier:
        return
    uow = office.uow
    lines: list[Line] = []
    participants: list[dict[str, str]] = []
    for signal in earlier:
        await uow.pairs.disclose(signal, new.owner, "earlier")
        person, until = await person_of(office, signal.owner), signal.ended_on or signal.active_until
        lines.append(line("match.earlier.one", contact=contact_line(person), until=until))
        participants.append(contact_of(person) | {"until": until.isoformat()})
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


async def introduction_of(office: Office, number: int) -> Introduction:
    """The introduction with this number, as it is now."""
    return _found(await office.uow.introductions.get(number))


async def person_of(office: Office, user_id: str) -> Person:
    """Somebody who takes part."""
    return _found(await office.uow.people.get(user_id))


async def _signal(office: Office, number: int | None) -> Signal:
    return _found(await office.uow.signals.get(number) if number is not None else None)


def _found(row: T | None) -> T:
    """Foreign keys promise that it is there; if not, the unit of work fails and is reported."""
    if row is None:
        raise LookupError
    return row
