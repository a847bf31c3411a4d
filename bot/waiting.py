"""How long to wait before something is tried again: as the server says, else ever longer, within bounds."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
LONGEST_OBEYED_S: Final = 3600.0  # a Retry-After beyond an hour is a mistake: nobody would see the bot come back
_LONGEST_OBEYED_MS: Final = 1000 * LONGEST_OBEYED_S


def again_in_s(retry_after: str | None, body: Any) -> float | None:  # noqa: ANN401 (JSON)
    """How long we are told to wait, within bounds; None if nothing of use is said."""
    seconds = _seconds(retry_after, body)
    return min(seconds, LONGEST_OBEYED_S) if seconds is not None and seconds > 0 else None


def _seconds(retry_after: str | None, body: Any) -> float | None:  # noqa: ANN401 (JSON)
    """How long we are told to wait: in seconds, as a moment, or in Matrix' older milliseconds."""
    if retry_after is not None:
        try:
            return float(retry_after)
        except ValueError:
            pass
        try:
            return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            pass
    milliseconds = body.get("retry_after_ms") if isinstance(body, dict) else None
    # Divided as it stands, a number of four hundred digits would not fit.
    return min(milliseconds, _LONGEST_OBEYED_MS) / 1000 if isinstance(milliseconds, int | float) else None


def backoff_s(attempt: int, asked_s: float | None = None) -> float:
    """Seconds until the next attempt: what the server asked for, else doubling with jitter, within bounds."""
    if asked_s is not None:
        return asked_s
    doubling = FIRST_PAUSE_S * 2.0 ** min(attempt, 10)
    return min(LONGEST_PAUSE_S, doubling * random.uniform(1.0, 1.5))  # noqa: S311 (jitter is no secret)
