"""Call names: who is Johannes in the register is Jan to everybody. The table is `callnames.txt`, beside this file."""

from collections.abc import Iterator, Mapping
from importlib.resources import files

from domain.names import fold


def formal_names(name: str) -> frozenset[str]:
    """The given names of which this folded name is a known call name."""
    return _FORMAL.get(name, frozenset())


def is_call_name(one: str, other: str) -> bool:
    """One of the two folded names is a known call name of the other. Two call names of one name are not."""
    return other in formal_names(one) or one in formal_names(other)


def table() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each given name with its call names, folded."""
    for line in files("domain").joinpath("callnames.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, _, called = line.partition(":")
            yield fold(name), tuple(map(fold, called.split()))


def _formal() -> Mapping[str, frozenset[str]]:
    formal: dict[str, set[str]] = {}
    for name, called in table():
        for short in called:
            formal.setdefault(short, set()).add(name)
    return {short: frozenset(names) for short, names in formal.items()}


# Part of the code as a constant is: it comes with the package and does not change while it runs.
_FORMAL = _formal()
