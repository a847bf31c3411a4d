"""What coordinators are asked to decide: shown, answered once by whoever is first, or asked again."""

from collections.abc import Mapping
from typing import Any

from domain.child import Child
from domain.introducing import Pairing
from handlers.cards import Card, card, error
from handlers.command import YES_OR_NO, Command, Parameter, Who, reference_of
from handlers.doubts import asked_for, both, doubt_what_was_certain, matters, reviewers_of
from handlers.identity import identity
from handlers.matching import bring_together, judge
from handlers.office import Office, Talk
from handlers.parting import part_two, together
from handlers.why import explain
from handlers.words import Line, line
from storage.reviews import Answer, Review
from storage.signals import Signal
from storage.vault import Unsealable


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
            reviewers = await reviewers_of(office, *signals)
            await office.uow.reviews.repeated(review, decidable=bool(reviewers))
            for reviewer in reviewers:
                asked.setdefault(reviewer.user_id, []).append(review.ref)
    for user_id, references in asked.items():
        await office.tell(user_id, asked_for(references))
    return len(due)


async def review(talk: Talk, given: Mapping[str, Any]) -> None:
    """Without a reference: what waits. With one: what it is about. With an answer: that is the decision."""
    if "review" not in given:
        await _list(talk)
        return
    found = await talk.uow.reviews.get(given["review"])
    signals = await both(talk.office, (found.low, found.high)) if found is not None else (None, None)
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
    for reviewer in await reviewers_of(talk.office, one, other):
        if reviewer.user_id != talk.person.user_id:
            await talk.office.tell(reviewer.user_id, told)
    if decision is Answer.NO:
        await part_two(talk.office, one, other, which.ref)
    for signal in (one, other):
        await doubt_what_was_certain(talk.office, signal)
    # Also after a no: somebody may have waited for it who is introduced apart from the other now.
    for signal in (one, other):
        await bring_together(talk.office, signal)
        await uow.rematches.want(signal.id)


def _decided(reference: str, decision: Answer, text: Line) -> Card:
    return card("review.decided", text, ref=reference, decision=str(decision))


async def _to_decide(office: Office, which: Review) -> tuple[Signal, Signal] | None:
    """The two signals, if there is still something that hangs on the decision; else the review goes."""
    one, other = await both(office, (which.low, which.high))
    if one is None or other is None or not await matters(office, one, other):
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


async def _may_review(talk: Talk, one: Signal, other: Signal) -> bool:
    return talk.person.user_id in {each.user_id for each in await reviewers_of(talk.office, one, other)}


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
