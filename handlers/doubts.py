"""Whether two signals are about one child is in doubt: coordinators are asked, and until then nobody hears of it."""

from collections.abc import Sequence

from domain.introducing import Pairing, contradicted
from domain.life import State
from domain.matching import identical
from handlers.cards import Card, card
from handlers.life import WENK, all_caught_up, catch_up, take_back_shown
from handlers.matching import bring_together, candidates, judged, may_meet, pair_up
from handlers.office import Office
from handlers.parting import have_met
from handlers.words import line
from storage.people import Person
from storage.reviews import Answer
from storage.signals import Signal

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
    await doubt_what_was_certain(office, signal)
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
        one, other = await both(office, pair)
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
        if {signal.state, known.state} <= _COMPARED and await matters(office, signal, known):
            await open_review(office, signal, known)


async def open_review(office: Office, one: Signal, other: Signal) -> None:
    """Ask the coordinators whether two signals are about one child; nobody else hears of it.

    If all of them are parties to it, they do not either: the administrator does (bot.schedule), who can name others.
    """
    uow, reviewers = office.uow, await reviewers_of(office, one, other)
    await uow.pairs.decide(one, other, Pairing.REVIEW)
    reference = await office.reference("R", uow.reviews.exists)
    await uow.reviews.open(reference, one, other, decidable=bool(reviewers))
    for signal in (one, other):
        await uow.audit.write(WENK, "review.opened", signal.key)
    for reviewer in reviewers:
        await office.tell(reviewer.user_id, asked_for([reference]))


def asked_for(references: Sequence[str]) -> Card:
    """The card that asks a coordinator to decide about these reviews."""
    text = line("review.opened", ref=references[0])
    more = (line("review.opened.more", count=len(references)),) if len(references) > 1 else ()
    return card("review.opened", text, *more, ref=references[0], refs=list(references))


async def doubt_what_was_certain(office: Office, signal: Signal) -> None:
    """Ask about what cannot all be so, now that a signal is known not to be on the same child as some other.

    Who met by then stays together until that is decided; a no parts them, and is the alarm.
    """
    uow = office.uow
    decided = await uow.pairs.decided(signal)
    pairings = await uow.pairs.among(decided)
    for pair in sorted(contradicted(signal.id, decided, lambda one, other: pairings.get((one, other)))):
        one, other = await both(office, pair)
        if one is not None and other is not None and await matters(office, one, other):
            await open_review(office, one, other)


async def matters(office: Office, one: Signal, other: Signal) -> bool:
    """Inactive never matches inactive; but who was told of the other must not escape by ending theirs first."""
    return not State.INACTIVE is one.state is other.state or await have_met(office, one, other) is not None


async def both(office: Office, pair: tuple[int, int]) -> tuple[Signal | None, Signal | None]:
    """Both signals of a pair, the older first, with what is due of them done."""
    low, high = [await office.uow.signals.get(number) for number in pair]
    one = await catch_up(office, low) if low is not None else None
    return one, await catch_up(office, high) if high is not None else None


async def reviewers_of(office: Office, one: Signal, other: Signal) -> Sequence[Person]:
    """Who decides: the coordinators, or the named one if a child is shielded; nobody about their own signal."""
    able = [each for each in await office.uow.people.coordinators() if each.user_id not in {one.owner, other.owner}]
    if not (one.child.shielded or other.child.shielded):
        return able
    return [each for each in able if each.user_id == office.region.of_shielded]
