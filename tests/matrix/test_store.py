"""The crypto store: readable with its key only, open once, and without old keys."""

import gc
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import repeat
from pathlib import Path

import pytest
import vodozemac

from bot.crypto import KEPT, Machine, NoKey
from bot.olm import MEGOLM
from bot.store import (
    StoreFailed,
    StoreSealed,
    StoreSetBack,
    open_store,
    refuse_set_back,
    store_file,
)
from storage.inbox import StoreMark

BOT, ROOM, KEY = "@bot:x", "!room", b"k" * 32


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine.open(BOT, "DEVICE", tmp_path, KEY)
    yield machine
    machine.close()


def hear(machine: Machine, sender_key: str = "sender") -> dict[str, dict[str, str]]:
    """Somebody shares a key and says something with it."""
    session = vodozemac.GroupSession()
    machine._olm.create_group_session(sender_key, "ed25519", ROOM, session.session_id, session.session_key.to_base64())
    text = session.encrypt(b'{"type": "m.room.message", "content": {"body": "hallo"}, "room_id": "!room"}')
    return {"content": {"algorithm": MEGOLM, "session_id": session.session_id, "ciphertext": text.to_base64()}}


def test_it_is_the_same_device_when_it_is_opened_again(tmp_path: Path, machine: Machine) -> None:
    device, event = machine.device, hear(machine)
    machine.close()
    again = Machine.open(BOT, "DEVICE", tmp_path, KEY)
    assert again.device == device
    assert again.decrypt(event, ROOM).content == {"body": "hallo"}
    again.close()


def test_another_key_does_not_open_it(tmp_path: Path, machine: Machine) -> None:
    """FIELD-NOTES 9: nio's pickle key is DEFAULT_KEY unless one is given."""
    machine.close()
    for other in (b"o" * 32, b"DEFAULT_KEY", b""):
        with pytest.raises(StoreSealed):
            Machine.open(BOT, "DEVICE", tmp_path, other)


def test_nobody_else_may_read_it(tmp_path: Path, machine: Machine) -> None:
    hear(machine)
    files = list(tmp_path.iterdir())
    assert files
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert all("bot" not in file.name for file in files)


@pytest.mark.usefixtures("machine")
def test_two_processes_never_share_it(tmp_path: Path) -> None:
    """Each would roll the other's ratchets back."""
    script = (
        "import sys; from pathlib import Path; from bot.crypto import Machine; from bot.store import StoreInUse\n"
        "try: Machine.open('@bot:x', 'DEVICE', Path(sys.argv[1]), b'k' * 32)\n"
        "except StoreInUse: print('in use')"
    )
    run = subprocess.run(  # noqa: S603 (our own interpreter and code)
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert run.stdout == "in use\n"


def test_it_is_durable(machine: Machine) -> None:
    """A ratchet that was used must not come back after a power cut."""
    database = machine._olm.store.database
    pragmas = {name: database.execute_sql(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS}
    assert pragmas == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "locking_mode": "exclusive"}


def months_pass(machine: Machine) -> None:
    machine._olm.store.database.execute_sql(
        "UPDATE room_key SET received_s = received_s - ?", (int((KEPT + timedelta(days=1)).total_seconds()),)
    )


def test_the_last_key_of_a_device_stays(tmp_path: Path, machine: Machine) -> None:
    """Who was silent for months, or whose clock is another, speaks with it still and does not give it again."""
    first = hear(machine)
    months_pass(machine)
    machine.forget_old_keys()
    assert machine.decrypt(first, ROOM).content == {"body": "hallo"}
    machine.close()
    again = Machine.open(BOT, "DEVICE", tmp_path, KEY)
    assert again.decrypt(first, ROOM).content == {"body": "hallo"}
    again.close()


def test_old_keys_are_dropped(tmp_path: Path, machine: Machine) -> None:
    """What was erased in the database must not be readable from copies of the chat."""
    old = hear(machine)
    assert machine.decrypt(old, ROOM).content == {"body": "hallo"}
    months_pass(machine)
    young = hear(machine)
    assert machine.decrypt(young, ROOM).content == {"body": "hallo"}
    machine.forget_old_keys()
    with pytest.raises(NoKey):
        machine.decrypt(old, ROOM)
    machine.close()
    again = Machine.open(BOT, "DEVICE", tmp_path, KEY)
    with pytest.raises(NoKey):
        again.decrypt(old, ROOM)
    assert again.decrypt(young, ROOM).content == {"body": "hallo"}
    left = again._olm.store.database.execute_sql("SELECT count(*) FROM seen_message").fetchone()
    assert left == (1,)
    again.close()


def test_a_repeated_key_does_not_take_anything_away(machine: Machine) -> None:
    """nio replaces the key by what was sent last, which may begin later: all before becomes unreadable."""
    session = vodozemac.GroupSession()
    share = machine._olm.create_group_session
    share("sender", "ed25519", ROOM, session.session_id, session.session_key.to_base64())
    text = session.encrypt(b'{"type": "t", "content": {"body": "hallo"}, "room_id": "!room"}').to_base64()
    share("sender", "ed25519", ROOM, session.session_id, session.session_key.to_base64())
    event = {"content": {"algorithm": MEGOLM, "session_id": session.session_id, "ciphertext": text}}
    assert machine.decrypt(event, ROOM).content == {"body": "hallo"}


def test_keys_at_third_hand_are_not_taken(machine: Machine) -> None:
    session = vodozemac.GroupSession()
    exported = vodozemac.InboundGroupSession(session.session_key).export_at(0)
    assert exported
    content: dict[str, object] = {
        "algorithm": MEGOLM,
        "room_id": ROOM,
        "session_id": session.session_id,
        "session_key": exported.to_base64(),
        "sender_key": "sender",
        "sender_claimed_ed25519_key": "ed25519",
        "forwarding_curve25519_key_chain": [],
    }
    payload = {"type": "m.forwarded_room_key", "sender": BOT, "keys": {"ed25519": "x"}, "content": content}
    assert machine._olm._handle_olm_event(BOT, "sender", payload) is None
    assert machine._olm.find_group_session(ROOM, session.session_id, None) is None


def test_a_message_of_a_newer_client_leaves_the_sender_key_out(machine: Machine) -> None:
    event = hear(machine)
    plain = machine.decrypt(event, ROOM)
    event["content"]["sender_key"] = "somebody else"
    assert machine.decrypt(event, ROOM).sender_key == plain.sender_key == "sender"


def test_the_store_of_another_device_is_another_file(tmp_path: Path, machine: Machine) -> None:
    """FIELD-NOTES 14, 15: a new device begins with nothing of the old one."""
    other = Machine.open(BOT, "OTHER", tmp_path, KEY)
    assert other.device.curve25519 != machine.device.curve25519
    other.close()


def test_a_device_id_is_no_path(tmp_path: Path) -> None:
    store = open_store(BOT, "../../evil", tmp_path / "inner", KEY)
    store.database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]


def _is_set_back(directory: Path, mark: StoreMark | None, device_id: str = "DEVICE") -> bool:
    try:
        refuse_set_back(BOT, device_id, directory, mark)
    except StoreSetBack:
        return True
    return False


def test_an_old_copy_is_noticed_and_a_crash_is_not_taken_for_one(tmp_path: Path, machine: Machine) -> None:
    """Of each batch the store knows first: a crash between the two leaves it ahead of the database, never behind."""
    stored = machine.count_batch()
    only_here = machine.count_batch()
    machine.close()
    assert not _is_set_back(tmp_path, stored)
    assert not _is_set_back(tmp_path, only_here)
    copy = shutil.copytree(tmp_path, tmp_path.with_name("copy"))

    again = Machine.open(BOT, "DEVICE", tmp_path, KEY)
    later = again.count_batch()
    again.close()
    assert not _is_set_back(tmp_path, later)
    assert _is_set_back(copy, later)
    assert not _is_set_back(copy, None), "a database that never knew of a store"
    assert not _is_set_back(copy, StoreMark("OTHER", later.batches)), "nor of this one"


def test_a_disk_that_was_full_once_is_not_written_to_again(tmp_path: Path, machine: Machine) -> None:
    """What memory knows and the disk does not must not seem to be kept; the next process begins with the disk."""
    connection = machine._olm.store.database.connection()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(StoreFailed) as full:
        list(map(hear, repeat(machine)))
    assert "full" in str(full.value.__cause__)
    connection.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(StoreFailed):
        hear(machine)
    machine.close()
    del full
    gc.collect()  # the fault's frames hold a cursor, and that the file; a process would end now
    again = Machine.open(BOT, "DEVICE", tmp_path, KEY)
    assert again.decrypt(hear(again), ROOM).content == {"body": "hallo"}
    again.close()


def test_a_file_that_is_no_store_is_said_in_words(tmp_path: Path) -> None:
    store_file("DEVICE", tmp_path).write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreFailed, match="disk space"):
        Machine.open(BOT, "DEVICE", tmp_path, KEY)
