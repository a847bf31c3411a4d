"""This machine's clock, held against the homeserver's: whatever is done is done on a day, and written down with it."""

from datetime import timedelta

from bot.http import Homeserver
from bot.metrics import Metrics
from storage.database import Clock

MOST_APART = timedelta(hours=1)
_PATIENCE_S = 2.0
"""A server that starts again is not worth an alarm."""


class Clocks:
    """Whether the two clocks agree; a homeserver that does not tell the time agrees with nobody."""

    def __init__(self, http: Homeserver, clock: Clock, metrics: Metrics) -> None:
        self._http = http
        self._clock = clock
        self._metrics = metrics

    async def agree(self) -> bool:
        """Asked now."""
        await self._http.request("GET", "/_matrix/client/versions", authenticated=False, patience_s=_PATIENCE_S)
        return self._compare()

    async def still_agree(self) -> bool:
        """By what the homeserver said last, which costs no request; asked again if that would mean that they do not."""
        return self._compare() or await self.agree()

    def _compare(self) -> bool:
        theirs = self._http.server_time()
        apart = self._clock() - theirs if theirs else timedelta.max
        self._metrics.clock_offset.set(apart.total_seconds())
        return abs(apart) <= MOST_APART
