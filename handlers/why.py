"""A matcher's decision in words, for the coordinator who has to decide.

They say what agrees and what does not, never what it is: the two identities are shown beside them, and who placed the
signals is shown to nobody.
"""

from domain.levels import Born, Given, House, Level, Place, Postcode, Street, Surname
from domain.matching import Decision
from handlers.words import Line, line

_AGREE: tuple[Level, ...] = (
    Born.SAME, Given.MORE, Given.SAME, Given.CALL, Surname.SAME, Postcode.SAME, House.SAME,
)  # fmt: skip
_ALIKE: tuple[Level, ...] = (
    Born.SWAPPED, Given.SWAPPED, Surname.CORE, Surname.PART, Born.TYPO, Given.TYPO, Surname.TYPO, Given.APART,
    Given.AMONG, Given.SIMILAR, Surname.SIMILAR, Given.CROSSED, Given.INITIAL, Given.BEGINS, Born.MONTH, Born.MOST,
    Born.YEAR, Postcode.SWAPPED, Postcode.TYPO, Postcode.AREA, House.SUFFIX, House.TYPO,
)  # fmt: skip
_DIFFER: tuple[Level, ...] = (Given.OTHER, Born.OTHER, Surname.OTHER, Postcode.OTHER, House.OTHER)
_AGAINST = ("guard.twin", "guard.born", "guard.surname", "guard.shielded")
TOLD = (*_AGREE, *_ALIKE, *_DIFFER, *_AGAINST)
"""The reasons that have a text, `why.<reason>`, the most telling first and what speaks against a match last."""
LEFT_OUT = frozenset(
    {
        *(field["UNKNOWN"] for field in (Born, Given, Surname, Postcode, House)),  # says nothing
        Surname.SWAPPED,  # is told as the given name's
        *Street,  # a signal has neither
        *Place,
    }
)
"""The reasons that have none."""


def explain(decision: Decision) -> tuple[Line, ...]:
    """Why, one short line for each reason that says something, in the order of TOLD."""
    return tuple(line(f"why.{reason}") for reason in TOLD if reason in decision.reasons)
