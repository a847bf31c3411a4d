"""How what is due is done: in batches, step by step, and so that nothing that is damaged holds up the rest."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from domain.region import Region
from handlers.office import Office
from storage.database import Storage
from storage.unit import UnitOfWork

BATCH = 50


@dataclass(frozen=True, slots=True)
class Apart:
    """How to do apart what a batch could not: the numbers of the signals that are due, unopened, in groups.

    Those of a group are done together, as one card may name them all; or each by itself, if even that does not do.
    """

    groups: Callable[[UnitOfWork], Awaitable[Sequence[Sequence[int]]]]
    act: Callable[[Office, Sequence[int]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """`act` does about so much of what is due, and says how much it was; `count` how much there is, by an index.

    Who did less left nothing. `apart`: so that a signal that is damaged is the only one that waits.
    """

    act: Callable[[Office, int], Awaitable[int]]
    count: Callable[[UnitOfWork], Awaitable[int]]
    apart: Apart | None = None

    @property
    def name(self) -> str:
        return self.act.__name__


async def run_all(storage: Storage, region: Region, steps: Sequence[Step]) -> int:
    """Do all that is due; how much it was.

    A step that fails does not keep the others from being done, nor one signal the other signals. The first fault is
    raised in the end: what failed is due still, and is tried again at the next tick.
    """
    done, faults = 0, []
    for step in steps:
        try:
            done += await run(storage, region, step)
        except Exception as fault:  # noqa: BLE001 (raised below)
            faults.append(fault)
    if faults:
        raise faults[0]
    return done


async def run(storage: Storage, region: Region, step: Step) -> int:
    """One step, until nothing is left; raises what went wrong, after each part was tried by itself if it can be."""
    done, met = 0, BATCH
    while met >= BATCH:
        try:
            async with storage.unit() as uow:
                met = await step.act(Office(uow, region), BATCH)
        except Exception:
            if step.apart is not None:
                await _do_apart(storage, region, step.apart)
            raise
        done += met
    return done


async def _do_apart(storage: Storage, region: Region, apart: Apart) -> None:
    """Each group in a unit of work of its own: a signal in one of them is damaged, the others are due all the same."""
    async with storage.reading() as uow:
        waiting = deque(await apart.groups(uow))
    while waiting:
        group = waiting.popleft()
        try:
            async with storage.unit() as uow:
                await apart.act(Office(uow, region), group)
        except Exception:  # noqa: BLE001 (the batch's own fault is raised, and names the part)
            if len(group) > 1:
                waiting.extend([number] for number in group)
