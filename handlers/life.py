"""What happens to a signal, whoever or whatever makes it happen: one way through domain.life's table."""

from collections.abc import Sequence

from domain.life import Event, State, due, next_look, next_state, plan
from handlers.cards import card
from handlers.introductions import leave
from handlers.office import Office
from handlers.words import line
from storage.signals import Signal

WENK = "wenk"
"""Who does what time does."""
FAMILY = "family"
"""Where a desk remembers, for an hour, the surname and address of the child signalled last."""


async def happen(office: Office, signal: Signal, event: Event, *, by: str = WENK) -> Signal | None:
    """Make an event happen to a signal; the signal as it is then, None once erased. Raises NotPossible.

    `by` is the user id of who did it; somebody who did it is told in the answer, not by a card of its own.
    """
    uow = office.uow
    follows = next_state(signal.state, event)
    if event in {Event.MISTAKE, Event.DECEASED}:
        await _report(office, signal, event)
    if follows.leaves:
        await leave(office, signal, at_once=follows.empties)
    await uow.audit.write(by, f"signal.{event}", signal.key)
    if follows.tell is not None and by != signal.owner and await hears(office, signal.owner):
        await office.tell(signal.owner, card(follows.tell, line(follows.tell, ref=signal.ref), ref=signal.ref))
    if follows.to is State.ERASED:
        if await uow.reviews.of_signal(signal):
            # Who decided whether it is one child has seen whose it is.
            for coordinator in await uow.people.coordinators():
                await uow.outbox.drop_personal((await uow.rooms.desk(coordinator.user_id)).id)
        await uow.signals.erase(signal)
        # It may be of a brother or sister; then their surname and address are typed once more.
        await uow.questions.drop(signal.owner, FAMILY)
        await uow.outbox.drop_personal((await uow.rooms.desk(signal.owner)).id)
        return None
    ended_on = signal.ended_on
    if follows.to is State.INACTIVE and ended_on is None:
        # A sweep that ran late does not lengthen anything.
        ended_on = min(uow.today, signal.active_until)
    terms = plan(signal.placed_on, signal.child.born, office.region.terms, ended_on)
    return await uow.signals.set_state(signal, follows.to, ended_on, next_look(follows.to, terms, uow.today))


async def catch_up(office: Office, signal: Signal) -> Signal | None:
    """Have what is due of a signal done before anything is decided about it; what is left of it, None once erased.

    A sweep comes by every minute, and may be late: nobody is to be refused or introduced, nor to miss an introduction,
    over a signal that should have ended by now.
    """
    ahead = plan(signal.placed_on, signal.child.born, office.region.terms, signal.ended_on)
    event = due(signal.state, ahead, office.uow.today)
    return signal if event is None else await happen(office, signal, event)


async def all_caught_up(office: Office, signals: Sequence[Signal]) -> list[Signal]:
    """The same for several; those that are left."""
    caught_up = [await catch_up(office, signal) for signal in signals]
    return [signal for signal in caught_up if signal is not None]


async def _report(office: Office, signal: Signal, event: Event) -> None:
    """Placing, reading and withdrawing would be a search: so who learned something and withdraws is reported.

    To the coordinators, and to each of those whose contact details were shown.
    """
    uow = office.uow
    shown: dict[str, Signal] = {}
    paired = [await uow.signals.get(number) for number in sorted(await uow.pairs.decided(signal))]
    for other in await all_caught_up(office, [each for each in paired if each is not None]):
        if signal.owner in await uow.pairs.disclosed_to(other, "match", "earlier"):
            shown[other.owner] = other
    if not shown:
        return
    owner = await uow.people.get(signal.owner)
    name = owner.full_name if owner else signal.owner
    is_mistake = event is Event.MISTAKE
    text = line(
        "alarm.mistake_after_disclosure" if is_mistake else "alarm.deceased_after_disclosure", name=name, ref=signal.ref
    )
    await office.alarm(f"{event}_after_disclosure", text, user_id=signal.owner)
    if not is_mistake:
        # Of a death others hear from people, not from Wenk.
        return
    for user_id, other in shown.items():
        if await hears(office, user_id):
            told = line("match.mistake", name=name, signal=other.ref)
            await office.tell(user_id, card("match.mistake", told, signal=other.ref, user_id=signal.owner))


async def hears(office: Office, user_id: str) -> bool:
    """Who is suspended hears nothing of signals until restored."""
    person = await office.uow.people.get(user_id)
    return person is not None and person.professional == "active"
