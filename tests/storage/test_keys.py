"""The keys file: readable by us only, written whole, never replaced by another."""

import fcntl
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from storage.durable import write_durably
from storage.keys import Keys, KeysFault, changing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "keys.json"


def test_what_was_written_is_read_again(path: Path) -> None:
    made = Keys.create(path)
    assert Keys.load(path) == made
    named = made.with_cross_signing({"master": "seed"})
    named.save()
    assert Keys.load(path) == named
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_only_we_may_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        Keys.create(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    Keys.create(path)
    path.chmod(mode)
    with pytest.raises(KeysFault, match=f"chmod 600 {path}"):
        Keys.load(path)


def test_a_missing_file_says_what_to_do(path: Path) -> None:
    with pytest.raises(KeysFault, match="wenk init"):
        Keys.load(path)


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda raw: json.dumps({key: value for key, value in json.loads(raw).items() if key != name}).encode()


def with_(**changes: object) -> Callable[[bytes], bytes]:
    return lambda raw: json.dumps(json.loads(raw) | changes).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda raw: raw[:-20],
        lambda raw: b"\xff" + raw,
        without("audit"),
        with_(audit="AAAA"),
        with_(audit="!" * 44),
        with_(crypto_store=""),
        with_(master={"1": "AAAA"}),
        with_(master={"one": "A" * 43 + "="}),
        with_(current_master=2),
        with_(current_tag=0),
        with_(colour="blue"),
    ],
)
def test_a_damaged_file_says_what_to_do_and_stays_as_it_is(path: Path, damage: Callable[[bytes], bytes]) -> None:
    Keys.create(path)
    secret = json.loads(path.read_bytes())["tag"]["1"]
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    with pytest.raises(KeysFault, match="backup") as fault:
        Keys.load(path)
    assert secret not in str(fault.value)
    assert path.read_bytes() == damaged


def test_keys_that_are_there_are_never_replaced(path: Path) -> None:
    Keys.create(path)
    there = path.read_bytes()
    with pytest.raises(FileExistsError):
        Keys.create(path)
    assert path.read_bytes() == there
    path.write_bytes(b"damaged")
    with pytest.raises(FileExistsError):
        Keys.create(path)
    assert path.read_bytes() == b"damaged"
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_not_even_by_two_who_make_them_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def somebody_is_faster(handle: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        Keys.create(path)
        sync(handle)

    monkeypatch.setattr(os, "fsync", somebody_is_faster)
    with pytest.raises(FileExistsError):
        Keys.create(path)
    Keys.load(path)


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Keys.create(path)

    def full(_handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        made.with_cross_signing({"master": "seed"}).save()
    assert Keys.load(path) == made
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_the_file_is_on_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File first, then the directory that names it: a power cut leaves the old file or the new one."""
    path, sync, seen = tmp_path / "file", os.fsync, []

    def watch(handle: int) -> None:
        seen.append(("directory" if Path(f"/proc/self/fd/{handle}").resolve() == tmp_path else "file", path.exists()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    write_durably(path, b"new")
    assert seen == [("file", False), ("directory", True)]


def test_who_changes_the_file_is_the_only_one(path: Path) -> None:
    """Else of two who read and write it again, one would lose the key that the other has just added."""
    with changing(path), pytest.raises(BlockingIOError):
        _take(path.parent)
    _take(path.parent)


def _take(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)


def test_new_versions_stand_beside_the_old_ones_until_these_are_taken_away(path: Path) -> None:
    first = Keys.create(path, date(2026, 3, 2))
    both = first.with_new_master(2, date(2027, 3, 2)).with_new_tag(2)
    both.save()
    assert Keys.load(path) == both
    assert both.agree(first)
    assert (both.master[1], both.tag[1], both.audit) == (first.master[1], first.tag[1], first.audit)
    assert both.master_made == {1: date(2026, 3, 2), 2: date(2027, 3, 2)}
    kept = both.without_master(1).without_old_tags()
    kept.save()
    assert Keys.load(path) == kept
    assert (list(kept.master), list(kept.tag), list(kept.master_made)) == ([2], [2], [2])
    with pytest.raises(ValueError, match=r"^$"):
        kept.without_master(2)
    with pytest.raises(ValueError, match=r"^$"):
        kept.with_new_master(2, date(2027, 3, 2))


def test_a_file_of_before_there_were_days_is_read(path: Path) -> None:
    made = Keys.create(path)
    old = json.loads(path.read_bytes())
    assert "master_made" not in old
    path.write_text(json.dumps(old | {"cross_signing": None}))
    assert Keys.load(path) == made
