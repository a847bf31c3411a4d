"""From the outbox to Matrix: in order per room, rooms side by side, until acknowledged.

Before a card is posted the room is looked at as it is on the server at that moment: encrypted, and nobody there who
should not be.
The row's id is the transaction id, so that sending again after a crash makes no second card. Homeservers remember it
for a day; for what may be older, see `Attempt`. A redaction or a reaction that comes twice does no harm: the second
redaction empties nothing more, and the second reaction is refused.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.audience import LOOK_AGAIN_S, Audience, Wait
from bot.crypto import Machine
from bot.emptying import redact
from bot.enclosing import Enclosing
from bot.http import Homeserver, MatrixError, quote
from bot.leaflet import CannotSet
from bot.metrics import Metrics
from domain.region import Region
from handlers.cards import error
from handlers.office import Office
from handlers.reception import WARNING_REACTION
from handlers.words import Line, line
from storage.database import Storage
from storage.outbox import ENCLOSE, TAKEN_AWAY, Letter
from storage.rooms import Room
from storage.unit import UnitOfWork

log = logging.getLogger(__name__)

_QUIET_S = 0.3
_MOST_PATIENCE_S = 20.0
_ACQUAINTANCE_S = 1.0
"""Who meets the bot asks the server for its devices first. A client that ignores unsigned devices, and gets a card
before that answer, says for ever that it cannot be read (matrix-js-sdk: UNKNOWN_SENDER_DEVICE)."""
_LONGEST_DELAY_S = 60.0
"""Nothing is put off for longer: a card that seems to be was posted before the clock jumped back."""
_UNDELIVERABLE = frozenset({400, 413})
_NOT_TAKEN = _UNDELIVERABLE | {403}
"""What the server answers to a document that it will never store: too large, or more than this user may have."""
_WRITTEN = frozenset({"card", "reaction"})
"""What has a content; a redaction and a pin have none."""
_REMEMBERED = timedelta(hours=1)
"""For so long a homeserver knows a transaction id with certainty; Synapse does for 24 hours."""
_HEARD_SOON_S = 1.0


@dataclass(slots=True)
class Attempt:
    """A card was given to the server, and it has not said that it has it: it may have.

    As long as it knows the transaction id for certain, the card is sent again at once. After that the timeline has the
    word: what stands in it is known by its `wenk.id` (`Outbox.seen`); what is not known after a sync that began after
    the last attempt is not there. What a process left that has ended is decided by the first sync of the next,
    before which nothing is sent.
    """

    since: datetime
    ended: float

    def must_be_looked_for(self, now: datetime, heard_until: float) -> bool:
        return not timedelta() <= now - self.since < _REMEMBERED and heard_until < self.ended


class Delivery:
    """Sends what waits in the outbox."""

    def __init__(
        self, http: Homeserver, machine: Machine, audience: Audience, enclosing: Enclosing, storage: Storage,
        region: Region, metrics: Metrics,
    ) -> None:  # fmt: skip
        self._http = http
        self._enclosing = enclosing
        self._machine = machine
        self._audience = audience
        self._storage = storage
        self._region = region
        self._metrics = metrics
        self._last_card = 0.0
        self._patience: dict[str, float] = {}
        self._welcomed: set[str] = set()
        self._met: dict[str, float] = {}
        self._attempts: dict[str, Attempt] = {}
        self.heard_until: Callable[[], float] = lambda: -math.inf
        self.wake_reconciler: Callable[[str], None] = lambda _room: None
        self.quiet_s: Callable[[], float] = lambda: math.inf

    async def step(self, room_id: str) -> float | None:
        """Send the next letter of the room with our id `room_id`; a Workers step."""
        heard_until = self.heard_until()  # before the letter is read: a sync that has seen it may come between
        async with self._storage.reading() as uow:
            letter = await uow.outbox.next(room_id)
            room = await uow.rooms.get(room_id)
        if room is None or room.matrix_id is None or room.state == "closed":
            return None
        if letter is None:
            if room.state == "closing":
                self.wake_reconciler(room_id)
            return None
        if letter.event_id is not None:
            await self._stands(letter, letter.event_id, room.matrix_id)
        elif letter.content is None and letter.action in _WRITTEN:
            log.error("a card of kind %s does not open: it was sealed under another key", letter.kind)
            await self._give_up(letter)
        else:
            return await self._do(letter, room, room.matrix_id, heard_until)
        return 0

    async def _do(self, letter: Letter, room: Room, matrix_id: str, heard_until: float) -> float | None:
        early = letter.not_before / 1000 - self._storage.clock().timestamp()
        if 0 < early < _LONGEST_DELAY_S:
            return early
        if letter.action in TAKEN_AWAY:
            return await self._take_away(letter, matrix_id)
        if ENCLOSE in (letter.content or {}):
            return await self._enclose(letter)
        attempt = self._attempts.get(letter.id)
        if attempt and attempt.must_be_looked_for(self._storage.clock(), heard_until):
            done: float | Wait | None = Wait(_HEARD_SOON_S)
        else:
            done = await self._say(letter, room, matrix_id)
        return await self._meanwhile(room.id, matrix_id, done) if isinstance(done, Wait) else done

    async def _meanwhile(self, room_id: str, matrix_id: str, wait: Wait) -> float | None:
        """A card has to wait for somebody who can read it; what is to be emptied has not, nor what all can see."""
        async with self._storage.reading() as uow:
            letter = await uow.outbox.next(room_id, cards=False)
        if letter is None:
            return wait.seconds
        if letter.action in TAKEN_AWAY:
            return await self._take_away(letter, matrix_id)
        await self._mark(letter, matrix_id)
        return 0

    async def _take_away(self, letter: Letter, matrix_id: str) -> float | None:
        """Answers go first: this waits until nobody waits for an answer or for a room, but not for ever."""
        now = time.monotonic()
        since = self._patience.setdefault(letter.room_id, now)
        busy = min(self.quiet_s(), now - self._last_card) < _QUIET_S
        if busy and now - since < _MOST_PATIENCE_S:
            return _QUIET_S
        self._patience.pop(letter.room_id, None)
        target = letter.target or ""
        if letter.action == "purge":
            await self._enclosing.purge(target)
        else:
            await redact(self._http, matrix_id, target)
            self._metrics.redacted.inc()
        await self._sent(letter, None)
        return 0

    async def _enclose(self, letter: Letter) -> float | None:
        try:
            await self._enclosing.enclose(letter)
        except CannotSet:
            log.error("a leaflet has a letter that no font has")  # noqa: TRY400 (no trace: it could name the letter)
            await self._give_up(letter, line("error.leaflet"))
        except MatrixError as fault:
            if fault.status not in _NOT_TAKEN:
                raise
            log.error("the homeserver does not take a leaflet: %s", fault.errcode)  # noqa: TRY400 (no trace)
            await self._give_up(letter)
        return 0

    async def _say(self, letter: Letter, room: Room, matrix_id: str) -> float | Wait | None:
        recipients = await self._audience.recipients(room, matrix_id)
        if isinstance(recipients, Wait):
            return recipients
        if letter.action != "card":
            await self._mark(letter, matrix_id)
            return 0
        devices, all_answered = await self._audience.devices(recipients)
        # Nobody could read it: it waits until a device is signed. Only the first welcome goes out, so that there is
        # something to hang a warning on.
        must_be_read = room.state != "closing" and (room.purpose != "desk" or await self._was_welcomed(room))
        if not devices and must_be_read:
            return Wait(None if all_answered else LOOK_AGAIN_S)
        if letter.kind == "welcome" and (early := self._still_strangers(room.id)) > 0:
            return Wait(early)
        sealed = await self._machine.encrypt(self._http, matrix_id, devices, "m.room.message", letter.content or {})
        readers = self._machine.readers(matrix_id)
        if not readers and must_be_read:
            # None of the devices had a one-time key left; they make new ones as soon as they are online.
            return Wait(LOOK_AGAIN_S)
        await self._send(letter, matrix_id, sealed, readers)
        return 0

    async def _send(self, letter: Letter, matrix_id: str, sealed: dict[str, Any], readers: int) -> None:
        self._last_card = time.monotonic()
        attempt = self._attempts.setdefault(letter.id, Attempt(self._storage.clock(), self._last_card))
        path = f"/_matrix/client/v3/rooms/{quote(matrix_id)}/send/m.room.encrypted/{letter.id}"
        try:
            answer = await self._http.request("PUT", path, body=sealed)
        except MatrixError as fault:
            if fault.status not in _UNDELIVERABLE:
                raise
            log.error("a card of kind %s cannot be delivered: %s", letter.kind, fault.errcode)  # noqa: TRY400 (no trace)
            await self._give_up(letter)
        else:
            await self._sent(letter, str(answer["event_id"]), readers)
            self._metrics.sent.labels(kind=letter.kind).inc()
        finally:
            attempt.ended = time.monotonic()
        del self._attempts[letter.id]

    async def _give_up(self, letter: Letter, *why: Line) -> None:
        """This card can never be sent; who waits for an answer gets another, if it can be told what it answered."""
        self._metrics.raise_alarm("undeliverable")
        answered = (letter.content or {}).get("wenk", {}).get("re")
        async with self._storage.unit() as uow:
            await uow.outbox.sent(letter.id, None)
            if answered is not None and letter.kind != "error":
                office = Office(uow, self._region)
                await office.post(letter.room_id, error("unavailable", *why), self._region.language, re=answered)

    async def _was_welcomed(self, room: Room) -> bool:
        if room.id not in self._welcomed:
            async with self._storage.reading() as uow:
                if await uow.outbox.latest(room.id, "welcome") is not None:
                    self._welcomed.add(room.id)
        return room.id in self._welcomed

    def _still_strangers(self, room_id: str) -> float:
        """For how many more seconds, counted from when the owner of this desk was first seen in it."""
        return self._met.setdefault(room_id, time.monotonic()) + _ACQUAINTANCE_S - time.monotonic()

    async def _mark(self, letter: Letter, matrix_id: str) -> None:
        """What all can see, also who cannot read the cards."""
        if letter.action == "reaction":
            await self._react(letter, matrix_id)
        else:
            path = f"/_matrix/client/v3/rooms/{quote(matrix_id)}/state/m.room.pinned_events"
            await self._http.request("PUT", path, body={"pinned": [letter.target]})
            await self._sent(letter, None)

    async def _react(self, letter: Letter, matrix_id: str) -> None:
        key = (letter.content or {}).get("key", "")
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": letter.target, "key": key}}
        path = f"/_matrix/client/v3/rooms/{quote(matrix_id)}/send/m.reaction/{letter.id}"
        event_id: str | None = None
        try:
            event_id = str((await self._http.request("PUT", path, body=content))["event_id"])
        except MatrixError as fault:
            # The same reaction is there already, or what it hangs on is gone.
            if fault.status != 400:  # noqa: PLR2004 (HTTP: bad request)
                raise
        await self._sent(letter, event_id)

    async def _stands(self, letter: Letter, event_id: str, matrix_id: str) -> None:
        """It was sent, and seen in the timeline before that could be written down.

        Who could read it is known to the process that sent it; after a crash, to nobody: then it is as if nobody could.
        """
        self._attempts.pop(letter.id, None)
        async with self._storage.unit() as uow:
            await uow.outbox.withdraw(letter.id)
            await self._follow_up(uow, letter, event_id, self._machine.readers(matrix_id))

    async def _sent(self, letter: Letter, event_id: str | None, devices: int | None = None) -> None:
        async with self._storage.unit() as uow:
            await uow.outbox.sent(letter.id, event_id, devices)
            if event_id is not None:
                await self._follow_up(uow, letter, event_id, devices)

    async def _follow_up(self, uow: UnitOfWork, letter: Letter, event_id: str, devices: int | None) -> None:
        if letter.kind == "welcome" and not devices:
            await uow.outbox.react(letter.room_id, event_id, WARNING_REACTION)
        if letter.kind == "match.introduction":
            await uow.outbox.pin(letter.room_id, event_id)
