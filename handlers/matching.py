"""Finding the other signals on the same child, and what follows for those whose signals they are."""

from collections.abc import Sequence

from domain.child import Child
from domain.introducing import Pairing
from domain.life import State
from domain.matching import Verdict, compare, tags
from handlers.introductions import introduce, tell_of_earlier
from handlers.life import all_caught_up
from handlers.office import Office
from storage.people import Person
from storage.signals import Signal


async def candidates(office: Office, child: Child) -> list[Signal]:
    """The signals that may be on this child, with what is due of them done: the refusals' and the match's."""
    return await all_caught_up(office, await office.uow.signals.found_by(tags(child)))


async def match(office: Office, new: Signal, found: Sequence[Signal]) -> None:
    """Match an active signal with the `candidates` found, now that it is new or may be matched again.

    Frozen signals and those of suspended professionals are matched silently: it comes out when they may be heard again.
    """
    uow = office.uow
    owner = await uow.people.get(new.owner)
    decided = await uow.pairs.decided(new)
    active: list[Signal] = []
    earlier: list[Signal] = []
    # Nobody learns of what should have ended or be gone, nor waits for it, also when the sweep is late.
    for known in found:
        other = await uow.people.get(known.owner)
        if owner is None or other is None or not _may_match(office, owner, other):
            continue
        pairing = decided.get(known.id)
        if pairing is None and compare(new.child, known.child).verdict is Verdict.AUTO:
            pairing = Pairing.AUTO
            await uow.pairs.add(new, known, pairing)
        if pairing is None or not pairing.matched:
            continue
        if known.state is State.ACTIVE and other.professional == "active":
            active.append(known)
        elif known.state is State.INACTIVE:
            earlier.append(known)
    shown_before = [known for known in earlier if new.owner in await uow.pairs.disclosed_to(known, "earlier")]
    await introduce(office, new, active)
    await tell_of_earlier(office, new, [known for known in earlier if known not in shown_before])


def _may_match(office: Office, owner: Person, other: Person) -> bool:
    if owner.user_id == other.user_id:
        return False
    return not (office.region.different_organisations and owner.organisation == other.organisation)
