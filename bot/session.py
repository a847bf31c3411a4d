"""The long poll: what comes in goes, with the sync token, into the database in one transaction."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import msgspec

from bot.crypto import Machine, RoomKey
from bot.http import HeldBack, Homeserver, LoggedOut, MatrixError, Unreachable, backoff_after_s, quote
from bot.identities import Identities
from bot.login import Account
from bot.metrics import Metrics
from bot.store import StoreFailed
from bot.sync import Batch, batches
from bot.timeline import TimelineEvent, read_event
from bot.workers import describe, until_woken
from domain.region import Region
from handlers.desk import welcome_again
from handlers.office import Office
from handlers.presence import saw
from storage.database import Storage
from storage.inbox import Said
from storage.unit import UnitOfWork

log = logging.getLogger(__name__)

_DECLINED_WITHIN_S = 20.0
_AFTER_YOU_S = 0.25
_READ_S = 0.02
"""For how long the homeserver is left alone with the polls of those who get the answer: ours would come between."""


class Session:
    """Takes in what the homeserver has for us."""

    def __init__(
        self, http: Homeserver, machine: Machine, identities: Identities, storage: Storage, region: Region,
        account: Account, metrics: Metrics,
    ) -> None:  # fmt: skip
        self._http = http
        self._machine = machine
        self._identities = identities
        self._storage = storage
        self._region = region
        self._own_user = account.user_id
        self._since_ms = account.since_ms
        self._metrics = metrics
        self.first_sync = asyncio.Event()
        self.heard_until = -math.inf
        """All that the homeserver had at this moment (`time.monotonic`) is stored."""
        self._took_one = False
        self._again = asyncio.Event()
        self._declining: set[asyncio.Task[None]] = set()
        self.after_batch: Callable[[], None] = lambda: None
        self.server_is_silent: Callable[[], None] = lambda: None
        self.server_answers: Callable[[], None] = lambda: None
        self.heard: Callable[[Iterable[str]], None] = lambda _rooms: None
        self.moved: Callable[[str], None] = lambda _matrix_id: None
        self.wake_reception: Callable[[str], None] = lambda _matrix_id: None
        self.answered: Callable[[], Awaitable[object]] = asyncio.Event().wait

    async def run(self) -> None:
        """Until cancelled; raises LoggedOut when the server wants us no more, StoreFailed when keys cannot be kept.

        Whatever else goes wrong: the token has not moved, so the same batch is asked for again. While the server is
        silent the long poll asks for all, ever more seldom: `server_is_silent` and `server_answers` tell the others.
        """
        faults = 0
        while True:
            try:
                await self._listen()
            except (LoggedOut, StoreFailed):
                raise
            except Exception as fault:  # noqa: BLE001 (reported, and nothing is lost)
                if isinstance(fault, Unreachable) and not isinstance(fault, HeldBack):
                    self.server_is_silent()
                else:
                    # Whatever it is, it is not silence: the others may go on, and find out for themselves.
                    self.server_answers()
                faults = 0 if self._took_one else faults
                pause = backoff_after_s(fault, faults)
                faults += 1
                log.warning("session: %s, again in %.0f s", describe(fault), pause)
                self._metrics.faults.labels(part="session").inc()
                self._again.clear()
                await until_woken(self._again, pause)

    def again(self) -> None:
        """What was in the way may be gone: do not wait until it is time to try again."""
        self._again.set()

    async def _listen(self) -> None:
        self._took_one = False
        async with self._storage.reading() as uow:
            token, _position = await uow.inbox.progress()
        async for batch in batches(self._http, self._machine, self._own_user, token):
            await self._take(batch)
            self._took_one = True
            self.heard_until = batch.asked
            self.server_answers()
            self.first_sync.set()
            self.after_batch()

    async def _take(self, batch: Batch) -> None:
        self._identities.changed(batch.devices_changed)
        for change in batch.members:
            self.moved(change.room_id)
        self.heard({event.room_id for event in batch.events if event.kind != "own"})
        async with self._storage.unit() as uow:
            rooms = await self._store(uow, batch)
            for user_id in sorted(batch.devices_changed):
                # What could not be read for want of a signed device may be readable now.
                await welcome_again(Office(uow, self._region), user_id)
        self.heard(rooms - {event.room_id for event in batch.events})
        self._metrics.last_sync.set(time.time())
        for matrix_id in rooms:
            self.wake_reception(matrix_id)
        for matrix_id in batch.invites:
            self._decline(matrix_id)
        if len(rooms) == 1:
            await self._after_you()

    async def _after_you(self) -> None:
        """Who waits alone, for an answer or for a room, goes before the next long poll, which costs the server more.

        Not so in a burst: there the poll brings what the others said, and they wait too.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_AFTER_YOU_S):
                await self.answered()
                await asyncio.sleep(_READ_S)

    async def _store(self, uow: UnitOfWork, batch: Batch) -> set[str]:
        """The batch, as rows; the Matrix ids of the rooms in which there is something to handle."""
        _token, position = await uow.inbox.progress()
        rooms: set[str] = set()
        for event in batch.events:
            position += 1
            if event.kind == "own":
                identity = event.transaction_id or event.wenk_id
                known = await uow.outbox.seen(position, event.event_id, identity)
                if not known and (identity is not None or event.sent_ms < self._since_ms):
                    await self._disown(uow, event)
            elif await self._store_said(uow, event, position):
                rooms.add(event.room_id)
        if batch.room_keys:
            position = await self._now_readable(uow, batch.room_keys, position, rooms)
        for change in batch.members:
            room = await uow.rooms.by_matrix_id(change.room_id)
            # Who was removed by us did not leave; the reconciler wrote that down when it did it.
            if room is not None and not (change.membership == "leave" and change.sender == self._own_user):
                await saw(Office(uow, self._region), room, change.user_id, change.membership)
        await uow.inbox.advance(batch.token, position, batch.mark)
        return rooms

    async def _disown(self, uow: UnitOfWork, event: TimelineEvent) -> None:
        """The database does not know that we said it, on this device or another: it is older, or the answer was lost.

        What is not known cannot be taken away when its time is up, and is said again where it has to be.
        """
        room = await uow.rooms.by_matrix_id(event.room_id)
        if room is not None:
            log.warning("something that we said is not in the database, and is emptied: was an older one put back?")
            await uow.clearing.redact(room.id, event.event_id)

    async def _store_said(self, uow: UnitOfWork, event: TimelineEvent, position: int) -> bool:
        room = await uow.rooms.by_matrix_id(event.room_id)
        if room is None or room.state == "closed":
            return False
        if room.purpose == "introduction" and not (event.kind == "text" and event.body.startswith("!")):
            # What professionals say to each other is not ours.
            return False
        said = _said(event)
        # Nobody gives a device the key to what was said before it existed: its sender is asked at once.
        in_vain = event.sent_ms < self._since_ms
        added = await uow.inbox.add(
            position, event.event_id, event.room_id, event.sender, said, event.session_id, in_vain=in_vain
        )
        return added and event.session_id is None

    async def _now_readable(self, uow: UnitOfWork, keys: tuple[RoomKey, ...], position: int, rooms: set[str]) -> int:
        """Keys came: what waited for them is handled now, after all that was said meanwhile."""
        for waiting in await uow.inbox.waiting_for([key.session_id for key in keys]):
            if waiting.said is None:
                continue  # it does not open: its sender is asked to repeat it, as if the key had not come
            event = read_event(self._machine, self._own_user, waiting.matrix_room, waiting.said.raw or {})
            if event is None or event.session_id is not None:
                continue
            position += 1
            # It is handled after what was said meanwhile, but it was said before: no card since then was in sight.
            said = msgspec.structs.replace(_said(event), stood_at=waiting.position)
            await uow.inbox.readable(waiting.event_id, position, said)
            rooms.add(waiting.matrix_room)
        return position

    def _decline(self, matrix_id: str) -> None:
        """We make our own rooms; invitations to others are declined, beside the long poll: it may take a while."""
        task = asyncio.create_task(self._try_to_decline(matrix_id), name="decline")
        self._declining.add(task)
        task.add_done_callback(self._declining.discard)

    async def _try_to_decline(self, matrix_id: str) -> None:
        path = f"/_matrix/client/v3/rooms/{quote(matrix_id)}/leave"
        try:
            # With some patience: the long poll names an invitation once, and nobody comes back to it.
            await self._http.request(
                "POST", path, body={}, timeout_s=_DECLINED_WITHIN_S, patience_s=_DECLINED_WITHIN_S, safe=False
            )
        except (MatrixError, Unreachable, LoggedOut) as fault:
            log.info("an invitation could not be declined: %s", type(fault).__name__)


def _said(event: TimelineEvent) -> Said:
    return Said(
        kind=event.kind,
        body=event.body,
        reply_to=event.reply_to,
        replaces=event.replaces,
        target=event.target,
        sender_key=event.sender_key,
        ed25519=event.ed25519,
        forwarded=event.forwarded,
        raw=event.raw,
    )
