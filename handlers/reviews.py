"""Doubtful matches: a coordinator decides, and until then nobody learns anything."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.child import Child
from domain.introducing import Pairing
from domain.life import State
from domain.matching import identical
from handlers.cards import Card, card, error
from handlers.command import YES_OR_NO, Command, Parameter, Who, reference_of
from handlers.identity import identity
from handlers.life import WENK, all_caught_up, catch_up, take_back_shown
from handlers.matching import bring_together, candidates, judge, judged, may_meet, pair_up
from handlers.office import Office, Talk
from handlers.parting import have_met, part_two, together
from handlers.why import explain
from handlers.words import Line, line
from storage.people import Person
from storage.reviews import Answer, Review
from storage.signals import Signal
from storage.vault import Unsealable

_COMPARED = frozenset({State.ACTIVE, State.INACTIVE})


async def look_closer(office: Office, number: int) -> None:
    """Look again at the matches of a signal: who may be introduced now, and what a coordinator has to decide first.

    Apart from the answer to whoever placed it, who must not be able to tell that there is a doubt.
    """
    uow = office.uow
    found = await uow.signals.get(number)
    signal = await catch_up(office, found) if found is not None else None
    if signal is None:
        return
    # It may have been corrected, and what coordinators see of it is not so any more.
    await take_back_shown(office, signal)
    await _ask_anew(office, signal)
    owner = await uow.people.get(signal.owner)
    if signal.state is not State.ACTIVE or owner is None or owner.professional != "active":
        return
    found_now = await candidates(office, signal.child)
    alike = await judged(office, signal, found_now)
    # Who stood in the way of what is certain may be gone since.
    decided = await pair_up(office, signal, alike[Pairing.AUTO])
    for known in alike[Pairing.REVIEW]:
        if known.id in decided or known.state not in _COMPARED or not await may_meet(office, owner, known):
            continue
        if any(_stands_for(each, known) for each in found_now):
            continue
        # Also if its owner is suspended: what is decided comes out when they are restored, or it ends.
        await open_review(office, signal, known)
    undecided = await bring_together(office, signal)
    pairings = await uow.pairs.among({number for pair in undecided for number in pair})
    for pair in undecided:
        one, other = await _both(office, pair)
        if pair not in pairings and one is not None and other is not None:
            await open_review(office, one, other)


def _stands_for(newer: Signal, known: Signal) -> bool:
    """An ended signal that was renewed or placed anew: one question is enough, about the last one."""
    is_later = newer.state is not State.INACTIVE or newer.id > known.id
    is_over = known.state is State.INACTIVE and newer.id != known.id and is_later
    return is_over and newer.owner == known.owner and identical(newer.child, known.child)


async def _ask_anew(office: Office, signal: Signal) -> None:
    """What was decided once, and is in doubt since one of the two was corrected; not what is asked of another."""
    uow = office.uow
    waiting = [each for each in await uow.reviews.of_signal(signal) if each.decision is Answer.OPEN]
    asked = {number for each in waiting for number in (each.low, each.high)}
    decided = await uow.pairs.decided(signal)
    anew = {number for number in decided if decided[number] is Pairing.REVIEW and number not in asked}
    if not anew:
        return
    others = await all_caught_up(office, await uow.signals.some(decided))
    for own in await candidates(office, signal.child, of=signal.owner):
        if _stands_for(own, signal):
            anew -= (await uow.pairs.decided(own)).keys()
    for known in others:
        if known.id not in anew or any(_stands_for(each, known) for each in others):
            continue
        if {signal.state, known.state} <= _COMPARED and await _matters(office, signal, known):
            await open_review(office, signal, known)


async def open_review(office: Office, one: Signal, other: Signal) -> None:
    """Ask the coordinators whether two signals are about one child; nobody else hears of it.

    If all of them are parties to it, they do not either: the administrator does (bot.schedule), who can name others.
    """
    uow, reviewers = office.uow, await _reviewers(office, one, other)
    await uow.pairs.decide(one, other, Pairing.REVIEW)
    reference = await office.reference("R", uow.reviews.exists)
    await uow.reviews.open(reference, one, other, decidable=bool(reviewers))
    for signal in (one, other):
        await uow.audit.write(WENK, "review.opened", signal.key)
    for reviewer in reviewers:
        await office.tell(reviewer.user_id, _asked([reference]))


async def repeat(office: Office, limit: int) -> int:
    """Reviews that nobody answered for a day: the coordinators are asked again, each with one card.

    Nobody can be asked about a signal that does not open: to the administrator it is as one that nobody may decide.
    """
    due = await office.uow.reviews.to_repeat(limit)
    asked: dict[str, list[str]] = {}
    for review in due:
        if not await _opens(office, review):
            await office.uow.reviews.repeated(review, decidable=False)
            continue
        signals = await _to_decide(office, review)
        if signals is not None:
            reviewers = await _reviewers(office, *signals)
            await office.uow.reviews.repeated(review, decidable=bool(reviewers))
            for reviewer in reviewers:
                asked.setdefault(reviewer.user_id, []).append(review.ref)
    for user_id, references in asked.items():
        await office.tell(user_id, _asked(references))
    return len(due)


def _asked(references: Sequence[str]) -> Card:
    text = line("review.opened", ref=references[0])
    more = (line("review.opened.more", count=len(references)),) if len(references) > 1 else ()
    return card("review.opened", text, *more, ref=references[0], refs=list(references))


async def review(talk: Talk, given: Mapping[str, Any]) -> None:
    """Without a reference: what waits. With one: what it is about. With an answer: that is the decision."""
    if "review" not in given:
        await _list(talk)
        return
    found = await talk.uow.reviews.get(given["review"])
    signals = await _both(talk.office, (found.low, found.high)) if found is not None else (None, None)
    one, other = signals
    if found is None or one is None or other is None or not await _may_review(talk, one, other):
        await talk.answer(error("not_found", line("error.no_review")))
    elif found.decision is not Answer.OPEN:
        said = line(f"review.decided.before.{found.decision}", ref=found.ref)
        await talk.answer(_decided(found.ref, found.decision, said))
    elif await _to_decide(talk.office, found) is None:
        await talk.answer(error("not_found", line("error.no_review")))
    elif "decision" in given:
        await _decide(talk, found, one, other, Answer(given["decision"]))
    else:
        await _show(talk, found, one, other)


async def _list(talk: Talk) -> None:
    references: list[str] = []
    for waiting in await talk.uow.reviews.open_ones():
        if not await _opens(talk.office, waiting):
            continue
        signals = await _to_decide(talk.office, waiting)
        if signals is not None and await _may_review(talk, *signals):
            references.append(waiting.ref)
    lines = [line("review.list.one", ref=reference) for reference in references]
    title = line("review.list" if references else "review.list.none")
    await talk.answer(card("review.list", title, *lines, refs=references))


async def _show(talk: Talk, which: Review, one: Signal, other: Signal) -> None:
    uow = talk.uow
    decision = (await judge(talk.office))(one.child, other.child)
    shown = card(
        "review.shown",
        line("review.shown", ref=which.ref),
        *(line("review.shown.child", **identity(child)) for child in (one.child, other.child)),
        *explain(decision),
        line(
            "review.shown.together" if await together(talk.office, one, other) else "review.shown.decide", ref=which.ref
        ),
        personal=True,
        ref=which.ref,
        children=[_fields(one.child), _fields(other.child)],
        reasons=list(decision.reasons),
    )
    await talk.answer(shown)
    for signal in (one, other):
        await uow.pairs.disclose(signal, talk.person.user_id, "review")
        await uow.audit.write(talk.person.user_id, "review.shown", signal.key)


async def _decide(talk: Talk, which: Review, one: Signal, other: Signal, decision: Answer) -> None:
    uow = talk.uow
    is_wrong = decision is Answer.NO and bool(await together(talk.office, one, other))
    await uow.reviews.decide(which, decision)
    await uow.pairs.decide(one, other, Pairing.CONFIRMED if decision is Answer.YES else Pairing.REFUSED)
    for signal in (one, other):
        await uow.audit.write(talk.person.user_id, f"review.{decision}", signal.key)
    said = line("review.decided.parted" if is_wrong else f"review.decided.{decision}", ref=which.ref)
    await talk.answer(_decided(which.ref, decision, said))
    told = _decided(which.ref, decision, line(f"review.decided.by_other.{decision}", ref=which.ref))
    for reviewer in await _reviewers(talk.office, one, other):
        if reviewer.user_id != talk.person.user_id:
            await talk.office.tell(reviewer.user_id, told)
    if decision is Answer.NO:
        await part_two(talk.office, one, other, which.ref)
    await _doubt_what_was_certain(talk.office, one, other)
    # Also after a no: somebody may have waited for it who is introduced apart from the other now.
    for signal in (one, other):
        await bring_together(talk.office, signal)
        await uow.rematches.want(signal.id)


async def _doubt_what_was_certain(office: Office, one: Signal, other: Signal) -> None:
    """Of three of which two are known to be two children now, the third is not the same as both.

    `Anna` is the same as `Anna Maria` and as `Anna Sophia`, until these are known to be twins: a coordinator says which
    she is. Who met by then stays together until that is decided; a no parts them, and is the alarm.
    """
    uow = office.uow
    of_one, of_other = await uow.pairs.decided(one), await uow.pairs.decided(other)
    decided = of_one[other.id]
    for known in await uow.signals.some(of_one.keys() & of_other.keys()):
        sides = (of_one[known.id], of_other[known.id], decided)
        if sides.count(Pairing.REFUSED) == 1 and sum(side.matched for side in sides) == len(sides) - 1:
            for side, signal in zip(sides, (one, other), strict=False):
                if side is Pairing.AUTO:
                    await open_review(office, known, signal)


def _decided(reference: str, decision: Answer, text: Line) -> Card:
    return card("review.decided", text, ref=reference, decision=str(decision))


async def _to_decide(office: Office, which: Review) -> tuple[Signal, Signal] | None:
    """The two signals, if there is still something that hangs on the decision; else the review goes."""
    one, other = await _both(office, (which.low, which.high))
    if one is None or other is None or not await _matters(office, one, other):
        await office.uow.reviews.drop(which)
        return None
    return one, other


async def _opens(office: Office, which: Review) -> bool:
    """Whether its signals can be read at all: a damaged one does not keep the others waiting."""
    try:
        await office.uow.signals.some((which.low, which.high))
    except Unsealable:
        return False
    return True


async def _matters(office: Office, one: Signal, other: Signal) -> bool:
    """Inactive never matches inactive; but who was told of the other must not escape by ending theirs first."""
    return not State.INACTIVE is one.state is other.state or await have_met(office, one, other) is not None


async def _both(office: Office, pair: tuple[int, int]) -> tuple[Signal | None, Signal | None]:
    """Both signals of a pair, the older first, with what is due of them done."""
    low, high = [await office.uow.signals.get(number) for number in pair]
    one = await catch_up(office, low) if low is not None else None
    return one, await catch_up(office, high) if high is not None else None


async def _reviewers(office: Office, one: Signal, other: Signal) -> Sequence[Person]:
    """Who decides: the coordinators, or the named one if a child is shielded; nobody about their own signal."""
    able = [each for each in await office.uow.people.coordinators() if each.user_id not in {one.owner, other.owner}]
    if not (one.child.shielded or other.child.shielded):
        return able
    return [each for each in able if each.user_id == office.region.of_shielded]


async def _may_review(talk: Talk, one: Signal, other: Signal) -> bool:
    return talk.person.user_id in {each.user_id for each in await _reviewers(talk.office, one, other)}


def _fields(child: Child) -> dict[str, str]:
    address = str(child.address)
    return {"given": child.given, "surname": child.surname, "born": str(child.born), "address": address}


COMMANDS = (
    Command(
        name="review",
        words={"nl": ("beoordelen",), "en": ("review",)},
        who=Who.COORDINATOR,
        parameters=(
            Parameter("review", reference_of("R"), optional=True),
            Parameter("decision", YES_OR_NO, optional=True),
        ),
        by_words=True,
        act=review,
    ),
)
