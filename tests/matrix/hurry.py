"""A loop in which hours pass in no time: it waits for what is under way, and not for the clock."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_UNDER_WAY_S: Final = 0.002
"""Within one process what was sent is there at once; where nothing is to be read, everybody waits for the clock."""


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next moment for which somebody waits.

    Attributes:
        hurried: whether it does so now. Not while another process is to answer: that takes its time.
    """

    def __init__(self) -> None:
        self.hurried = False
        self.ahead_s = 0.0
        super().__init__(_Impatient(self))

    def time(self) -> float:
        return super().time() + self.ahead_s


class _Impatient(selectors.DefaultSelector):
    def __init__(self, loop: HurriedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self._loop.hurried or timeout is None or timeout <= _UNDER_WAY_S:
            return list(super().select(timeout))
        found = list(super().select(_UNDER_WAY_S))
        if not found:
            self._loop.ahead_s += timeout
        return found


def in_no_time(work: Coroutine[Any, Any, T]) -> T:
    """Run something that waits for nothing but the clock and itself."""
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, HurriedLoop)
        loop.hurried = True
        return runner.run(work)
