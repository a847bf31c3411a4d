"""Telling the family: its professional ticks that it was done, and is reminded until then."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from domain.life import State
from domain.notice import ADDRESSEES, BadDay, Chase, Notice, check_told_on, parse_day
from handlers.approvals import catch_up_on
from handlers.cards import Card, card, error
from handlers.command import BadValue, Command, Parameter, Who
from handlers.dialogue import ask_again
from handlers.life import all_caught_up, catch_up, hears
from handlers.office import Office, Talk
from handlers.postponing import MATTER, POSTPONED, ask_to_postpone, when_to_look
from handlers.signals import REFERENCE, whom
from handlers.words import line
from storage.approvals import Subject
from storage.signals import Signal

_WHO = {
    "ouders": ("parents",), "ouder": ("parents",), "parents": ("parents",), "parent": ("parents",),
    "kind": ("child",), "jongere": ("child",), "child": ("child",),
    "allemaal": ADDRESSEES, "iedereen": ADDRESSEES, "all": ADDRESSEES, "everybody": ADDRESSEES,
}  # fmt: skip
_AND = frozenset({"en", "én", "and"})
_TODAY = frozenset({"vandaag", "today"})
_YESTERDAY = frozenset({"gisteren", "yesterday"})


@dataclass(frozen=True, slots=True)
class Telling:
    """What was typed after the reference: who was told, and when; or that it is to be postponed.

    `whom`: empty if nobody was named. `day`: None if no day was, a number for so many days ago.
    """

    whom: tuple[str, ...] = ()
    day: date | int | None = None
    postpone: bool = False


def read_telling(text: str) -> Telling:
    """`ouders 14-03-2026`, `gisteren`, `kind`, `uitstel`; who and when in either order."""
    words = text.casefold().replace(";", " ").split()
    if len(words) == 1 and words[0] in POSTPONED:
        return Telling(postpone=True)
    named = {who for word in words for who in _WHO.get(word, ())}
    rest = [word for word in words if word not in _WHO and not (named and word in _AND)]
    return Telling(tuple(who for who in ADDRESSEES if who in named), _day(rest))


def _day(words: list[str]) -> date | int | None:
    match words:
        case []:
            return None
        case [word] if word in _TODAY:
            return 0
        case [word] if word in _YESTERDAY:
            return 1
        case _ if any(any(letter.isdigit() for letter in word) for word in words):
            return parse_day(" ".join(words))
        case _:
            raise BadValue("unknown_choice")


async def tell_family(talk: Talk, given: Mapping[str, Any]) -> None:
    """Write down that the family, or who was named of it, was told; saying it again corrects the day."""
    uow = talk.uow
    owned = await uow.signals.owned(talk.person.user_id, given["ref"])
    signal = await catch_up(talk.office, owned) if owned is not None else None
    telling: Telling = given.get("told", Telling())
    if signal is None:
        await talk.answer(error("not_found"))
        return
    await catch_up_on(talk.office, Subject(MATTER, signal.id, signal.ref))
    await (ask_to_postpone(talk, signal) if telling.postpone else _tick(talk, signal, telling))


async def _tick(talk: Talk, signal: Signal, telling: Telling) -> None:
    today, notice = talk.uow.today, await talk.uow.notices.get(signal)
    if needless := tuple(who for who in telling.whom if who not in notice.must and telling.whom != ADDRESSEES):
        text = line("error.need_not_tell", ref=signal.ref, needless=whom(needless), whom=whom(notice.must))
        await talk.answer(error("not_allowed", text))
        return
    day = telling.day if isinstance(telling.day, date) else today - timedelta(days=telling.day or 0)
    try:
        check_told_on(day, signal.placed_on, today)
    except BadDay as fault:
        question = line("ask.told", example=line("example.told"))
        refused = error("bad_input", line(f"bad.told.{fault.code}"), question, field="told")
        await ask_again(talk, "told", "told", refused)
        return
    told = tuple(who for who in telling.whom if who in notice.must) or notice.left
    if not told and telling.day is not None:
        told = notice.must
    # Who only says once more that it was done, does not change on which day that was.
    if told:
        notice = notice.tick(told, day)
        look_on = None if signal.state is State.INACTIVE else await when_to_look(talk.office, signal, notice)
        await talk.uow.notices.put(signal, notice, look_on)
        await talk.uow.audit.write(talk.person.user_id, "notice.told", signal.key)
    await talk.answer(_told(signal, notice))


def _told(signal: Signal, notice: Notice) -> Card:
    days = (
        line("notice.told.one", whom=whom((who,)), day=notice.told[who]) for who in notice.must if who in notice.told
    )
    left = (line("notice.told.left", whom=whom(notice.left), ref=signal.ref),) if notice.left else ()
    return card(
        "notice.told", line("notice.told", ref=signal.ref), *days, *left,
        ref=signal.ref, told=notice.told_on.isoformat() if notice.told_on else None, tell=list(notice.left),
    )  # fmt: skip


async def remind(office: Office, limit: int) -> int:
    """Families that were not told yet: their professionals are reminded, and then the coordinators hear."""
    uow = office.uow
    due = [number for of_one in await uow.notices.to_look_at(uow.today, limit) for number in of_one]
    await remind_of(office, due)
    return len(due)


async def remind_of(office: Office, numbers: Sequence[int]) -> None:
    """The same for these signals; who is reminded of several, and the coordinators, read of them on one card."""
    signals = await all_caught_up(office, await office.uow.signals.some(numbers))
    notices = await office.uow.notices.of(signals)
    to_remind: defaultdict[tuple[str, Chase], list[Signal]] = defaultdict(list)
    to_report: defaultdict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        say = await _chase(office, signal, notices[signal.id])
        if say is Chase.REPORT:
            to_report[signal.owner].append(signal)
        elif say is not None:
            to_remind[signal.owner, say].append(signal)
    for (owner, say), chased in to_remind.items():
        left = notices[chased[0].id].left
        await office.tell(owner, _reminder(say, [signal.ref for signal in chased], left))
    if to_report:
        await office.tell_coordinators(await _overdue(office, to_report))


async def _chase(office: Office, signal: Signal, so_far: Notice) -> Chase | None:
    """What is to be said today about one family, if anything: it is written down as said."""
    uow = office.uow
    if signal.state is State.INACTIVE:
        await uow.notices.look_again(signal, None)
        return None
    if signal.state is State.FROZEN or not await hears(office, signal.owner):
        await uow.notices.look_again(signal, uow.today + timedelta(days=1))
        return None
    terms = office.region.notice_days
    say, notice = so_far.chase(terms, uow.today)
    look_on = notice.next_look(terms, uow.today)
    if say is None:
        await uow.notices.look_again(signal, look_on)
        return None
    await uow.notices.put(signal, notice, look_on)
    await uow.audit.write("wenk", "notice.overdue" if say is Chase.REPORT else "notice.reminded", signal.key)
    return say


def _reminder(say: Chase, refs: Sequence[str], left: Sequence[str]) -> Card:
    """`left`: whom to tell still, said where it is one family."""
    ended = say is Chase.POSTPONEMENT_ENDED
    if len(refs) == 1:
        text = line("notice.reminder.postponed" if ended else "notice.reminder", ref=refs[0])
        return card("notice.reminder", text, ref=refs[0], tell=list(left))
    text = line(
        "notice.reminder.postponed.several" if ended else "notice.reminder.several",
        count=len(refs), refs=", ".join(refs), ref=refs[0],
    )  # fmt: skip
    return card("notice.reminder", text, refs=list(refs))


async def _overdue(office: Office, by_owner: Mapping[str, Sequence[Signal]]) -> Card:
    """Whom to ask why, and by which numbers: a coordinator knows no signal, but must know whom to call."""
    refs = [signal.ref for signals in by_owner.values() for signal in signals]
    lines = []
    for owner, signals in by_owner.items():
        person = await office.uow.people.get(owner)
        name = person.full_name if person is not None else owner
        lines.append(line("notice.overdue.one", name=name, refs=", ".join(signal.ref for signal in signals)))
    shown = card("notice.overdue", line("notice.overdue"), *lines, line("notice.overdue.then"))
    return replace(shown, fields={"ref": refs[0]} if len(refs) == 1 else {"refs": refs})


COMMANDS = (
    Command(
        name="told",
        words={"nl": ("ingelicht",), "en": ("told",)},
        who=Who.PROFESSIONAL,
        parameters=(REFERENCE, Parameter("told", read_telling, optional=True)),
        by_words=True,
        act=tell_family,
    ),
)
