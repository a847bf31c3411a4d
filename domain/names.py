"""Names of people: which texts are names, and when two of them are surely the same."""

import re
from unicodedata import category, combining, normalize

from domain.faults import BadInput

LONGEST = 100
"""Characters in the given names, or in the surname."""


class BadName(BadInput):
    """`empty`, `too_long` or `not_a_name`."""


# In their own order: ' ` and acute as typed for want of better; left, right and reversed quotation marks, prime; the
# modifier letters apostrophe, turned comma, half rings.
_APOSTROPHES = "'`\u00b4\u2018\u2019\u201b\u2032\u02bc\u02bb\u02be\u02bf"
_HYPHENS = "-\u2010\u2011"
# Persian and Indic names are spelled with these two; any other invisible character is dropped.
_JOINERS = "\u200c\u200d"
_IN_A_NAME = frozenset(f" .,{_APOSTROPHES}{_HYPHENS}{_JOINERS}")
# Letters that Unicode does not take apart.
_FOLDED = str.maketrans(
    {
        "\u00f8": "o",  # o with stroke
        "\u0142": "l",  # l with stroke
        "\u0111": "d",  # d with stroke
        "\u00f0": "d",  # eth
        "\u00fe": "th",  # thorn
        "\u00df": "ss",  # sharp s
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u0131": "i",  # dotless i
        **dict.fromkeys(_APOSTROPHES, ""),
    }
)
_FOLDED_ASCII = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()} | {"'": "", "`": ""})
# The prefixes of table 36 of the Dutch register of persons (BRP) word by word, as they are shortened (`o.d.`, `v.h.`),
# and Arabic ones; all as `fold` writes them, so `bij` is `by`.
PREFIXES = frozenset(
    """
    a aan abu ait al am auf aus ben bin boven by d da dal dalla das de degli dei del della den der des di die do don
    dos du el h het i ibn im in l la las le les lo los o od onder op over s t te ten ter tho thoe thor to toe tot u
    ud uit unter uyt v van vanden vander vd ver vh vom von voor vor vt zu zum zur
    """.split()  # noqa: SIM905 (a list of words, not a column of quotes)
)

# What stands before the second half of a given name, with which it is one.
_PARTICLES = frozenset("abd abdel abdoel abdul abou abu al el ibn oum umm".split())  # noqa: SIM905 (as above)
_APART = re.compile(r"[\s.,]+")


def check_name(text: str) -> str:
    """The name in one spelling: white space collapsed, composed (NFC). Raises BadName.

    A name has letters of any script and their marks, spaces, hyphens, apostrophes, full stops (`v.d.`) and commas
    (`Berg, van der`).
    """
    visible = "".join(char for char in text if category(char) != "Cf" or char in _JOINERS)
    name = normalize("NFC", " ".join(visible.split()))
    if not name:
        raise BadName("empty")
    if len(name) > LONGEST:
        raise BadName("too_long")
    if not all(char in _IN_A_NAME or category(char)[0] in "LM" for char in name):
        raise BadName("not_a_name")
    if not any(char.isalpha() for char in fold(name)):
        raise BadName("not_a_name")
    return name


def fold(text: str) -> str:
    """What is left of a name when case, accents, apostrophes and punctuation are taken away; `ij` is `y`.

    Vowel signs of other scripts stay: they are letters to who reads them.
    """
    words = text.lower().translate(_FOLDED_ASCII) if text.isascii() else _fold_any(text)
    return " ".join(words.replace("ij", "y").split())


def _fold_any(text: str) -> str:
    plain = normalize("NFKD", text.translate(_FOLDED)).casefold()
    plain = normalize("NFKD", plain).translate(_FOLDED)
    bare = (char for char in plain if not combining(char) and category(char) != "Cf")
    return "".join(char if category(char)[0] in "LMN" else " " for char in bare)


def given_names(given: str) -> tuple[str, ...]:
    """The given names to compare: folded, one that is hyphenated or has a particle (`Abdul Rahman`) as one word.

    So `Anne-Marie` and `Anne-Sophie` have no name in common. An initial is a name of one letter.
    """
    names: list[str] = []
    glued = ""
    for word in _APART.split(given):
        folded = glued + fold(word).replace(" ", "")
        glued = folded if folded in _PARTICLES else ""
        if folded and not glued:
            names.append(folded)
    return (*names, glued) if glued else tuple(names)


def surname_parts(surname: str) -> tuple[str, ...]:
    """The words of the surname without its prefixes, sorted, each once: those of a double name come in any order."""
    words = fold(surname).split()
    return tuple(sorted({word for word in words if word not in PREFIXES} or set(words)))


def given_key(given: str) -> tuple[str, ...]:
    """The given names, each folded, in their order."""
    return tuple(fold(given).split())


def surname_key(surname: str) -> tuple[str, ...]:
    """All words of the surname, folded, with a prefix that stands behind (`Vries, de`) put in front.

    Nothing is left out: `Vries` is another name than `de Vries`, and `v.d. Berg` may be `van de` or `van der`.
    """
    words = fold(surname).split()
    end = len(words)
    while end and words[end - 1] in PREFIXES:
        end -= 1
    # A name of nothing but prefixes (Le, Ben) is a name.
    return tuple(words[end:] + words[:end])
