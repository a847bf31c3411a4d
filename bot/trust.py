"""Who said it? Proven, or refused with the reason; nothing in between."""

import time
from collections.abc import Iterable

from bot.identities import ChangedIdentity, Identities
from bot.live import LiveRoom, Lookout
from handlers.office import Proof
from storage.inbox import Received, Said
from storage.rooms import Room


class Trust:
    """Proves who said something in one of our rooms."""

    def __init__(self, lookout: Lookout, identities: Identities) -> None:
        self._lookout = lookout
        self._identities = identities
        self._began = time.monotonic()
        self._heard: dict[str, float] = {}
        self._desks: set[str] = set()

    def heard(self, rooms: Iterable[str]) -> None:
        """Something has come in that was said in these rooms (Matrix ids): a look from now on tells who heard it.

        Of a burst, one look tells of all. At a desk every word is proven, so the look begins at once.
        """
        for matrix_id in rooms:
            self._heard[matrix_id] = time.monotonic()
            if matrix_id in self._desks:
                self._lookout.begin(matrix_id)

    async def prove(self, received: Received, said: Said, room: Room) -> Proof:
        """What is known of the sender; raises when the server cannot be asked (then it is asked again later)."""
        if said.kind == "plain":
            return Proof.UNENCRYPTED
        if received.sender not in room.wanted:
            return Proof.STRANGER
        if room.purpose == "desk":
            self._desks.add(received.matrix_room)
        live = await self.look(received.matrix_room)
        if not live.encrypted:
            return Proof.UNENCRYPTED
        if live.present - room.wanted:
            return Proof.OVERHEARD
        return await self._prove_device(received.sender, said)

    async def look(self, matrix_id: str) -> LiveRoom:
        """The room as it was at some moment after the last word in it came in."""
        return await self._lookout.since(self._heard.get(matrix_id, self._began), matrix_id)

    async def _prove_device(self, sender: str, said: Said) -> Proof:
        """The Megolm session belongs to a device that the sender's pinned identity signed (FIELD-NOTES 5, 13)."""
        # The second look: a device that was signed a moment ago may be known as unsigned here.
        for fresh in (False, True):
            try:
                identity = await self._identities.of(sender, fresh=fresh)
            except ChangedIdentity:
                return Proof.CHANGED
            if identity and not said.forwarded and identity.device(said.sender_key, said.ed25519):
                return Proof.PROVEN
        return Proof.UNSIGNED
