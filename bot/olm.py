"""What nio keeps of Olm and Megolm, made fit for a bot that must not lose a key nor take one from a stranger."""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

from nio.crypto import InboundGroupSession, Olm, OlmDevice, Session

from bot.crosssigning import DeviceKeys
from bot.store import Store

MEGOLM: Final = "m.megolm.v1.aes-sha2"
OLM: Final = "m.olm.v1.curve25519-aes-sha2"


class GuardedOlm(Olm):
    """nio's Olm machine, without the doors that a bot has no use for.

    Anybody can claim another's Curve25519 key for a device of their own. So a session is used for the one device that
    it is with, never for whoever has its Curve25519 key: with the device whose signed one-time key began it, or with
    the one that said so itself in a message that only the owner of the Curve25519 key can have encrypted. Two devices
    that claim the same key have each a session of their own; what goes through the impostor's nobody can read.
    """

    store: Store
    _last_used = ""
    _owners: dict[str, tuple[str, str]]

    def load(self) -> None:
        super().load()
        self._owners = self.store.owners()

    def saving(self) -> AbstractContextManager[object]:
        """One commit for all that is done within."""
        context: AbstractContextManager[object] = self.store.database.atomic()
        return context

    def create_group_session(
        self, sender_key: str, sender_fp_key: str, room_id: str, session_id: str, session_key: str
    ) -> None:
        """The first key of a session stays: a repetition could only know less of it."""
        if self.inbound_group_store.get(room_id, sender_key, session_id):
            return
        super().create_group_session(sender_key, sender_fp_key, room_id, session_id, session_key)
        self.store.note_key(session_id, room_id, told=sender_key == self.account.identity_keys["curve25519"])

    def begin_session(self, one_time_key: str, device: DeviceKeys) -> None:
        """An Olm session with the device that signed this key."""
        session = self.create_session(one_time_key, device.curve25519)
        self._note_owner(session.id, device.user_id, device.ed25519)

    def session_with(self, device: DeviceKeys | OlmDevice) -> Session | None:
        """The Olm session that was used last with just this device."""
        owner = device.user_id, device.ed25519
        sessions = self.session_store[device.curve25519]
        return next((session for session in sessions if self._owners.get(session.id) == owner), None)

    def save_session(self, curve_key: str, session: Session) -> None:
        super().save_session(curve_key, session)
        self._last_used = session.id

    def _handle_olm_event(self, sender: str, sender_key: str, payload: dict[str, Any]) -> Any:  # noqa: ANN401 (nio's)
        """What was just decrypted says whose the session is; that `sender` sent it is checked."""
        ed25519 = payload["keys"].get("ed25519")
        if isinstance(ed25519, str):
            self._note_owner(self._last_used, sender, ed25519)
        return super()._handle_olm_event(sender, sender_key, payload)

    def _note_owner(self, session_id: str, user_id: str, ed25519: str) -> None:
        if self._owners.get(session_id) != (user_id, ed25519):
            self.store.note_owner(session_id, user_id, ed25519)
            self._owners[session_id] = user_id, ed25519

    def mark_wedged(self, sender: str, sender_key: str) -> None:
        """A session is broken, which nio notices only for some faults."""
        self._mark_device_for_unwedging(sender, sender_key)

    def _mark_device_for_unwedging(self, sender: str, sender_key: str) -> None:
        """Only a proven device is worth a new session, and not all the time."""
        device = self.device_store.device_from_sender_key(sender, sender_key)
        if device is None or not device.verified or device in self.wedged_devices:
            return
        session = self.session_with(device)
        if session is None or datetime.now() - session.creation_time >= self._unwedging_interval:  # noqa: DTZ005 (nio's)
            self.wedged_devices.append(device)

    def find_group_session(self, room_id: str, session_id: str, sender_key: object) -> InboundGroupSession | None:
        """The key to a message; newer clients leave `sender_key` out."""
        by_sender = self.inbound_group_store[room_id]
        if isinstance(sender_key, str) and session_id in by_sender.get(sender_key, {}):
            return by_sender[sender_key][session_id]
        return next((sessions[session_id] for sessions in by_sender.values() if session_id in sessions), None)

    def olm_message(self, device: OlmDevice, event_type: str, content: dict[str, Any]) -> dict[str, Any]:
        """The content of an `m.room.encrypted` to-device event; the ratchet is saved before it can be sent."""
        session = self.session_with(device)
        message: dict[str, Any] = self._olm_encrypt(session, device, event_type, content)  # type: ignore[no-untyped-call]
        return message
