"""Between SQLite and its files: what it writes, syncs, makes and deletes is noted; all else goes straight through.

The very SQLite that Python's `sqlite3` uses is given another default VFS: a copy of its own in which opening and
deleting are ours, and of each open file the methods that write, truncate, sync and close. (The shared memory of a WAL
is no file of the VFS, and nothing of it outlives a power cut.) A directory counts as synced when SQLite opens it: it
opens it for nothing else.
"""

import _sqlite3
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any, Final

import pytest

from tests.power.disk import Disk, Resized, Synced, Written

_OK: Final = 0
_IOERR: Final = 10
_NAME: Final = b"watched"

_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_CLOSE = CFUNCTYPE(c_int, c_void_p)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
_GET_CALL = CFUNCTYPE(c_void_p, c_void_p, c_char_p)
_SET_CALL = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)
_OPEN_DIRECTORY = CFUNCTYPE(c_int, c_char_p, POINTER(c_int))


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = (
        ("version", c_int), ("file_size", c_int), ("longest_path", c_int), ("next", c_void_p), ("name", c_char_p),
        ("data", c_void_p), ("open", c_void_p), ("delete", c_void_p), ("middle", c_void_p * 11),
        ("set_call", c_void_p), ("get_call", c_void_p), ("next_call", c_void_p),
    )  # fmt: skip


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = (
        ("version", c_int), ("close", c_void_p), ("read", c_void_p), ("write", c_void_p), ("truncate", c_void_p),
        ("sync", c_void_p), ("rest", c_void_p * 13),
    )  # fmt: skip


class _File(ctypes.Structure):
    """The beginning of every sqlite3_file."""

    _fields_ = (("methods", POINTER(_Methods)),)


def _library() -> ctypes.CDLL:
    """The SQLite that `sqlite3` was linked with: its own library is asked, and so are those that it is linked to."""
    file = getattr(_sqlite3, "__file__", None)
    library = ctypes.CDLL(file) if file else None
    if library is None or not hasattr(library, "sqlite3_vfs_find"):
        pytest.skip("SQLite is built into this Python, and its VFS cannot be reached: no power cut can be played")
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    return library


class _Watch:
    """One VFS, noting for one disk."""

    def __init__(self, disk: Disk, library: ctypes.CDLL) -> None:
        self.faults: list[BaseException] = []
        self._disk = disk
        self._real: _Vfs = library.sqlite3_vfs_find(None).contents
        self._kept: list[Any] = []
        """What C holds pointers to, and Python must not collect."""
        self._numbers: dict[int, int] = {}
        """The disk's numbers of open files, by the address at which SQLite keeps the file."""
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}
        self.vfs = _Vfs.from_buffer_copy(self._real)
        self.vfs.name = _NAME
        self._real_open, self._real_delete = _OPEN(self._real.open), _DELETE(self._real.delete)
        self.vfs.open = self._pointer(_OPEN, self._open)
        self.vfs.delete = self._pointer(_DELETE, self._delete)
        self._real_open_directory = _OPEN_DIRECTORY(self._get_call(b"openDirectory"))
        self._set_call(b"openDirectory", self._pointer(_OPEN_DIRECTORY, self._open_directory))

    def end(self) -> None:
        self._set_call(b"openDirectory", None)
        if self.faults:
            raise self.faults[0]

    def _get_call(self, name: bytes) -> int:
        found: int = _GET_CALL(self._real.get_call)(ctypes.addressof(self._real), name)
        return found

    def _set_call(self, name: bytes, function: int | None) -> None:
        assert _SET_CALL(self._real.set_call)(ctypes.addressof(self._real), name, function) == _OK

    def _pointer(self, kind: Any, function: Callable[..., int]) -> int | None:  # noqa: ANN401 (ctypes' own types)
        """For C; an exception cannot go there, so it is an error of the disk and kept for later."""

        def guarded(*arguments: Any) -> int:  # noqa: ANN401 (whatever C gives)
            try:
                return function(*arguments)
            except BaseException as fault:  # noqa: BLE001 (raised when it is over, see `end`)
                self.faults.append(fault)
                return _IOERR

        self._kept.append(kind(guarded))
        return ctypes.cast(self._kept[-1], c_void_p).value

    def _open(self, vfs: int, name: int | None, file: int, flags: int, flags_out: int | None) -> int:
        path = Path(os.fsdecode(ctypes.string_at(name))) if name else None
        there = path is not None and path.exists()
        result: int = self._real_open(vfs, name, file, flags, flags_out)
        if result == _OK and path is not None and self._disk.holds(path):
            number = self._disk.number(path.stat().st_ino) if there else self._disk.created(path)
            assert number is not None, "a database that was there before anybody watched"
            self._numbers[file] = number
            opened = ctypes.cast(file, POINTER(_File)).contents
            opened.methods = ctypes.pointer(self._watched(opened.methods.contents))
        return result

    def _watched(self, real: _Methods) -> _Methods:
        """The same methods, noted; one copy for each kind of file that SQLite knows."""
        known = self._methods.get(ctypes.addressof(real))
        if known is None:
            ours = _Methods.from_buffer_copy(real)
            close, write = _CLOSE(real.close), _WRITE(real.write)
            truncate, sync = _TRUNCATE(real.truncate), _SYNC(real.sync)

            def closed(file: int) -> int:
                del self._numbers[file]
                return int(close(file))

            def written(file: int, data: int, size: int, offset: int) -> int:
                self._disk.note(self._numbers[file], Written(offset, ctypes.string_at(data, size)))
                return int(write(file, data, size, offset))

            def truncated(file: int, size: int) -> int:
                self._disk.note(self._numbers[file], Resized(size))
                return int(truncate(file, size))

            def synced(file: int, flags: int) -> int:
                result = int(sync(file, flags))
                self._disk.note(self._numbers[file], Synced())
                return result

            ours.close, ours.write = self._pointer(_CLOSE, closed), self._pointer(_WRITE, written)
            ours.truncate, ours.sync = self._pointer(_TRUNCATE, truncated), self._pointer(_SYNC, synced)
            known = self._methods[ctypes.addressof(real)] = ours, real
        return known[0]

    def _delete(self, vfs: int, name: bytes, sync_directory: int) -> int:
        path = Path(os.fsdecode(name))
        if self._disk.holds(path) and path.exists():
            self._disk.named(path, None)  # first: the directory may be synced within
        return int(self._real_delete(vfs, name, sync_directory))

    def _open_directory(self, name: bytes, handle: Any) -> int:  # noqa: ANN401 (a pointer to an int)
        directory = Path(os.fsdecode(name)).parent
        result = int(self._real_open_directory(name, handle))
        if result == _OK and self._disk.holds(directory):
            number = self._disk.number(directory.stat().st_ino)
            assert number is not None
            self._disk.note(number, Synced())
        return result


_ended: Final[list[_Watch]] = []
"""Never collected: a database that somebody forgot to close would call into nowhere."""


@contextmanager
def watch_sqlite(disk: Disk) -> Iterator[None]:
    """What SQLite does in the directory of this disk is noted; databases are to be opened and closed within."""
    library = _library()
    watch = _Watch(disk, library)
    assert library.sqlite3_vfs_register(ctypes.byref(watch.vfs), 1) == _OK
    try:
        yield
    finally:
        _ended.append(watch)
        assert library.sqlite3_vfs_unregister(ctypes.byref(watch.vfs)) == _OK
        watch.end()
