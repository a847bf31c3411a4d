"""Call names: who is Johannes in the register is Jan to everybody. The table is `domain/callname_table.py`."""

from collections.abc import Iterator, Mapping

from domain.callname_table import CALLED, PERHAPS
from domain.names import fold


def formal_names(name: str) -> frozenset[str]:
    """The given names of which this folded name is a known call name."""
    return _FORMAL.get(name, frozenset())


def is_call_name(one: str, other: str) -> bool:
    """One of the two folded names is a known call name of the other. Two call names of one name are not."""
    return other in formal_names(one) or one in formal_names(other)


def perhaps_call_name(one: str, other: str) -> bool:
    """One may be a call name of the other, and either the name of another child of the family."""
    return other in _PERHAPS.get(one, ()) or one in _PERHAPS.get(other, ())


def table(called: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each given name with its call names, folded."""
    for name, short in called.items():
        yield fold(name), tuple(map(fold, short.split()))


def _formal(names: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    formal: dict[str, set[str]] = {}
    for name, called in table(names):
        for short in called:
            formal.setdefault(short, set()).add(name)
    return {short: frozenset(names) for short, names in formal.items()}


_FORMAL, _PERHAPS = _formal(CALLED), _formal(PERHAPS)
