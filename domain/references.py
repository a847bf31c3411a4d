"""The references by which people speak of signals, matches and the like: random, and easy to read out loud."""

import re
from collections.abc import Callable
from typing import Literal

Kind = Literal["S", "M", "R", "C", "A", "O"]
"""Signal, match (its introduction), review, case, approval, organisation."""

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: without I, L, O (they look like figures) and U."""

_LENGTH = 6
_MEANT = str.maketrans("ILO", "110")
# ASCII: in Unicode a Kelvin sign is a k.
_BODY = re.compile(f"(?:[-\u2010\u2011\u2013\u2014]|\\s)?([0-9A-TV-Z]{{{_LENGTH}}})", re.IGNORECASE | re.ASCII)


def make_reference(kind: Kind, randbelow: Callable[[int], int]) -> str:
    """`S-7K3QZ9`; `randbelow(n)` gives a number from 0 to n - 1, in production from `secrets`."""
    return f"{kind}-" + "".join(CROCKFORD[randbelow(len(CROCKFORD))] for _ in range(_LENGTH))


def parse_reference(text: str, kind: Kind) -> str | None:
    """The reference of that kind which was typed, whatever its case and dash; None if it is none."""
    typed = text.strip()
    body = _BODY.fullmatch(typed, 1)
    if body is None or typed[0].upper() != kind:
        return None
    return f"{kind}-{body[1].upper().translate(_MEANT)}"
