"""Bringing everything under the current keys, beside all else: `storage.rotation` says how much in one unit of work."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from handlers.matching import tags_of
from storage.database import Storage
from storage.rotation import Batch
from storage.unit import UnitOfWork

Part = Callable[[UnitOfWork, tuple[int, Any] | None], Awaitable[Batch]]


async def retag(uow: UnitOfWork, after: tuple[int, Any] | None) -> Batch:
    """Tags that were made by another key or scheme."""
    return await uow.rotation.retag(tags_of, after)


async def rewrap(uow: UnitOfWork, after: tuple[int, Any] | None) -> Batch:
    """Keys of signals."""
    return await uow.rotation.rewrap(after)


async def reseal(uow: UnitOfWork, after: tuple[int, Any] | None) -> Batch:
    """What is on its way in or out."""
    return await uow.rotation.reseal(after)


PARTS: Final[tuple[Part, ...]] = (retag, rewrap, reseal)


async def bring_under_current_keys(storage: Storage, parts: tuple[Part, ...] = PARTS) -> AsyncGenerator[Batch, None]:
    """All that is left, a batch in each unit of work, and what each did: between two of them anybody else may write.

    It may be ended at any moment and begun again: what is left is asked anew. What does not open is passed over.
    """
    for part in parts:
        after: tuple[int, Any] | None = None
        while True:
            async with storage.unit() as uow:
                batch = await part(uow, after)
            if batch.after is None:
                break
            yield batch
            after = batch.after
