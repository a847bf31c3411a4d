"""Finding the other signals on the same child, and bringing those together whose signals they are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

from domain.candidates import tags
from domain.child import Child
from domain.introducing import Group, Pairing, plan
from domain.life import State
from domain.matcher import Matcher, certain
from domain.matching import Decision, Verdict, identical
from domain.profile import Profile
from handlers.introductions import meet, tell_of_earlier
from handlers.life import all_caught_up
from handlers.office import Office
from handlers.weights import learned
from storage.introductions import Introduction
from storage.pairs import SHOWN
from storage.people import Person
from storage.signals import Signal


def tags_of(child: Child) -> Collection[str]:
    """The texts by which a signal on this child is to be found."""
    return tags(Profile.of(child))


async def candidates(office: Office, child: Child, of: str | None = None) -> list[Signal]:
    """The signals that may be on this child, with what is due of them done: the refusals' and the match's.

    `of`: only those of this professional. Before one is placed nothing is done with those of others: how long it takes,
    or that it goes wrong, would tell that there are any.
    """
    return await all_caught_up(office, await office.uow.signals.found_by(tags_of(child), owner=of))


Judge = Callable[[Child, Child], Decision]
"""Says of two children whether they are one."""


async def judge(office: Office) -> Judge:
    """Who judges, among as many signals as there are, of as common names as those signals have."""
    uow, weights = office.uow, learned()
    matcher = Matcher(weights, await uow.signals.size(), uow.often)
    return lambda one, other: matcher.decide(Profile.of(one), Profile.of(other))


async def is_one_child(office: Office, one: Child, other: Child) -> bool:
    """Typed as the same, or certainly one child born on one day: one professional does not place two signals on it.

    With two birthdays there may be two children, and who is refused could not place the second at all.
    """
    if identical(one, other):
        return True
    return one.born == other.born and (await judge(office))(one, other).verdict is Verdict.AUTO


async def judged(office: Office, signal: Signal, found: Sequence[Signal]) -> dict[Pairing, list[Signal]]:
    """Of the `candidates` found those that are on the same child (AUTO) and those that may be (REVIEW), the rest left.

    Whose signals they are says nothing here: a twin that the same professional signalled is a twin.
    """
    uow, compare = office.uow, await judge(office)
    others = {known.id: known for known in found if known.id != signal.id}
    decisions = {number: compare(signal.child, known.child) for number, known in others.items()}
    alike = {number: each for number, each in decisions.items() if each.verdict is not Verdict.NONE}
    # Asked in any case: how long it takes tells nothing of how many there are.
    pairings = await uow.pairs.among(alike)

    def are_one(one: int, other: int) -> bool:
        pairing = pairings.get((min(one, other), max(one, other)))
        if pairing is not None:
            return pairing.matched
        return compare(others[one].child, others[other].child).verdict is Verdict.AUTO

    sure = certain(alike, are_one)
    return {
        Pairing.AUTO: [others[number] for number in alike if number in sure],
        Pairing.REVIEW: [others[number] for number in alike if number not in sure],
    }


async def match(office: Office, new: Signal, found: Sequence[Signal]) -> None:
    """Match an active signal with the `candidates` found, now that it is new, is another child's or may be heard again.

    Only what is certain: this is part of what its owner waits for, and takes as long whether there is a doubt or not.
    Doubts are looked for in a moment (handlers.doubts.look_closer). Frozen signals and those of suspended
    professionals are matched silently: it comes out when they may be heard again.
    """
    decided = await pair_up(office, new, (await judged(office, new, found))[Pairing.AUTO])
    await bring_together(office, new, decided)
    await office.uow.rematches.want(new.id)


async def remember_doubts(office: Office, new: Signal, found: Sequence[Signal]) -> None:
    """Two children stay two when one of them is signalled anew by the same professional, typed as before.

    What a coordinator is being asked is asked about the new signal. A yes is not carried over: nobody is introduced
    over what was looked at years ago. What it depends on is their own, so that how long it takes tells nothing of
    others.
    """
    own = [each for each in found if each.owner == new.owner and each.state is State.INACTIVE]
    before = [each for each in own if identical(each.child, new.child)]
    if before:
        # The oldest first; the last one has what was said of those before it.
        await office.uow.renewals.doubt_as(before[-1], new)


async def pair_up(office: Office, signal: Signal, sure: Sequence[Signal]) -> Mapping[int, Pairing]:
    """Remember that a signal is on the same child as these, unless something else was decided before.

    All that is decided about it then.
    """
    decided = await office.uow.pairs.decided(signal)
    for known in sure:
        if known.id not in decided and known.owner != signal.owner:
            await office.uow.pairs.decide(signal, known, Pairing.AUTO)
            decided[known.id] = Pairing.AUTO
    return decided


async def bring_together(
    office: Office, signal: Signal, decided: Mapping[int, Pairing] | None = None
) -> Collection[tuple[int, int]]:
    """Introduce the owner of a signal to the others on the same child, and show once who was involved before.

    May be run again at any moment: who was introduced is not introduced again. `decided`: about this signal, where that
    is known already. The pairs of signals of which has to be known first whether they are about one child.
    """
    uow = office.uow
    owner = await uow.people.get(signal.owner)
    if signal.state is not State.ACTIVE or owner is None or owner.professional != "active":
        return ()
    if decided is None:
        decided = await uow.pairs.decided(signal)
    # Nobody learns of what should have ended or be gone, nor waits for it, also when the sweep is late.
    known = await all_caught_up(
        office, await uow.signals.some(number for number, pairing in decided.items() if pairing.matched)
    )
    others = [each for each in known if await may_meet(office, owner, each)]
    undecided = await _introduce(office, signal, [each for each in others if each.state is State.ACTIVE])
    await _show_earlier(office, signal, others)
    return undecided


async def _introduce(office: Office, signal: Signal, active: Sequence[Signal]) -> Collection[tuple[int, int]]:
    uow = office.uow
    groups = await uow.introductions.open_ones_of_signals([signal.id, *(each.id for each in active)])
    apart: dict[str, Signal] = {}
    for other in active:
        person = await uow.people.get(other.owner)
        is_heard = person is not None and person.professional == "active"
        if is_heard and not any(_are_together(group, signal, other) for group in groups):
            apart.setdefault(other.owner, other)
    if not apart:
        return ()
    circles = [Group(group.id, _signals(group)) for group in groups]
    pairings = await uow.pairs.among({signal.id, *(each.id for each in active)}.union(*map(_signals, groups)))
    follows = plan(
        signal.id,
        [each.id for each in apart.values()],
        circles,
        lambda one, other: pairings.get((min(one, other), max(one, other))),
    )
    by_number = {each.id: each for each in (signal, *active)}
    for meeting in follows.meetings:
        await meet(office, meeting.introduction, [by_number[number] for number in meeting.joining])
    return follows.undecided


def _signals(group: Introduction) -> frozenset[int]:
    return frozenset(who.signal_id for who in group.active if who.signal_id is not None)


def _are_together(group: Introduction, one: Signal, other: Signal) -> bool:
    """Both people take part, at least one of them with this signal: one of several on the same child will do."""
    people = {who.user_id for who in group.active}
    return {one.owner, other.owner} <= people and not _signals(group).isdisjoint({one.id, other.id})


async def _show_earlier(office: Office, new: Signal, others: Sequence[Signal]) -> None:
    """Who was involved before, and is no more; of each their last signal, for what they renewed is no news beside that.

    Once to each person: who was shown somebody's details, or was introduced to them, is no new party.
    """
    last: dict[str, Signal] = {}
    for known in others:
        if known.state is State.INACTIVE and (known.owner not in last or _end(last[known.owner]) <= _end(known)):
            last[known.owner] = known
    involved = {known.owner for known in others if known.state is not State.INACTIVE}
    pairs = office.uow.pairs
    earlier = [known for owner, known in last.items() if owner not in involved]
    fresh = [known for known in earlier if new.owner not in await pairs.disclosed_to(known, *SHOWN)]
    await tell_of_earlier(office, new, fresh)


def _end(signal: Signal) -> date:
    return signal.ended_on or signal.active_until


async def may_meet(office: Office, owner: Person, other: Signal) -> bool:
    """Whether the region has the owner of a signal introduced to this person, or shown to them."""
    person = await office.uow.people.get(other.owner)
    if person is None or person.user_id == owner.user_id:
        return False
    return not (office.region.different_organisations and owner.organisation == person.organisation)
