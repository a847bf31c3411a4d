"""Why two signals may be about one child, in words."""

from domain.matching import Decision
from handlers.words import Line


def explain(_decision: Decision) -> tuple[Line, ...]:
    """What speaks for it, the most telling first, and what against."""
    return ()
