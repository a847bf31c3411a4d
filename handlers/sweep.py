"""What time does.

Each step asks what is due now, does it in units of work of its own, and may run again at any moment.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from domain.life import due, next_look, plan
from domain.region import Region
from handlers.cards import card
from handlers.introductions import close
from handlers.life import happen
from handlers.office import Message, Office, Proof
from handlers.reception import cannot_open, receive
from handlers.words import line
from storage.database import Storage
from storage.signals import Signal

BATCH = 50
ALL = 1_000_000
KEY_PATIENCE_MS = 30 * 60_000
"""How long a message waits for its key before its sender is asked to repeat it."""
MAIL_KEPT_MS = 90 * 24 * 3_600_000
"""How long the ids of what was sent are kept."""
_HEAD_OF_AUDIT = "audit.head"

Step = Callable[[Office, int], Awaitable[int]]


async def run_due(storage: Storage, region: Region) -> int:
    """Do all that is due; how much it was.

    A step that fails does not keep the others from being done, nor one signal the other signals. The first fault is
    raised in the end: what failed is due still, and is tried again at the next tick.
    """
    done, faults = 0, []
    for step in STEPS:
        try:
            done += await _run(storage, region, step)
        except Exception as fault:  # noqa: BLE001 (raised below)
            faults.append(fault)
            if step is signals:
                done += await _one_by_one(storage, region)
    if faults:
        raise faults[0]
    return done


async def _run(storage: Storage, region: Region, step: Step) -> int:
    done = 0
    while True:
        async with storage.unit() as uow:
            met = await step(Office(uow, region), BATCH)
        done += met
        if met < BATCH:
            return done


async def _one_by_one(storage: Storage, region: Region) -> int:
    """Each signal in a unit of work of its own: one of them is damaged, and the others are due all the same."""
    done = 0
    async with storage.reading() as uow:
        numbers = await uow.signals.numbers_to_look_at(uow.today)
    for number in numbers:
        with suppress(Exception):  # the batch's own fault is raised, and names the part
            async with storage.unit() as uow:
                signal = await uow.signals.get(number)
                if signal is not None:
                    await _look_at(Office(uow, region), signal)
                    done += 1
    return done


async def count_due(storage: Storage, region: Region) -> dict[str, int]:
    """What run_due would do now, as counts; nothing is changed."""
    counts = {}
    for step in STEPS:
        async with storage.rehearsal() as uow:
            counts[step.__name__] = await step(Office(uow, region), ALL)
    return counts


async def signals(office: Office, limit: int) -> int:
    """Signals that end, are erased, or turn out to have nothing due yet."""
    found = await office.uow.signals.to_look_at(office.uow.today, limit)
    for signal in found:
        await _look_at(office, signal)
    return len(found)


async def _look_at(office: Office, signal: Signal) -> None:
    uow = office.uow
    ends = plan(signal.placed_on, signal.child.born, office.region.terms, signal.ended_on)
    event = due(signal.state, ends, uow.today)
    if event is None:
        await uow.signals.look_again(signal, next_look(signal.state, ends, uow.today))
    else:
        await happen(office, signal, event)


async def introductions(office: Office, limit: int) -> int:
    """Introductions whose last day has come."""
    found = await office.uow.introductions.to_close(office.uow.today, limit)
    for joined in found:
        await close(office, joined)
    return len(found)


async def cards(office: Office, limit: int) -> int:
    """Cards with a child's data whose hour is over: sent or not, they are readable no longer."""
    return max(await office.uow.outbox.redact_lapsed(limit), await office.uow.outbox.drop_unsent(limit))


async def questions(office: Office, _limit: int) -> int:
    """Questions whose hour is over."""
    return await office.uow.questions.lapse()


async def lost_keys(office: Office, _limit: int) -> int:
    """Messages whose key did not come: their senders are asked to repeat them."""
    uow = office.uow
    waiting = await uow.inbox.waiting_since(int(uow.now.timestamp() * 1000) - KEY_PATIENCE_MS)
    for received in waiting:
        room = await uow.rooms.by_matrix_id(received.matrix_room)
        if room is None:
            await uow.inbox.done(received.event_id)
            continue
        message = Message(
            event_id=received.event_id, position=received.position, sender=received.sender,
            kind="undecryptable", body="", proof=Proof.PROVEN,
        )  # fmt: skip
        await (receive if received.said else cannot_open)(office, room, message)
    return len(waiting)


async def audit_head(office: Office, _limit: int) -> int:
    """Once a day the head of the audit log goes to the coordinators, so that it cannot be rewritten quietly."""
    if not await office.uow.tasks.claim_today(_HEAD_OF_AUDIT):
        return 0
    head = await office.uow.audit.head()
    shown = card(
        _HEAD_OF_AUDIT, line(_HEAD_OF_AUDIT, seq=head.seq, mac=head.mac.hex()), seq=head.seq, mac=head.mac.hex()
    )
    await office.tell_coordinators(shown)
    return 1


async def old_mail(office: Office, limit: int) -> int:
    """What went out long ago: only the ids were left of it. Those of what came in stay: nothing is obeyed twice."""
    return await office.uow.outbox.forget_before(int(office.uow.now.timestamp() * 1000) - MAIL_KEPT_MS, limit)


STEPS: tuple[Step, ...] = (signals, introductions, cards, questions, lost_keys, audit_head, old_mail)
