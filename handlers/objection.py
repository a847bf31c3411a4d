"""An objection of the family: a signal falls silent until a coordinator has decided, and then speaks again or is gone.

Silent means: its dates run on, nothing is matched or sent to its owner, and others see that it is, not why. The
commands come with the family's rights.
"""

from domain.life import Event, State, resumption
from handlers.introductions import heard_again
from handlers.life import ahead_of, catch_up, happen, remind
from handlers.matching import candidates, match
from handlers.office import Office
from storage.signals import Signal


async def freeze(office: Office, signal: Signal, by: str) -> Signal | None:
    """An objection was made: what is left of the signal, None if it was to be gone by now.

    NotPossible for one that is silent already.
    """
    left = await catch_up(office, signal)
    return left if left is None else await happen(office, left, Event.FROZEN, by=by)


async def resume(office: Office, signal: Signal, by: str) -> Signal | None:
    """The objection was rejected: active again and matched anew, or inactive if it ended meanwhile; None if it is gone.

    Who would have met its owner, or been shown them, had it not been silent, does so now. NotPossible for one that is
    not silent.
    """
    uow = office.uow
    left = await catch_up(office, signal)
    if left is None:
        return None
    resumed = await happen(office, left, resumption(ahead_of(office, left), uow.today), by=by)
    if resumed is None:
        return None
    if resumed.state is State.ACTIVE:
        await match(office, resumed, await candidates(office, resumed.child))
        await heard_again(office, resumed)
        await remind(office, resumed)
    else:
        # Not to be decided here who may be shown it: whoever came meanwhile, surely or perhaps, looks again.
        await uow.rematches.want(*(known.id for known in await candidates(office, resumed.child)))
    return resumed


async def uphold(office: Office, signal: Signal, by: str) -> None:
    """The objection was upheld: the signal is erased. NotPossible for one that is not silent."""
    left = await catch_up(office, signal)
    if left is not None:
        await happen(office, left, Event.UPHELD, by=by)
