"""End-to-end encryption: the one wrapper round nio's Olm machine. It does no HTTP of its own but what it is given."""

import asyncio
import json
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from nio.crypto import OlmDevice
from nio.events import RoomKeyEvent
from peewee import PeeweeException  # type: ignore[import-untyped]  # ships no types
from unpaddedbase64 import decode_base64
from vodozemac import AnyOlmMessage, DecodeException, MegolmDecryptionException, PreKeyMessage

from bot.crosssigning import DeviceKeys, is_signed
from bot.http import Homeserver, quote
from bot.olm import MEGOLM, GuardedOlm, open_store
from bot.publishing import ONE_TIME, PublishedKeys

log = logging.getLogger(__name__)

_DEVICES_PER_REQUEST: Final = 100


class NoKey(Exception):
    """The key to this message has not arrived (yet)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(type(self).__doc__)
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
        self._shared_with: dict[str, frozenset[DeviceKeys]] = {}
        self._room_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._claiming = asyncio.Lock()
        self._maintaining = asyncio.Lock()
        self._published = PublishedKeys(olm)

    @classmethod
    def open(cls, user_id: str, device_id: str, directory: Path, pickle_key: bytes) -> Self:
        """Open the device's store in `directory`; a new device is made when there is none.

        Raises:
            StoreInUse: another process has it open.
        """
        return cls(GuardedOlm(user_id, device_id, open_store(user_id, device_id, directory, pickle_key)))

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
        context: AbstractContextManager[object] = self._olm.store.database.atomic()
        return context

    def note_devices(self, user_id: str, signed: Sequence[DeviceKeys]) -> None:
        """From now on these, proven from their owner's identity, are the only devices of a user that get keys."""
        olm, wanted = self._olm, {device.device_id: device for device in signed if not self._is_taken(device)}
        known = olm.device_store[user_id]
        with self.saving():
            for device_id, device in wanted.items():
                keys = {"ed25519": device.ed25519, "curve25519": device.curve25519}
                if device_id not in known or known[device_id].keys != keys:
                    known[device_id] = OlmDevice(user_id, device_id, keys)
                    olm.store.save_device_keys({user_id: {device_id: known[device_id]}})
                    olm.blacklist_device(known[device_id])  # a changed device is proven anew
                if not known[device_id].verified:
                    olm.verify_device(known[device_id])
            for device_id, old in known.items():
                if device_id not in wanted and not old.blacklisted:
                    olm.blacklist_device(old)

    def receive_to_device(self, event: Mapping[str, Any]) -> RoomKey | None:
        """Take in one to-device event. Whatever a stranger put into it, this does not raise.

        Raises:
            PeeweeException: the store failed, so that a key may be lost: the event must be received again.
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
            except PeeweeException:
                raise
            except Exception as error:  # noqa: BLE001 (each event is guarded by itself, FIELD-NOTES 6)
                log.warning("a to-device event could not be read: %s", type(error).__name__)
                self._olm._mark_device_for_unwedging(sender, sender_key)  # noqa: SLF001 (nio does so only for other faults)
                return None

    def note_key_counts(self, counts: Mapping[str, Any], unused_fallback: Sequence[str] | None) -> None:
        """What the last sync said of our keys on the server; `maintain` acts on it."""
        self._published.note(counts, unused_fallback)

    async def maintain(self, http: Homeserver) -> None:
        """Do what is due: publish the device and its one-time keys, repair broken sessions. Often nothing."""
        async with self._maintaining:
            if self._published.is_lacking:
                await self._published.upload(http)
            if self._olm.wedged_devices:
                await self._unwedge(http)

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
        # nio remembers this in memory only: after a restart, the server could have every command obeyed once more.
        if self._olm.seen_before(session.id, index, str(event.get("event_id"))):
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

    async def encrypt(
        self,
        http: Homeserver,
        room_id: str,
        devices: Sequence[DeviceKeys],
        event_type: str,
        content: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The content of an `m.room.encrypted` event that exactly these devices can read.

        A device that has no one-time key left is passed over, and tried again with the next message. Our own device
        is never among the receivers; nor is one that `note_devices` did not name last.
        """
        async with self._room_locks[room_id]:
            reachable = await self._reachable(http, devices)
            await self._share_key(http, room_id, reachable)
            sealed: dict[str, Any] = self._olm.group_encrypt(room_id, {"type": event_type, "content": dict(content)})
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]  # clients look for relations outside
        return sealed

    def _receive(self, sender: str, sender_key: str, content: Mapping[str, Any]) -> RoomKey | None:
        own = content["ciphertext"][self.device.curve25519]
        message = _olm_message(own["type"], own["body"])
        received = self._olm.decrypt(sender, sender_key, message)
        if not isinstance(received, RoomKeyEvent):
            return None
        if not self._olm.inbound_group_store.get(received.room_id, sender_key, received.session_id):
            return None
        return RoomKey(received.room_id, received.session_id)

    def _is_taken(self, device: DeviceKeys) -> bool:
        """Whether another device has this Curve25519 key already: whoever claims it too would spoil its sessions."""
        owner = (device.user_id, device.device_id)
        others = (known for known in self._olm.device_store if (known.user_id, known.device_id) != owner)
        return any(known.curve25519 == device.curve25519 and known.verified for known in others)

    def _proven(self, device: DeviceKeys) -> OlmDevice | None:
        """The device in nio's store, if these are the keys that were proven last."""
        known = self._olm.known_device(device.user_id, device.device_id)
        keys = {"ed25519": device.ed25519, "curve25519": device.curve25519}
        return known if known and known.verified and known.keys == keys else None

    async def _reachable(self, http: Homeserver, devices: Iterable[DeviceKeys]) -> frozenset[DeviceKeys]:
        """Those of the devices that we have, or now get, an Olm session with."""
        proven = {device for device in devices if device != self.device and self._proven(device)}
        async with self._claiming:  # two rooms need not claim a key each for the same device
            missing = [device for device in proven if not self._olm.session_with(device.curve25519)]
            if missing:
                await self._claim(http, missing)
        return frozenset(device for device in proven if self._olm.session_with(device.curve25519))

    async def _claim(self, http: Homeserver, devices: Iterable[DeviceKeys]) -> set[DeviceKeys]:
        """Begin an Olm session with each device that has a one-time key on the server; which these were."""
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        for device in devices:
            wanted[device.user_id][device.device_id] = ONE_TIME
        answer = await http.request("POST", "/_matrix/client/v3/keys/claim", body={"one_time_keys": wanted})
        begun = set()
        with self.saving():
            for device in devices:
                key = _one_time_key(answer, device)
                if key is None:
                    log.warning("a device has no usable one-time key and cannot read what is sent now")
                    continue
                self._olm.create_session(key, device.curve25519)
                begun.add(device)
        return begun

    async def _share_key(self, http: Homeserver, room_id: str, devices: frozenset[DeviceKeys]) -> None:
        """A Megolm session that these devices have and no other."""
        session = self._olm.outbound_group_sessions.get(room_id)
        if session and session.shared and not session.expired and self._shared_with.get(room_id) == devices:
            return
        with self.saving():
            self._olm.create_outbound_group_session(room_id)
            session = self._olm.outbound_group_sessions[room_id]
            content = {
                "algorithm": MEGOLM,
                "room_id": room_id,
                "session_id": session.id,
                "session_key": session.session_key,
            }
            messages = self._olm_messages(devices, "m.room_key", content)
        await self._send_to_devices(http, messages)
        session.shared = True
        self._shared_with[room_id] = devices

    def _olm_messages(
        self, devices: Iterable[DeviceKeys], event_type: str, content: dict[str, Any]
    ) -> list[tuple[DeviceKeys, dict[str, Any]]]:
        known = ((device, self._proven(device)) for device in devices)
        return [(device, self._olm.olm_message(olm, event_type, content)) for device, olm in known if olm]

    async def _send_to_devices(self, http: Homeserver, messages: list[tuple[DeviceKeys, dict[str, Any]]]) -> None:
        for start in range(0, len(messages), _DEVICES_PER_REQUEST):
            body: dict[str, dict[str, Any]] = defaultdict(dict)
            for device, message in messages[start : start + _DEVICES_PER_REQUEST]:
                body[device.user_id][device.device_id] = message
            path = f"/_matrix/client/v3/sendToDevice/m.room.encrypted/{quote(secrets.token_urlsafe(12))}"
            await http.request("PUT", path, body={"messages": body})

    async def _unwedge(self, http: Homeserver) -> None:
        """A new session for each device whose old one is broken, made known to it by an empty message."""
        wedged, self._olm.wedged_devices = self._olm.wedged_devices, []
        devices = [DeviceKeys(one.user_id, one.device_id, one.ed25519, one.curve25519) for one in wedged]
        begun = await self._claim(http, devices)
        with self.saving():
            messages = self._olm_messages(begun, "m.dummy", {})
        await self._send_to_devices(http, messages)


def _one_time_key(answer: Mapping[str, Any], device: DeviceKeys) -> str | None:
    """The claimed key, if the device has signed it."""
    try:
        (key,) = answer["one_time_keys"][device.user_id][device.device_id].values()
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if not isinstance(key, dict) or not is_signed(key, device.user_id, device.device_id, device.ed25519):
        return None
    return str(key.get("key"))


def _olm_message(kind: object, body: str) -> PreKeyMessage | AnyOlmMessage:
    if kind == 0:
        return PreKeyMessage.from_base64(body)
    return AnyOlmMessage.normal(decode_base64(body))
