"""What time does.

Each step (`handlers.steps`) asks what is due now, does it in units of work of its own, and may run again at any moment.
"""

from collections.abc import Sequence
from dataclasses import asdict

from domain.region import Region
from handlers.approvals import lapse
from handlers.cards import card
from handlers.doubts import look_closer
from handlers.leaving import close
from handlers.life import look_at
from handlers.notice import remind, remind_of
from handlers.office import Message, Office, Proof
from handlers.reception import cannot_open, receive
from handlers.reviews import repeat
from handlers.steps import Apart, Step, run, run_all
from handlers.words import line
from storage.database import Storage
from storage.inbox import Received
from storage.signals import Signal
from storage.unit import UnitOfWork

_ALL = 1_000_000
KEY_PATIENCE_MS = 30 * 60_000
"""How long a message waits for its key before its sender is asked to repeat it."""
MAIL_KEPT_MS = 90 * 24 * 3_600_000
"""How long the ids of what was sent are kept."""
_HEAD_OF_AUDIT = "audit.head"


async def run_due(storage: Storage, region: Region) -> int:
    """Do all that is due; how much it was. Raises the first fault, once all else is done."""
    return await run_all(storage, region, STEPS)


async def run_rematches(storage: Storage, region: Region) -> int:
    """Only those, which cannot wait for the next minute; how many. Nobody is kept waiting if there are none."""
    async with storage.reading() as uow:
        waiting = await uow.rematches.count()
    return await run(storage, region, _REMATCHES) if waiting else 0


async def count_due(storage: Storage) -> dict[str, int]:
    """What would be done now, as counts: read beside a bot that runs, which waits for nothing.

    All but the last three by run_due; those by `handlers.rotation`, beside everything else.
    """
    async with storage.reading() as uow:
        due = {step.name: await step.count(uow) for step in STEPS}
        return due | asdict(await uow.rotation.left())


async def signals(office: Office, limit: int) -> int:
    """Signals that end, are erased, are about to end, or turn out to have nothing due yet."""
    found = await office.uow.signals.to_look_at(office.uow.today, limit)
    await _read_ahead(office.uow, found)
    for signal in found:
        await look_at(office, signal)
    return len(found)


async def _read_ahead(uow: UnitOfWork, found: Sequence[Signal]) -> None:
    """Ask once for all what would be asked again for each of them."""
    if not found:
        return
    owners = {signal.owner for signal in found}
    await uow.people.look_up(owners)
    await uow.rooms.look_up_desks(owners)
    await uow.introductions.look_up([signal.id for signal in found])


async def _look_at_some(office: Office, numbers: Sequence[int]) -> None:
    for signal in await office.uow.signals.some(numbers):
        await look_at(office, signal)


async def rematches(office: Office, limit: int) -> int:
    """Signals whose matches changed a moment ago: who else may meet now, and what coordinators have to decide."""
    due = await office.uow.rematches.due(limit)
    await _rematch(office, due)
    return len(due)


async def _rematch(office: Office, numbers: Sequence[int]) -> None:
    for number in numbers:
        # What turns up while it is looked at is looked at again.
        await office.uow.rematches.done(number)
        await look_closer(office, number)


async def reviews(office: Office, limit: int) -> int:
    """Reviews that nobody answered for a day."""
    return await repeat(office, limit)


async def approvals(office: Office, limit: int) -> int:
    """What a second coordinator was asked to agree with, and nobody answered for a day."""
    return await lapse(office, limit)


async def notices(office: Office, limit: int) -> int:
    """Families of which it is time to ask whether they were told."""
    return await remind(office, limit)


async def introductions(office: Office, limit: int) -> int:
    """Introductions whose last day has come."""
    found = await office.uow.introductions.to_close(office.uow.today, limit)
    for joined in found:
        await close(office, joined)
    return len(found)


async def cards(office: Office, limit: int) -> int:
    """Cards with a child's data whose hour is over: sent or not, they are readable no longer."""
    return max(await office.uow.clearing.redact_lapsed(limit), await office.uow.clearing.drop_unsent(limit))


async def questions(office: Office, _limit: int) -> int:
    """Questions whose hour is over."""
    return await office.uow.questions.lapse()


async def lost_keys(office: Office, _limit: int) -> int:
    """Messages whose key did not come: their senders are asked to repeat them."""
    uow = office.uow
    waiting = await _without_key(uow)
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


async def _without_key(uow: UnitOfWork) -> Sequence[Received]:
    return await uow.inbox.waiting_since(_ms(uow) - KEY_PATIENCE_MS)


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
    return await office.uow.clearing.forget_before(_ms(office.uow) - MAIL_KEPT_MS, limit)


def _ms(uow: UnitOfWork) -> int:
    return int(uow.now.timestamp() * 1000)


async def _signals_to_look_at(uow: UnitOfWork) -> Sequence[Sequence[int]]:
    return _each_alone(await uow.signals.numbers_to_look_at(uow.today))


async def _signals_due(uow: UnitOfWork) -> int:
    return len(await _signals_to_look_at(uow))


async def _signals_to_rematch(uow: UnitOfWork) -> Sequence[Sequence[int]]:
    return _each_alone(await uow.rematches.due(_ALL))


def _each_alone(numbers: Sequence[int]) -> Sequence[Sequence[int]]:
    return [[number] for number in numbers]


async def _rematches_due(uow: UnitOfWork) -> int:
    return await uow.rematches.count()


async def _reviews_due(uow: UnitOfWork) -> int:
    return await uow.reviews.count_to_repeat()


async def _approvals_due(uow: UnitOfWork) -> int:
    return await uow.approvals.count_lapsed()


async def _notices_to_look_at(uow: UnitOfWork) -> Sequence[Sequence[int]]:
    return await uow.notices.to_look_at(uow.today, _ALL)


async def _notices_due(uow: UnitOfWork) -> int:
    return await uow.notices.count_to_look_at(uow.today)


async def _introductions_due(uow: UnitOfWork) -> int:
    return len(await uow.introductions.to_close(uow.today, _ALL))


async def _cards_due(uow: UnitOfWork) -> int:
    return await uow.clearing.count_lapsed()


async def _questions_due(uow: UnitOfWork) -> int:
    return await uow.questions.count_lapsed()


async def _keys_lost(uow: UnitOfWork) -> int:
    return len(await _without_key(uow))


async def _head_due(uow: UnitOfWork) -> int:
    return int(await uow.tasks.pending_today(_HEAD_OF_AUDIT))


async def _mail_due(uow: UnitOfWork) -> int:
    return await uow.clearing.count_before(_ms(uow) - MAIL_KEPT_MS)


_REMATCHES = Step(rematches, _rematches_due, Apart(_signals_to_rematch, _rematch))

STEPS: tuple[Step, ...] = (
    Step(signals, _signals_due, Apart(_signals_to_look_at, _look_at_some)),
    Step(introductions, _introductions_due),
    _REMATCHES,
    Step(reviews, _reviews_due),
    Step(approvals, _approvals_due),
    Step(notices, _notices_due, Apart(_notices_to_look_at, remind_of)),
    Step(cards, _cards_due),
    Step(questions, _questions_due),
    Step(lost_keys, _keys_lost),
    Step(audit_head, _head_due),
    Step(old_mail, _mail_due),
)
