"""From the inbox to the handlers: prove the sender, then one unit of work; in order per room."""

import logging
from collections.abc import Awaitable, Callable

from peewee import PeeweeException  # type: ignore[import-untyped]  # ships no types
from sqlalchemy.exc import ProgrammingError

from bot.clocks import Clocks
from bot.http import LoggedOut, MatrixError, Unreachable
from bot.metrics import Metrics
from bot.trust import Trust
from bot.workers import describe
from domain.region import Region
from handlers.office import Message, Office, Proof
from handlers.reception import cannot_handle, cannot_open, put_off, receive
from storage.database import Storage
from storage.inbox import Received, Said
from storage.rooms import Room
from storage.trouble import is_trouble

log = logging.getLogger(__name__)

_NOT_WELL = (PeeweeException, MatrixError, Unreachable, LoggedOut)
"""The crypto store or the server is not well."""

TRIES = 3
"""How often a message is handled that makes its handler fail, before it is answered with `unavailable`."""

GivingUp = Callable[[Office, Room, Message], Awaitable[None]]


class Reception:
    """Handles what waits in the inbox."""

    def __init__(self, storage: Storage, trust: Trust, clocks: Clocks, region: Region, metrics: Metrics) -> None:
        self._storage = storage
        self._trust = trust
        self._clocks = clocks
        self._region = region
        self._metrics = metrics
        self._failures: dict[str, int] = {}

    async def step(self, matrix_id: str) -> float | None:
        """Handle the next message of a room; a Workers step."""
        async with self._storage.reading() as uow:
            received, more = await uow.inbox.next(matrix_id)
            room = await uow.rooms.by_matrix_id(matrix_id) if received else None
        if received is None:
            return None
        if room is None:
            async with self._storage.unit() as uow:
                await uow.inbox.done(received.event_id)
            return 0
        if received.said is None:
            log.error("a message does not open: it was sealed under another key")
            await self._give_up(room, _message(received, Said(kind="undecryptable")), cannot_open, "unopenable")
        else:
            await self._handle(received, received.said, room)
        # After the last one nothing is left: whatever comes now wakes this room again.
        return 0 if more else None

    async def _handle(self, received: Received, said: Said, room: Room) -> None:
        try:
            proof = await self._trust.prove(received, said, room)
            # Asked last: what comes between this and the unit of work is a moment.
            handle = receive if await self._clocks.still_agree() else put_off
            async with self._storage.unit() as uow:
                await handle(Office(uow, self._region), room, _message(received, said, proof))
        except Exception as fault:
            if _waits(fault) or self._tries(received.event_id) < TRIES:
                raise
            log.error("a message could not be handled: %s", describe(fault))  # noqa: TRY400 (no text, no trace)
            await self._give_up(room, _message(received, said), cannot_handle, "handler_failed")
        else:
            self._count(proof)
        self._failures.pop(received.event_id, None)

    def _tries(self, event_id: str) -> int:
        self._failures[event_id] = self._failures.get(event_id, 0) + 1
        return self._failures[event_id]

    async def _give_up(self, room: Room, message: Message, how: GivingUp, alarm: str) -> None:
        self._metrics.raise_alarm(alarm)
        async with self._storage.unit() as uow:
            await how(Office(uow, self._region), room, message)

    def _count(self, proof: Proof) -> None:
        self._metrics.received.inc()
        if proof is not Proof.PROVEN:
            self._metrics.refused.labels(reason=proof.value).inc()


def _waits(fault: Exception) -> bool:
    """Whether nothing is wrong with the message: what it needs is not well, and it waits."""
    refused = isinstance(fault, ProgrammingError)  # the database is well, and will not have this
    return isinstance(fault, _NOT_WELL) or (is_trouble(fault) and not refused)


def _message(received: Received, said: Said, proof: Proof = Proof.UNSIGNED) -> Message:
    return Message(
        event_id=received.event_id,
        position=received.position if said.stood_at is None else said.stood_at,
        sender=received.sender,
        kind=said.kind,
        body=said.body,
        proof=proof,
        reply_to=said.reply_to,
        replaces=said.replaces,
        target=said.target,
    )
