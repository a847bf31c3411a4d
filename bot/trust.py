"""Who said it? Proven, or refused with the reason; nothing in between."""

from bot.http import Homeserver
from bot.identities import ChangedIdentity, Identities
from bot.live import LiveRoom, look
from handlers.office import Proof
from storage.inbox import Received, Said
from storage.rooms import Room


class Trust:
    """Proves who said something in one of our rooms."""

    def __init__(self, http: Homeserver, identities: Identities, own_user: str) -> None:
        self._http = http
        self._identities = identities
        self._own_user = own_user
        self._seen: dict[str, tuple[int, LiveRoom]] = {}

    async def prove(self, received: Received, room: Room, so_far: int) -> Proof:
        """What is known of the sender; raises when the server cannot be asked (then it is asked again later).

        `so_far`: the last position that is in.
        """
        if received.said.kind == "plain":
            return Proof.UNENCRYPTED
        if received.sender not in room.wanted:
            return Proof.STRANGER
        live = await self._look(received, so_far)
        if not live.encrypted:
            return Proof.UNENCRYPTED
        if live.present - room.wanted:
            return Proof.OVERHEARD
        return await self._prove_device(received.sender, received.said)

    async def _look(self, received: Received, so_far: int) -> LiveRoom:
        """The room as it was at some moment after this was said in it: of a burst, one look tells of all."""
        seen_after, live = self._seen.pop(received.matrix_room, (-1, None))
        if live is None or received.position > seen_after:
            seen_after, live = so_far, await look(self._http, received.matrix_room, self._own_user)
        if received.position < seen_after:
            self._seen[received.matrix_room] = seen_after, live
        return live

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
