"""What happens to a signal, whoever or whatever makes it happen: one way through domain.life's table."""

from collections.abc import Sequence

from domain.life import Event, Plan, State, Transition, due, next_look, next_state, outlived, plan, to_remind
from handlers.cards import card
from handlers.introductions import say_in_rooms
from handlers.leaving import leave
from handlers.office import Office
from handlers.words import line
from storage.pairs import SHOWN
from storage.signals import Signal

WENK = "wenk"
"""Who does what time does."""
FAMILY = "family"
"""Where a desk remembers, for an hour, the surname and address of the child signalled last."""

_OF_ITS_OWN = {
    Event.UPHELD: "signal.erased.upheld",
    Event.ERASED_ALONG: "signal.erased.along",
    Event.RESUMED_ENDED: "signal.expired.resumed",
}
"""Where a card of that kind says something else after this event."""


def text_of(follows: Transition) -> str | None:
    """The name of the text of the owner's card."""
    return _OF_ITS_OWN.get(follows.event, follows.owner)


async def happen(office: Office, signal: Signal, event: Event, *, by: str = WENK) -> Signal | None:
    """Make an event happen to a signal; the signal as it is then, None once erased. Raises NotPossible.

    `by` is the user id of who did it; somebody who did it is told in the answer, not by a card of its own. What is
    wrong takes along what it was renewed from.
    """
    uow = office.uow
    follows = next_state(signal.state, event)
    before = await renewed_from(office, signal) if follows.takes_along else ()
    if follows.alarm is not None:
        await _report(office, signal, follows, follows.alarm)
    for each in before:
        await happen(office, each, Event.ERASED_ALONG, by=by)
    if follows.leaves:
        await leave(office, signal, at_once=follows.empties)
        # Also who was not introduced to its owner: they may have waited, or may be shown now who was involved before.
        await uow.rematches.want_compared(signal)
    elif follows.room is not None:
        await say_in_rooms(office, signal, follows.room)
    await uow.audit.write(by, f"signal.{event}", signal.key)
    text = text_of(follows)
    if follows.owner and text and by != signal.owner and await hears(office, signal.owner):
        await office.tell(signal.owner, card(follows.owner, line(text, ref=signal.ref), ref=signal.ref))
    if follows.to is State.ERASED:
        await take_back_shown(office, signal)
        await uow.signals.erase(signal)
        # It may be of a brother or sister; then their surname and address are typed once more.
        await uow.questions.drop(signal.owner, FAMILY)
        await uow.clearing.drop_personal(await uow.rooms.desk_id(signal.owner))
        return None
    ended_on = signal.ended_on
    if follows.to is State.INACTIVE and ended_on is None:
        # A sweep that ran late does not lengthen anything.
        ended_on = min(uow.today, signal.active_until)
    ahead = plan(signal.placed_on, signal.child.born, office.region.terms, ended_on)
    look_on = next_look(follows.to, ahead, uow.today, reminded=signal.reminded)
    return await uow.signals.set_state(signal, follows.to, ended_on, look_on)


async def renewed_from(office: Office, signal: Signal) -> Sequence[Signal]:
    """What is left of the signals that it renewed, one after the other, the oldest first."""
    chain = await office.uow.signals.chain_of(signal)
    return await all_caught_up(office, [each for each in chain if each.id < signal.id])


def ahead_of(office: Office, signal: Signal) -> Plan:
    """The days that lie ahead of a signal, by the region's terms."""
    return plan(signal.placed_on, signal.child.born, office.region.terms, signal.ended_on)


async def take_back_shown(office: Office, signal: Signal) -> None:
    """What coordinators see of it is emptied: who has to decide whether it is one child was shown whose it is."""
    uow = office.uow
    for coordinator in await uow.people.coordinators():
        await uow.clearing.drop_personal(await uow.rooms.desk_id(coordinator.user_id), signal.id)


async def catch_up(office: Office, signal: Signal) -> Signal | None:
    """Have what is due of a signal done before anything is decided about it; what is left of it, None once erased.

    A sweep comes by every minute, and may be late: nobody is to be refused or introduced, nor to miss an introduction,
    over a signal that should have ended by now.
    """
    event = due(signal.state, ahead_of(office, signal), office.uow.today)
    return signal if event is None else await happen(office, signal, event)


async def all_caught_up(office: Office, signals: Sequence[Signal]) -> list[Signal]:
    """The same for several; those that are left."""
    caught_up = [await catch_up(office, signal) for signal in signals]
    return [signal for signal in caught_up if signal is not None]


async def look_at(office: Office, signal: Signal) -> Signal | None:
    """What a sweep does with a signal: what is due, or else its reminder, or else say when to look again."""
    uow = office.uow
    left = await catch_up(office, signal)
    if left is signal and not await remind(office, signal):
        ahead = ahead_of(office, signal)
        await uow.signals.look_again(signal, next_look(signal.state, ahead, uow.today, reminded=signal.reminded))
    return left


async def remind(office: Office, signal: Signal) -> bool:
    """Ask, once for each signal, whether to renew it or let it go, if it is time and its owner hears; whether it was.

    Who is suspended is asked when restored, who is silent for an objection when that is rejected, if it has not ended.
    """
    uow = office.uow
    ahead = ahead_of(office, signal)
    if signal.reminded or not to_remind(signal.state, ahead, uow.today) or not await hears(office, signal.owner):
        return False
    await uow.signals.remind(signal, next_look(signal.state, ahead, uow.today, reminded=True))
    await uow.audit.write(WENK, "signal.reminded", signal.key)
    if not outlived(ahead):
        until = signal.active_until
        text = line("signal.expiring", ref=signal.ref, active_until=until)
        await office.tell(signal.owner, card("signal.expiring", text, ref=signal.ref, active_until=until.isoformat()))
    return True


async def _report(office: Office, signal: Signal, follows: Transition, alarm: str) -> None:
    """Placing, reading and withdrawing would be a search: so who learned something and withdraws is reported.

    To the coordinators, and where the table says so to each of those of whom something was shown. What its owner was
    shown for a signal that it renewed was passed on to it.
    """
    uow = office.uow
    shown: dict[str, Signal] = {}
    learned = await uow.pairs.shown_to(signal.owner, signal, *SHOWN, "silent")
    for other in await all_caught_up(office, await uow.signals.some(learned)):
        shown[other.owner] = other
    if not shown:
        return
    owner = await uow.people.get(signal.owner)
    name = owner.full_name if owner else signal.owner
    text = f"alarm.{alarm}"
    await office.alarm(alarm, line(text, name=name, ref=signal.ref), user_id=signal.owner)
    if follows.shown is None:
        return
    for user_id, other in shown.items():
        if other.state is not State.FROZEN and await hears(office, user_id):
            told = line(follows.shown, name=name, signal=other.ref)
            await office.tell(user_id, card(follows.shown, told, signal=other.ref, user_id=signal.owner))


async def hears(office: Office, user_id: str) -> bool:
    """Who is suspended hears nothing of signals until restored."""
    person = await office.uow.people.get(user_id)
    return person is not None and person.professional == "active"
