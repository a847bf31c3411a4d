"""End-to-end encryption of one device: the one wrapper round nio's Olm machine, with HTTP of our own."""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from nio.events import RoomKeyEvent
from unpaddedbase64 import decode_base64
from vodozemac import AnyOlmMessage, DecodeException, LibolmPickleException, MegolmDecryptionException, PreKeyMessage

from bot.crosssigning import DeviceKeys
from bot.http import Homeserver
from bot.olm import MEGOLM, GuardedOlm
from bot.publishing import PublishedKeys
from bot.sharing import Sharing
from bot.store import StoreFailed, StoreSealed, open_store
from storage.inbox import StoreMark

log = logging.getLogger(__name__)

KEPT: Final = timedelta(days=30)
"""How long the key to what others said is kept; clients use one for at most a week."""


class NoKey(Exception):
    """The key to this message has not arrived (yet).

    Attributes:
        session_id: of the key.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__("the key to this message has not arrived")
        self.session_id = session_id


class Undecryptable(Exception):
    """This message can never be read: malformed, forged, or a repetition of another."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


@dataclass(frozen=True, slots=True)
class RoomKey:
    """A key has arrived: messages of this session can be read now."""

    room_id: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A decrypted message. `sender_key` and `ed25519` are those of its Megolm session: prove them before obeying it."""

    type: str
    content: dict[str, Any]
    sender_key: str
    ed25519: str
    forwarded: bool


class Machine:
    """One device: its keys, its sessions with other devices, the keys of its rooms."""

    def __init__(self, olm: GuardedOlm) -> None:
        self._olm = olm
        self._published = PublishedKeys(olm)
        self._sharing = Sharing(olm)
        self._maintaining = asyncio.Lock()

    @classmethod
    def open(cls, user_id: str, device_id: str, directory: Path, pickle_key: bytes) -> Self:
        """Open the device's store in `directory`; a new device is made when there is none.

        Raises:
            StoreInUse: another process has it open.
            StoreSealed: it was written with another pickle key.
            StoreFailed: it cannot be read or written; then, and from then on, every method that needs it raises this.
        """
        store = open_store(user_id, device_id, directory, pickle_key)
        try:
            return cls(GuardedOlm(user_id, device_id, store))
        except LibolmPickleException:
            store.database.close()
            raise StoreSealed from None

    def close(self) -> None:
        self._olm.store.database.close()

    @property
    def device(self) -> DeviceKeys:
        """Our own device."""
        keys = self._olm.account.identity_keys
        return DeviceKeys(self._olm.user_id, self._olm.device_id, keys["ed25519"], keys["curve25519"])

    def device_keys(self) -> dict[str, Any]:
        """Our own device as it is published, signed by itself."""
        return self._published.device_keys()

    def saving(self) -> AbstractContextManager[object]:
        """One commit for all that is done within; never to be held across an `await`."""
        return self._olm.saving()

    def note_devices(self, user_id: str, signed: Sequence[DeviceKeys]) -> None:
        """From now on these, proven from their owner's identity, are the only devices of a user that get keys."""
        self._sharing.note_devices(user_id, signed)

    def note_key_counts(self, counts: Mapping[str, Any], unused_fallback: Sequence[str] | None) -> None:
        """What the last sync said of our keys on the server; `maintain` acts on it."""
        self._published.note(counts, unused_fallback)

    async def maintain(self, http: Homeserver) -> None:
        """Do what is due: publish the device and its one-time keys, repair broken sessions. Often nothing."""
        async with self._maintaining:
            if self._published.is_lacking:
                await self._published.upload(http)
            if self._olm.wedged_devices:
                await self._sharing.repair(http)

    async def encrypt(
        self, http: Homeserver, room_id: str, devices: Iterable[DeviceKeys], event_type: str, content: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The content of an `m.room.encrypted` event that exactly these devices can read.

        A device that has no one-time key left is passed over, and tried again with the next message. Our own device
        is never among the receivers; nor is one that `note_devices` did not name last.
        """
        return await self._sharing.encrypt(http, room_id, devices, event_type, content)

    def receive_to_device(self, event: Mapping[str, Any]) -> RoomKey | None:
        """Take in one to-device event. Whatever a stranger put into it, this does not raise.

        Raises:
            StoreFailed: a key may be lost: the event must be received again, by another process.
        """
        content = event.get("content")
        if event.get("type") != "m.room.encrypted" or not isinstance(content, dict):
            return None
        sender, sender_key = event.get("sender"), content.get("sender_key")
        if not isinstance(sender, str) or not isinstance(sender_key, str):
            return None
        with self.saving():
            try:
                return self._receive(sender, sender_key, content)
            except StoreFailed:
                raise
            except Exception as error:  # noqa: BLE001 (each event is guarded by itself, FIELD-NOTES 6)
                log.warning("a to-device event could not be read: %s", type(error).__name__)
                self._olm.mark_wedged(sender, sender_key)
                return None

    def new_room_keys(self) -> tuple[RoomKey, ...]:
        """Keys that were taken in but never confirmed by `room_keys_are_stored`: a crash came between."""
        return tuple(RoomKey(*key) for key in self._olm.store.untold_keys())

    def room_keys_are_stored(self, keys: Iterable[RoomKey]) -> None:
        """Whoever waits for these keys knows of them."""
        self._olm.store.mark_told(key.session_id for key in keys)

    def readers(self, room_id: str) -> int:
        """How many devices can read what was encrypted for a room last; some may have had no key left."""
        return self._sharing.readers(room_id)

    def forget_room(self, room_id: str) -> None:
        """We are not in this room any more: the keys to what was said there go."""
        self._sharing.forget_room(room_id)
        self._olm.inbound_group_store[room_id].clear()
        self._olm.store.forget_room(room_id)

    def forget_old_keys(self) -> None:
        """What was said long ago cannot be read any more from copies of the chat, unless its key is in use still."""
        for room_id, session_id in self._olm.store.forget_keys(datetime.now(UTC) - KEPT):
            for sessions in self._olm.inbound_group_store[room_id].values():
                sessions.pop(session_id, None)

    def count_batch(self) -> StoreMark:
        """Once for each batch, before it is stored; to be stored with it."""
        return self._olm.store.count_batch()

    def decrypt(self, event: Mapping[str, Any], room_id: str) -> Plain:
        """Read an `m.room.encrypted` room event.

        Raises:
            NoKey: its key has not arrived.
            Undecryptable: it can never be read.
        """
        content = event.get("content")
        if not isinstance(content, dict) or content.get("algorithm") != MEGOLM:
            raise Undecryptable
        session_id, ciphertext = content.get("session_id"), content.get("ciphertext")
        if not isinstance(session_id, str) or not isinstance(ciphertext, str):
            raise Undecryptable
        session = self._olm.find_group_session(room_id, session_id, content.get("sender_key"))
        if session is None:
            raise NoKey(session_id)
        try:
            text, index = session.decrypt(ciphertext)
            plain = json.loads(text)
        except (MegolmDecryptionException, DecodeException, ValueError, RecursionError):
            raise Undecryptable from None
        # nio remembers this in memory only: after a restart the server could have every command obeyed once more.
        if self._olm.store.is_repetition(session.id, index, str(event.get("event_id"))):
            log.warning("a message was repeated under another event id")
            raise Undecryptable
        if not isinstance(plain, dict) or plain.get("room_id") != room_id:
            raise Undecryptable
        kind, inner = plain.get("type"), plain.get("content")
        if not isinstance(kind, str) or not isinstance(inner, dict):
            raise Undecryptable
        return Plain(
            type=kind,
            content=inner,
            sender_key=session.sender_key,
            ed25519=session.ed25519,
            forwarded=bool(session.forwarding_chain),
        )

    def _receive(self, sender: str, sender_key: str, content: Mapping[str, Any]) -> RoomKey | None:
        own = content["ciphertext"][self.device.curve25519]
        received = self._olm.decrypt(sender, sender_key, _olm_message(own["type"], own["body"]))
        if not isinstance(received, RoomKeyEvent):
            return None
        if not self._olm.inbound_group_store.get(received.room_id, sender_key, received.session_id):
            return None
        return RoomKey(received.room_id, received.session_id)


def _olm_message(kind: object, body: str) -> PreKeyMessage | AnyOlmMessage:
    if kind == 0:
        return PreKeyMessage.from_base64(body)
    return AnyOlmMessage.normal(decode_base64(body))
