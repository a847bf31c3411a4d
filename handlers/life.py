"""What happens to a signal, whoever or whatever makes it happen: one way through domain.life's table."""

from domain.life import Event, State, next_look, next_state, plan
from handlers.cards import card
from handlers.introductions import leave
from handlers.office import Office
from handlers.words import line
from storage.signals import Signal

WENK = "wenk"
"""Who does what time does."""


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
    if follows.tell is not None and by != signal.owner and await _hears(office, signal.owner):
        await office.tell(signal.owner, card(follows.tell, line(follows.tell, ref=signal.ref), ref=signal.ref))
    if follows.to is State.ERASED:
        await uow.signals.erase(signal)
        await uow.outbox.drop_personal((await uow.rooms.desk(signal.owner)).id)
        return None
    ended_on = signal.ended_on
    if follows.to is State.INACTIVE and ended_on is None:
        # A sweep that ran late does not lengthen anything.
        ended_on = min(uow.today, signal.active_until)
    terms = plan(signal.placed_on, signal.child.born, office.region.terms, ended_on)
    return await uow.signals.set_state(signal, follows.to, ended_on, next_look(follows.to, terms, uow.today))


async def _report(office: Office, signal: Signal, event: Event) -> None:
    """Placing, reading and withdrawing would be a search: so who learned something and withdraws is reported.

    To the coordinators, and to each of those whose contact details were shown.
    """
    uow = office.uow
    shown: dict[str, Signal] = {}
    for number in sorted(await uow.pairs.decided(signal)):
        other = await uow.signals.get(number)
        if other is not None and signal.owner in await uow.pairs.disclosed_to(other):
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
        if await _hears(office, user_id):
            told = line("match.mistake", name=name, signal=other.ref)
            await office.tell(user_id, card("match.mistake", told, signal=other.ref, user_id=signal.owner))


async def _hears(office: Office, user_id: str) -> bool:
    """Who is suspended hears nothing of signals until restored."""
    person = await office.uow.people.get(user_id)
    return person is not None and person.professional == "active"
