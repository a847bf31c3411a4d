"""The clock of other processes, moved from outside by libfaketime (from PyPI): years pass while nobody waits.

Only the time of day moves; the monotonic clock, by which programs wait, goes on as it is.
"""

import importlib.util
from datetime import timedelta
from pathlib import Path
from typing import Final

_LIBRARY: Final = Path("vendor", "libfaketime", "src", "libfaketime.so.1")
_READ_AGAIN_S: Final = 0  # in full seconds, and more than that: the file is read each second


class ClockMissing(Exception):
    """libfaketime is not installed here, or not made for this machine: pip install 'wenk[demo]', on Linux (x86-64)."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def library() -> Path:
    """The library that is preloaded into a process; raises ClockMissing."""
    package = importlib.util.find_spec("libfaketime")
    for folder in package.submodule_search_locations or () if package else ():
        if (found := Path(folder, _LIBRARY)).exists():
            return found
    raise ClockMissing


def moved(offset: timedelta) -> dict[str, str]:
    """An environment in which a process believes that it is so much later (or earlier); raises ClockMissing."""
    return _preloaded() | {"FAKETIME": _relative(offset)}


class LiveClock:
    """A clock that is moved while the processes that look at it are running.

    Attributes:
        env: the environment of such a process.
    """

    def __init__(self, file: Path) -> None:
        """Prepare a clock that shows the right time until it is moved; raises ClockMissing.

        Args:
            file: where the offset is written; made now.
        """
        self._file = file.absolute()
        self.env = _preloaded() | {
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_READ_AGAIN_S),
        }
        self.move(timedelta())

    def move(self, offset: timedelta) -> None:
        """It is so much later now than it really is; running processes see it within about a second."""
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(_relative(offset) + "\n")
        fresh.replace(self._file)  # nobody reads half of it


def _preloaded() -> dict[str, str]:
    return {
        "LD_PRELOAD": str(library()),
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",  # the times of files are left as they are
    }


def _relative(offset: timedelta) -> str:
    return f"{int(offset.total_seconds()):+d}"
