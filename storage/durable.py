"""Files that are complete and on disk, or not there at all; readable by nobody else."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_durably(path: Path, *, new: bool = False) -> Iterator[Path]:
    """Write to the path that is given, an empty file of mode 0600 beside `path`; then it stands at `path`.

    A power cut leaves the old file or the new one. A `new` file takes nobody's place, not even when two are written at
    the same moment: raises FileExistsError.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        if new:
            path.hardlink_to(temporary)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def write_durably(path: Path, content: bytes, *, new: bool = False) -> None:
    """Put `content` at `path` as `written_durably` does."""
    with written_durably(path, new=new) as temporary:
        temporary.write_bytes(content)


def make_directory(path: Path) -> None:
    """Make a directory for nobody else's eyes, if it is not there: it does not vanish with all that is put into it."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        _sync(each.parent)


def _sync(path: Path) -> None:
    """What was written to this file, or into this directory, is on disk from now on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
