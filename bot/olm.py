"""What nio keeps of Olm and Megolm, made fit for a bot that must not lose a key nor take one from a stranger."""

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from nio.crypto import InboundGroupSession, Olm, OlmDevice, Session
from nio.store import SqliteStore
from peewee import OperationalError, SqliteDatabase  # type: ignore[import-untyped]  # ships no types

MEGOLM: Final = "m.megolm.v1.aes-sha2"
OLM: Final = "m.olm.v1.curve25519-aes-sha2"

_OWN_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS seen_message (
        session_id TEXT NOT NULL, message_index INTEGER NOT NULL, event_id TEXT NOT NULL,
        PRIMARY KEY (session_id, message_index)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS key_age (session_id TEXT PRIMARY KEY, received_s INTEGER NOT NULL) WITHOUT ROWID",
)


class StoreInUse(Exception):
    """Another process has this crypto store open: two that share ratchets would make each other unreadable."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Store(SqliteStore):
    """nio's store: durable with one sync per commit, and open in one process only."""

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


def open_store(user_id: str, device_id: str, directory: Path, pickle_key: bytes) -> Store:
    """Open the store of one device, made when missing; raises StoreInUse."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"crypto-{quote(device_id, safe='')}.db"
    os.close(os.open(directory / name, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        store = Store(user_id, device_id, str(directory), pickle_key=pickle_key.hex(), database_name=name)
        for table in _OWN_TABLES:
            store.database.execute_sql(table)
    except (OperationalError, sqlite3.OperationalError) as error:
        if "locked" in str(error):
            raise StoreInUse from None
        raise
    return store


class GuardedOlm(Olm):
    """nio's Olm machine, without the doors that a bot has no use for."""

    store: Store

    def create_group_session(
        self, sender_key: str, sender_fp_key: str, room_id: str, session_id: str, session_key: str
    ) -> None:
        """The first key of a session stays: a repetition could only know less of it."""
        if self.inbound_group_store.get(room_id, sender_key, session_id):
            return
        super().create_group_session(sender_key, sender_fp_key, room_id, session_id, session_key)
        self.store.database.execute_sql(
            "INSERT OR IGNORE INTO key_age VALUES (?, ?)", (session_id, int(datetime.now(UTC).timestamp()))
        )

    def _handle_forwarded_room_key_event(self, sender: str, sender_key: str, payload: dict[Any, Any]) -> None:
        """Keys at third hand prove nothing about who spoke: none is asked for, none is taken."""

    def _mark_device_for_unwedging(self, sender: str, sender_key: str) -> None:
        """Only a proven device is worth a new session."""
        device = self.device_store.device_from_sender_key(sender, sender_key)
        if device and device.verified:
            super()._mark_device_for_unwedging(sender, sender_key)  # type: ignore[no-untyped-call]  # nio's

    def session_with(self, curve25519: str) -> Session | None:
        """The Olm session to use with a device, if there is one."""
        return self.session_store.get(curve25519)

    def known_device(self, user_id: str, device_id: str) -> OlmDevice | None:
        return self.device_store[user_id].get(device_id)

    def find_group_session(self, room_id: str, session_id: str, sender_key: object) -> InboundGroupSession | None:
        """The key to a message; newer clients leave `sender_key` out."""
        by_sender = self.inbound_group_store[room_id]
        if isinstance(sender_key, str) and session_id in by_sender.get(sender_key, {}):
            return by_sender[sender_key][session_id]
        return next((sessions[session_id] for sessions in by_sender.values() if session_id in sessions), None)

    def olm_message(self, device: OlmDevice, event_type: str, content: dict[str, Any]) -> dict[str, Any]:
        """The content of an `m.room.encrypted` to-device event; the ratchet is saved before it can be sent."""
        session = self.session_with(device.curve25519)
        message: dict[str, Any] = self._olm_encrypt(session, device, event_type, content)  # type: ignore[no-untyped-call]
        return message

    def seen_before(self, session_id: str, message_index: int, event_id: str) -> bool:
        """Whether this message came before as another event: then somebody repeats it. Remembered on disk."""
        key = (session_id, message_index)
        self.store.database.execute_sql("INSERT OR IGNORE INTO seen_message VALUES (?, ?, ?)", (*key, event_id))
        query = "SELECT event_id FROM seen_message WHERE session_id = ? AND message_index = ?"
        return bool(self.store.database.execute_sql(query, key).fetchone()[0] != event_id)
