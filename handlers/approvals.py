"""What a second coordinator has to agree with: shown, answered once by whoever is first, or lapsed after a day."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handlers.asking import approvers
from handlers.cards import Card, card, error
from handlers.command import YES_OR_NO, Command, Parameter, Who, reference_of
from handlers.life import WENK
from handlers.office import Office, Talk
from handlers.postponing import MATTER, is_to_postpone, postpone
from handlers.words import Line, line
from storage.approvals import Approval, Decision, Subject


@dataclass(frozen=True, slots=True)
class Matter:
    """`stands`: there still is something to decide; `settle`: do what was decided, and tell whom it concerns.

    The catalogue has `approval.what.<name>`: what is asked.
    """

    stands: Callable[[Office, Subject], Awaitable[bool]]
    settle: Callable[[Office, Subject, Decision], Awaitable[None]]


MATTERS: Mapping[str, Matter] = {MATTER: Matter(is_to_postpone, postpone)}


async def approve(talk: Talk, given: Mapping[str, Any]) -> None:
    """Without a reference: what waits. With one: agreed, or refused if that was said."""
    if "approval" not in given:
        await _list(talk)
        return
    found = await talk.uow.approvals.get(given["approval"])
    if found is None:
        await talk.answer(error("not_found", line("error.no_approval")))
        return
    if found.asked_by == talk.person.user_id:
        await talk.answer(error("not_allowed", line("error.own_approval", ref=found.ref)))
        return
    decided = await _by_now(talk.office, found)
    if decided is not Decision.OPEN:
        await talk.answer(_decided(found, decided, line(f"approval.decided.before.{decided}", ref=found.ref)))
        return
    decision = Decision(given.get("consent", Decision.YES))
    await _settle(talk.office, found, decision, by=talk.person.user_id)
    await talk.answer(_decided(found, decision, line(f"approval.decided.{decision}", ref=found.ref)))
    told = _decided(found, decision, line(f"approval.decided.by_other.{decision}", ref=found.ref))
    for each in await approvers(talk.office, found.asked_by):
        if each.user_id != talk.person.user_id:
            await talk.office.tell(each.user_id, told)


async def lapse(office: Office, limit: int) -> int:
    """What nobody answered within a day is not done, and whom it concerns is told."""
    due = await office.uow.approvals.lapsed(limit)
    for each in due:
        await _by_now(office, each)
    return len(due)


async def catch_up_on(office: Office, subject: Subject) -> None:
    """What nobody answered about this within the day lapses now: it is over by rights, also when the sweep is late."""
    for each in await office.uow.approvals.open_ones():
        if each.subject == subject:
            await _by_now(office, each)


async def _list(talk: Talk) -> None:
    lines: list[Line] = []
    shown: list[dict[str, str]] = []
    for waiting in await talk.uow.approvals.open_ones():
        if waiting.asked_by == talk.person.user_id or await _by_now(talk.office, waiting) is not Decision.OPEN:
            continue
        asker, subject = await talk.uow.people.get(waiting.asked_by), _subject(waiting)
        name = asker.full_name if asker else waiting.asked_by
        organisation = asker.organisation.name if asker and asker.organisation else ""
        what = line(f"approval.what.{subject.matter}", signal=subject.ref)
        lines.append(line("approval.list.one", ref=waiting.ref, name=name, organisation=organisation, what=what))
        shown.append({"ref": waiting.ref, "matter": subject.matter, "signal": subject.ref, "user_id": waiting.asked_by})
    title = line("approval.list" if shown else "approval.list.none")
    await talk.answer(card("approval.list", title, *lines, personal=True, approvals=shown))
    await talk.uow.audit.write(talk.person.user_id, "approval.listed")


async def _by_now(office: Office, which: Approval) -> Decision:
    """What is decided by rights, also when the sweep is late: an answer after the day does not count.

    Where there is nothing left to decide, or nobody can read any more what it is about, it lapses unsaid.
    """
    if which.decision is not Decision.OPEN:
        return which.decision
    if which.subject is None or not await MATTERS[which.subject.matter].stands(office, which.subject):
        await office.uow.approvals.decide(which, Decision.LAPSED)
        await office.uow.audit.write(WENK, "approval.needless")
        return Decision.LAPSED
    if which.lapses_at is not None and which.lapses_at <= office.uow.now.timestamp() * 1000:
        await _settle(office, which, Decision.LAPSED, by=WENK)
        for each in await approvers(office, which.asked_by):
            await office.tell(
                each.user_id, card("approval.lapsed", line("approval.lapsed", ref=which.ref), ref=which.ref)
            )
        return Decision.LAPSED
    return Decision.OPEN


async def _settle(office: Office, which: Approval, decision: Decision, *, by: str) -> None:
    uow, subject = office.uow, _subject(which)
    signal = await uow.signals.get(subject.signal)
    await uow.approvals.decide(which, decision)
    await uow.audit.write(by, f"{subject.matter}.{decision}", signal.key if signal is not None else None)
    await MATTERS[subject.matter].settle(office, subject, decision)


def _subject(which: Approval) -> Subject:
    if which.subject is None:
        msg = "an open approval says what it is about"
        raise LookupError(msg)
    return which.subject


def _decided(which: Approval, decision: Decision, text: Line) -> Card:
    return card("approval.decided", text, ref=which.ref, decision=str(decision))


COMMANDS = (
    Command(
        name="approve",
        words={"nl": ("akkoord",), "en": ("approve",)},
        who=Who.COORDINATOR,
        parameters=(
            Parameter("approval", reference_of("A"), optional=True),
            Parameter("consent", YES_OR_NO, optional=True),
        ),
        by_words=True,
        act=approve,
    ),
)
