"""Telling a family later, for the child's safety: its professional asks, and a coordinator agrees or does not."""

from datetime import date, timedelta

from domain.life import State
from domain.notice import Notice
from handlers.asking import ask
from handlers.cards import card, error
from handlers.life import catch_up, hears
from handlers.office import Office, Talk
from handlers.words import line
from storage.approvals import Decision, Subject
from storage.signals import Signal

MATTER = "postpone"
POSTPONED = frozenset({"uitstel", "uitstellen", "postpone"})
_NEXT_DAY_BUT_ONE = timedelta(days=2)


async def ask_to_postpone(talk: Talk, signal: Signal) -> None:
    """Put it to the coordinators, unless there is nothing to postpone or it was asked already."""
    uow = talk.uow
    if signal.state is State.INACTIVE:
        await talk.answer(error("not_allowed", line("error.ended_anyway", ref=signal.ref)))
        return
    notice = await uow.notices.get(signal)
    if not notice.left:
        await talk.answer(error("not_allowed", line("error.all_told", ref=signal.ref)))
        return
    if until := notice.postponed_until(uow.today):
        text = line("notice.postponed", ref=signal.ref, until=until)
        await talk.answer(card("notice.postponed", text, ref=signal.ref, until=until.isoformat()))
        return
    reference = await ask(talk, Subject(MATTER, signal.id, signal.ref))
    if reference is None:
        await talk.answer(error("not_allowed", line("error.nobody_to_approve")))
        return
    await uow.notices.look_again(signal, await when_to_look(talk.office, signal, notice))
    await uow.audit.write(talk.person.user_id, "notice.postponing", signal.key)
    text = line("notice.postponing", ref=signal.ref, approval=reference)
    await talk.answer(card("notice.postponing", text, ref=signal.ref, approval=reference))


async def when_to_look(office: Office, signal: Signal, notice: Notice) -> date | None:
    """On which day there may be something to say about a family; None: never.

    Nobody is reminded while coordinators are being asked: whatever the answer is, it says when to look again.
    """
    day = notice.next_look(office.region.notice_days, office.uow.today)
    asked = [each.subject for each in await office.uow.approvals.open_ones()]
    if day is None or Subject(MATTER, signal.id, signal.ref) not in asked:
        return day
    return max(day, office.uow.today + _NEXT_DAY_BUT_ONE)


async def is_to_postpone(office: Office, subject: Subject) -> bool:
    """There still is a family to be told; nobody is reminded of a signal that has ended."""
    signal = await _signal(office, subject)
    if signal is None or signal.state is State.INACTIVE:
        return False
    return bool((await office.uow.notices.get(signal)).left)


async def postpone(office: Office, subject: Subject, decision: Decision) -> None:
    """What was decided is done, and the professional hears it: postponed, or to be told now."""
    signal = await _signal(office, subject)
    if signal is None:
        return
    uow, region = office.uow, office.region
    notice = await uow.notices.get(signal)
    if decision is Decision.YES:
        until = uow.today + timedelta(days=region.postpone_days)
        await uow.notices.put(signal, notice.postpone(until), until)
        text = line("notice.postponed", ref=signal.ref, until=until)
        shown = card("notice.postponed", text, ref=signal.ref, until=until.isoformat())
    else:
        await uow.notices.look_again(signal, notice.next_look(region.notice_days, uow.today))
        text = line("notice.refused" if decision is Decision.NO else "notice.refused.lapsed", ref=signal.ref)
        shown = card("notice.refused", text, ref=signal.ref)
    if await hears(office, signal.owner):
        await office.tell(signal.owner, shown)


async def _signal(office: Office, subject: Subject) -> Signal | None:
    found = await office.uow.signals.get(subject.signal)
    return await catch_up(office, found) if found is not None and found.ref == subject.ref else None
