"""From the inbox to the handlers: prove the sender, then one unit of work; in order per room."""

import logging

from bot.clocks import Clocks
from bot.metrics import Metrics
from bot.trust import Trust
from bot.workers import describe
from domain.region import Region
from handlers.office import Message, Office, Proof
from handlers.reception import cannot_handle, put_off, receive
from storage.database import Storage
from storage.inbox import Received
from storage.rooms import Room
from storage.trouble import is_trouble

log = logging.getLogger(__name__)

TRIES = 3
"""How often a message is handled that makes its handler fail, before it is answered with `unavailable`."""


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
        proof = await self._trust.prove(received, room)
        message = _message(received, proof)
        # Asked last: what comes between this and the unit of work is a moment.
        handle = receive if await self._clocks.still_agree() else put_off
        try:
            async with self._storage.unit() as uow:
                await handle(Office(uow, self._region), room, message)
        except Exception as fault:
            # While the database is not well nothing is wrong with the message, and it waits.
            if is_trouble(fault) or self._tries(message.event_id) < TRIES:
                raise
            log.error("a message could not be handled: %s", describe(fault))  # noqa: TRY400 (no text, no trace)
            self._metrics.raise_alarm("handler_failed")
            await self._give_up(room, message)
        self._failures.pop(message.event_id, None)
        self._count(proof)
        # After the last one nothing is left: whatever comes now wakes this room again.
        return 0 if more else None

    def _tries(self, event_id: str) -> int:
        self._failures[event_id] = self._failures.get(event_id, 0) + 1
        return self._failures[event_id]

    async def _give_up(self, room: Room, message: Message) -> None:
        async with self._storage.unit() as uow:
            await cannot_handle(Office(uow, self._region), room, message)

    def _count(self, proof: Proof) -> None:
        self._metrics.received.inc()
        if proof is not Proof.PROVEN:
            self._metrics.refused.labels(reason=proof.value).inc()


def _message(received: Received, proof: Proof) -> Message:
    said = received.said
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
