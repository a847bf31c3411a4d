"""What nio keeps of Olm and Megolm, made fit for a bot that must not lose a key nor take one from a stranger."""

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from nio.crypto import InboundGroupSession, Olm, OlmDevice, Session
from nio.store import SqliteStore
from peewee import OperationalError, SqliteDatabase  # type: ignore[import-untyped]  # ships no types

from bot.crosssigning import DeviceKeys
from storage.durable import make_directory

MEGOLM: Final = "m.megolm.v1.aes-sha2"
OLM: Final = "m.olm.v1.curve25519-aes-sha2"

# `told`: the caller has stored that this key arrived. `olm_owner`: whose the other end of an Olm session is.
_OWN_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS room_key (
        session_id TEXT PRIMARY KEY, room_id TEXT NOT NULL, received_s INTEGER NOT NULL, told INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS seen_message (
        session_id TEXT NOT NULL, message_index INTEGER NOT NULL, event_id TEXT NOT NULL,
        PRIMARY KEY (session_id, message_index)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS olm_owner (
        session_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, ed25519 TEXT NOT NULL
    ) WITHOUT ROWID""",
)
_FORGET: Final = (
    "DELETE FROM seen_message WHERE session_id = ?",
    "DELETE FROM megolminboundsessions WHERE session_id = ?",
    "DELETE FROM room_key WHERE session_id = ?",
)
_OF_ROOM: Final = "SELECT session_id FROM room_key WHERE room_id = ?"
# The last key that a device gave us stays, however old: it may speak with it still, and would not give it again.
_OUTLIVED: Final = """
    SELECT session_id FROM room_key JOIN megolminboundsessions AS session USING (session_id)
    WHERE received_s < ? AND EXISTS (
        SELECT 1 FROM room_key AS later JOIN megolminboundsessions AS newer USING (session_id)
        WHERE newer.room_id = session.room_id AND newer.sender_key = session.sender_key
            AND later.received_s > room_key.received_s
    )
"""


class StoreInUse(Exception):
    """Another process has this crypto store open: two that share ratchets would make each other unreadable."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class StoreSealed(Exception):
    """The crypto store in storage.data_dir does not open with storage.keys_file: put back the keys it was made with."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Store(SqliteStore):
    """nio's store: durable with one sync per commit, open in one process only; with the age and use of room keys."""

    def _create_database(self) -> SqliteDatabase:
        return SqliteDatabase(
            self.database_path,
            pragmas=[
                ("locking_mode", "exclusive"),  # before WAL: then there is no shared memory file either
                ("journal_mode", "wal"),
                ("synchronous", "full"),
                ("foreign_keys", 1),
                ("secure_delete", 1),
            ],
        )

    def note_key(self, session_id: str, room_id: str, *, told: bool) -> None:
        """A key arrived now."""
        self._execute("INSERT OR IGNORE INTO room_key VALUES (?, ?, ?, ?)", session_id, room_id, int(time.time()), told)

    def untold_keys(self) -> list[tuple[str, str]]:
        """Room id and session id of what arrived and was not confirmed."""
        return list(self._execute("SELECT room_id, session_id FROM room_key WHERE NOT told"))

    def mark_told(self, session_ids: Iterable[str]) -> None:
        with self.database.atomic():
            for session_id in session_ids:
                self._execute("UPDATE room_key SET told = 1 WHERE session_id = ?", session_id)

    def is_repetition(self, session_id: str, message_index: int, event_id: str) -> bool:
        """Whether this message came before as another event; remembered on disk."""
        self._execute("INSERT OR IGNORE INTO seen_message VALUES (?, ?, ?)", session_id, message_index, event_id)
        query = "SELECT event_id FROM seen_message WHERE session_id = ? AND message_index = ?"
        return bool(self._execute(query, session_id, message_index).fetchone()[0] != event_id)

    def note_owner(self, session_id: str, user_id: str, ed25519: str) -> None:
        """This Olm session is with that device."""
        self._execute("INSERT OR REPLACE INTO olm_owner VALUES (?, ?, ?)", session_id, user_id, ed25519)

    def owners(self) -> dict[str, tuple[str, str]]:
        """User and Ed25519 key by Olm session."""
        rows = self._execute("SELECT session_id, user_id, ed25519 FROM olm_owner")
        return {session_id: (user_id, ed25519) for session_id, user_id, ed25519 in rows}

    def forget_room(self, room_id: str) -> None:
        self._forget(_OF_ROOM, room_id)

    def forget_keys(self, before: datetime) -> None:
        """Drop the keys that arrived before this moment and that their device does not use any more."""
        self._forget(_OUTLIVED, int(before.timestamp()))

    def _forget(self, which: str, value: str | int) -> None:
        with self.database.atomic():
            for (session_id,) in list(self._execute(which, value)):
                for statement in _FORGET:
                    self._execute(statement, session_id)

    def _execute(self, statement: str, *values: object) -> Any:  # noqa: ANN401 (peewee's cursor)
        return self.database.execute_sql(statement, values)


def store_file(device_id: str, directory: Path) -> Path:
    """Where a device's keys are kept."""
    return directory / f"crypto-{quote(device_id, safe='')}.db"


def open_store(user_id: str, device_id: str, directory: Path, pickle_key: bytes) -> Store:
    """Open the store of one device, made when missing; raises StoreInUse."""
    make_directory(directory)
    file = store_file(device_id, directory)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        store = Store(user_id, device_id, str(directory), pickle_key=pickle_key.hex(), database_name=file.name)
        for table in _OWN_TABLES:
            store.database.execute_sql(table)
    except (OperationalError, sqlite3.OperationalError) as error:
        if "locked" in str(error):
            raise StoreInUse from None
        raise
    return store


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
