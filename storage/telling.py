"""How a notice is packed before it is sealed: as long for every family, from the day on which its signal is placed."""

import struct
from collections.abc import Sequence
from datetime import date

from domain.notice import ADDRESSEES, Notice

# Since when, how often reminded, and the day of each addressee (0: not told).
_PACKED = struct.Struct(">Ib2I")


def pack(notice: Notice) -> bytes:
    """All but whom one must tell, which is known otherwise."""
    days = [notice.told[who].toordinal() if who in notice.told else 0 for who in ADDRESSEES]
    return _PACKED.pack(notice.since.toordinal(), notice.reminded, *days)


def unpack(packed: bytes, must: Sequence[str]) -> Notice:
    """What `pack` made, and whom one must tell."""
    since, reminded, *days = _PACKED.unpack(packed)
    told = {who: date.fromordinal(day) for who, day in zip(ADDRESSEES, days, strict=True) if day}
    return Notice(must=tuple(must), since=date.fromordinal(since), told=told, reminded=reminded)
