"""Figures, and the table in which they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Sample:
    """What was measured, in `unit`."""

    values: tuple[float, ...]
    unit: str = "ms"

    @property
    def median(self) -> float:
        return median(self.values)

    def __str__(self) -> str:
        """Median, (10th to 90th percentile), how many."""
        if len(self.values) == 1:
            return f"{self.median:.3g} {self.unit}"
        low, *_, high = quantiles(self.values, n=10, method="inclusive")
        return f"{self.median:.4g} {self.unit} ({low:.4g}..{high:.4g}, n={len(self.values)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        wenk: measured on Wenk.
        bare: the same on bare Matrix, if there is such a thing.
        at_most: the target of the ratio Wenk to bare.
        at_least: as `at_most`.
        note: what else is to be said.
    """

    what: str
    wenk: Sample
    bare: Sample | None = None
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.wenk.median / self.bare.median if self.bare else None

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"at most {self.at_most:.2f}"
        return f"at least {self.at_least:.2f}" if self.at_least is not None else ""

    @property
    def is_met(self) -> bool:
        """True if there is no target."""
        if self.ratio is None:
            return True
        too_much = self.at_most is not None and self.ratio > self.at_most
        too_little = self.at_least is not None and self.ratio < self.at_least
        return not too_much and not too_little


def table(figures: Sequence[Figure]) -> Table:
    """All figures; a target that is missed is red."""
    shown = Table("", "Wenk", "bare Matrix", "ratio", "target", "", title="median (p10..p90, n)")
    for one in figures:
        colour = "green" if one.is_met else "red"
        ratio = f"[{colour}]{one.ratio:.2f}[/]" if one.ratio is not None else ""
        shown.add_row(one.what, str(one.wenk), str(one.bare or ""), ratio, one.target, one.note)
    return shown


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table of its own columns; the target is shown red if it is missed."""

    what: str
    cells: tuple[str, ...]
    target: str = ""
    is_met: bool = True


def lines(title: str, heads: Sequence[str], shown: Sequence[Line]) -> Table:
    """Such a table."""
    out = Table("", *heads, "target", title=title)
    for one in shown:
        colour = "green" if one.is_met else "red"
        out.add_row(one.what, *one.cells, f"[{colour}]{one.target}[/]" if one.target else "")
    return out
