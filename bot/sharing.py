"""Who can read what we say: room keys go to proven devices and to no others."""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from nio.crypto import OlmDevice

from bot.crosssigning import DeviceKeys, is_signed
from bot.http import Homeserver, quote
from bot.olm import MEGOLM, GuardedOlm
from bot.publishing import ONE_TIME

log = logging.getLogger(__name__)

_DEVICES_PER_REQUEST: Final = 100


class Sharing:
    """Olm sessions with other devices, and the Megolm session of each room that we speak in."""

    def __init__(self, olm: GuardedOlm) -> None:
        self._olm = olm
        self._shared_with: dict[str, frozenset[DeviceKeys]] = {}
        self._room_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._claiming = asyncio.Lock()

    def note_devices(self, user_id: str, signed: Sequence[DeviceKeys]) -> None:
        """These are verified now, every other device of the user is blacklisted."""
        olm, wanted = self._olm, {device.device_id: device for device in signed}
        known = olm.device_store[user_id]
        with olm.saving():
            for device_id, device in wanted.items():
                keys = {"ed25519": device.ed25519, "curve25519": device.curve25519}
                if device_id not in known or known[device_id].keys != keys:
                    known[device_id] = OlmDevice(user_id, device_id, keys)
                    olm.store.save_device_keys({user_id: {device_id: known[device_id]}})
                    olm.blacklist_device(known[device_id])  # what the store thought of its old keys does not count
                if not known[device_id].verified:
                    olm.verify_device(known[device_id])
            for device_id, old in known.items():
                if device_id not in wanted and not old.blacklisted:
                    olm.blacklist_device(old)

    async def encrypt(
        self, http: Homeserver, room_id: str, devices: Iterable[DeviceKeys], event_type: str, content: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See `Machine.encrypt`."""
        async with self._room_locks[room_id]:
            await self._share_key(http, room_id, await self._reachable(http, devices))
            sealed: dict[str, Any] = self._olm.group_encrypt(room_id, {"type": event_type, "content": dict(content)})
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]  # clients look for relations outside
        return sealed

    async def repair(self, http: Homeserver) -> None:
        """A new session for each device whose old one is broken, made known to it by an empty message."""
        wedged, self._olm.wedged_devices = self._olm.wedged_devices, []
        devices = [DeviceKeys(one.user_id, one.device_id, one.ed25519, one.curve25519) for one in wedged]
        begun = await self._claim(http, devices)
        with self._olm.saving():
            messages = self._messages(begun, "m.dummy", {})
        await self._send(http, messages)

    def readers(self, room_id: str) -> int:
        """How many devices have the key to what is said in a room now."""
        return len(self._shared_with.get(room_id, ()))

    def forget_room(self, room_id: str) -> None:
        self._olm.outbound_group_sessions.pop(room_id, None)
        self._shared_with.pop(room_id, None)

    def _proven(self, device: DeviceKeys) -> OlmDevice | None:
        """The device in nio's store, if these are the keys that were proven last."""
        known = self._olm.device_store[device.user_id].get(device.device_id)
        keys = {"ed25519": device.ed25519, "curve25519": device.curve25519}
        return known if known and known.verified and known.keys == keys else None

    def _has_session(self, device: DeviceKeys) -> bool:
        return self._olm.session_with(device) is not None

    async def _reachable(self, http: Homeserver, devices: Iterable[DeviceKeys]) -> frozenset[DeviceKeys]:
        """Those that are proven, not our own device, and have an Olm session with us: begun now if need be."""
        own = (self._olm.user_id, self._olm.device_id)
        proven = {one for one in devices if (one.user_id, one.device_id) != own and self._proven(one)}
        if not all(map(self._has_session, proven)):
            async with self._claiming:  # another room may be at it: one key each is enough
                if missing := [device for device in proven if not self._has_session(device)]:
                    await self._claim(http, missing)
        return frozenset(filter(self._has_session, proven))

    async def _claim(self, http: Homeserver, devices: Iterable[DeviceKeys]) -> set[DeviceKeys]:
        """Begin an Olm session with each device that has a one-time key on the server; which these were."""
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        for device in devices:
            wanted[device.user_id][device.device_id] = ONE_TIME
        answer = await http.request("POST", "/_matrix/client/v3/keys/claim", body={"one_time_keys": wanted})
        begun = set()
        with self._olm.saving():
            for device in devices:
                try:
                    self._olm.begin_session(_one_time_key(answer, device), device)
                except (KeyError, TypeError, ValueError, AttributeError):
                    log.warning("a device has no usable one-time key and cannot read what is sent now")
                else:
                    begun.add(device)
        return begun

    async def _share_key(self, http: Homeserver, room_id: str, devices: frozenset[DeviceKeys]) -> None:
        """A Megolm session that these devices have and no other."""
        session = self._olm.outbound_group_sessions.get(room_id)
        if session and session.shared and not session.expired and self._shared_with.get(room_id) == devices:
            return
        with self._olm.saving():
            self._olm.create_outbound_group_session(room_id)
            session = self._olm.outbound_group_sessions[room_id]
            key = {
                "algorithm": MEGOLM,
                "room_id": room_id,
                "session_id": session.id,
                "session_key": session.session_key,
            }
            messages = self._messages(devices, "m.room_key", key)
        await self._send(http, messages)
        session.shared = True
        self._shared_with[room_id] = devices

    def _messages(
        self, devices: Iterable[DeviceKeys], event_type: str, content: dict[str, Any]
    ) -> list[tuple[DeviceKeys, dict[str, Any]]]:
        known = ((device, self._proven(device)) for device in devices)
        return [(device, self._olm.olm_message(olm, event_type, content)) for device, olm in known if olm]

    async def _send(self, http: Homeserver, messages: list[tuple[DeviceKeys, dict[str, Any]]]) -> None:
        for start in range(0, len(messages), _DEVICES_PER_REQUEST):
            body: dict[str, dict[str, Any]] = defaultdict(dict)
            for device, message in messages[start : start + _DEVICES_PER_REQUEST]:
                body[device.user_id][device.device_id] = message
            path = f"/_matrix/client/v3/sendToDevice/m.room.encrypted/{quote(secrets.token_urlsafe(12))}"
            await http.request("PUT", path, body={"messages": body})


def _one_time_key(answer: Mapping[str, Any], device: DeviceKeys) -> str:
    """The claimed key; ValueError or its like if there is none that the device has signed."""
    (key,) = answer["one_time_keys"][device.user_id][device.device_id].values()
    if not is_signed(key, device.user_id, device.device_id, device.ed25519):
        raise ValueError
    return str(key["key"])
