"""How two professionals write down the same child: for `training.another`, whose first lines say what it is for."""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from typo import StrErrer

# --- How often, of the rows of the second professional; the first errs in a part of them ------------------------------
OTHER_ADDRESS = 0.20  # moved, or the other parent's; of the second only
NO_ADDRESS = 0.005
FEWER_NAMES = 0.50  # of those with several given names: only the first; each professional for himself
CALL_NAME = 0.20  # of those with a call name: about 4% of all
SPELLED_OTHERWISE = 0.02  # a given name as another would spell it: Sofie, Sophie
ONLY_SECOND_NAME = 0.006
INITIALS = 0.012
GIVEN_MISTYPED, SURNAME_MISTYPED = 0.022, 0.022
SURNAME_OTHERWISE = 0.015  # de Bruijn, de Bruin
SURNAME_OTHER = 0.006  # the other parent's
GIVEN_MISSING, SURNAME_MISSING, BIRTH_MISSING = 0.003, 0.001, 0.006
DAY_AND_MONTH = 0.012  # of those where it leaves a date
BIRTH_DIGIT, BIRTH_YEAR, BIRTH_PART = 0.007, 0.002, 0.002
POSTCODE_MISTYPED, POSTCODE_MISSING, NUMBER_MISTYPED, NUMBER_MISSING = 0.012, 0.02, 0.012, 0.01
SUFFIX_MISSING = 0.15  # of those with one
STREET_MISTYPED, STREET_MISSING, PLACE_MISSING = 0.03, 0.05, 0.10
# Ways of writing, which are no errors: both professionals have theirs.
PREFIX = {"usual": 68, "capital": 9, "behind": 9, "short": 6, "joined": 2, "missing": 4, "other": 2}
TWO_SURNAMES = {"hyphen": 35, "blank": 35, "first": 18, "second": 8, "crosswise": 4}
NO_ACCENTS, CAPITALS, LOWER = 0.35, 0.02, 0.01
SECOND_AS_INITIAL = 0.10  # of those with several given names: Lotte M.
BASIC_DATE = 0.10  # 20150317
MONTHS = 12

WORDS: dict[str, str] = tomllib.loads((Path(__file__).parent / "another.toml").read_text(encoding="utf-8"))
CALL_NAMES = {words[0]: words[1:] for words in (entry.split() for entry in WORDS["call_names"].split(";"))}

# One sound, two spellings; tried in this order from a random place.
_SOUNDS = (
    ("ij", "y"), ("ei", "ij"), ("ph", "f"), ("th", "t"), ("ck", "k"), ("c", "k"), ("z", "s"), ("x", "ks"), ("ou", "au"),
    ("ae", "aa"), ("oe", "u"), ("ie", "i"), ("y", "i"), ("ch", "g"), ("dt", "t"), ("ss", "s"), ("nn", "n"), ("ll", "l"),
    ("mm", "m"), ("tt", "t"), ("ee", "e"), ("aa", "a"), ("ou", "u"), ("dj", "j"), ("q", "k"), ("v", "f"), ("w", "v"),
)  # fmt: skip
ACCENTS = str.maketrans(
    "áàâäãåāéèêëēėíìîïıóòôöõőúùûüűūçćčğķłñńňřşșśšţțýźżžøĐđ" + "ÁÀÂÄÃÅÉÈÊËÍÌÎÏİÓÒÔÖÕÚÙÛÜÇĆČĞŁÑŃŞȘŚŠŢȚÝŹŻŽØ",
    "aaaaaaaeeeeeeiiiiioooooouuuuuucccgklnnnrssssttyzzzoDd" + "AAAAAAEEEEIIIIIOOOOOUUUUCCCGLNNSSSSTTYZZZO",
)
_SLIPS = ("char_swap", "missing_char", "extra_char", "nearby_char", "repeated_char", "unichar", "similar_char")


@dataclass(frozen=True, slots=True)
class Surname:
    """`van der`, `Berg`; the prefix may be empty."""

    prefix: str
    stem: str


@dataclass(frozen=True, slots=True)
class Home:
    """Where somebody lives."""

    street: str
    number: int
    suffix: str
    postcode: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """As the municipality knows it.

    `call` is what it is called at home, where that is no given name of its; `likeness` how a twin's name is like its
    twin's, of the kinds of `training.another`.
    """

    given: tuple[str, ...]
    surnames: tuple[Surname, ...]
    born: date
    home: Home
    call: str
    family: int
    group: str
    boy: bool
    twin_of: "Child | None" = None
    likeness: str = ""


class _Writer:
    """One professional at one row; `errors` says what went otherwise than the truth."""

    def __init__(self, rng: Random, share: float) -> None:
        self.rng, self._share, self._second = rng, share, share == 1
        self.errors: list[str] = []

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def errs(self, chance: float, error: str) -> bool:
        if not self.chance(chance * self._share):
            return False
        self.errors.append(error)
        return True

    def slip(self, text: str) -> str:
        """One slip of the keyboard that can be seen; a text in which none can be made stays as it is."""
        for _ in range(20):
            slipped = str(getattr(StrErrer(text, seed=self.rng.getrandbits(32)), self.rng.choice(_SLIPS))().result)
            if slipped.casefold() != text.casefold():
                return slipped
        return text

    def otherwise(self, text: str) -> str:
        """The same sound, spelled otherwise; where there is no other spelling, no error was made."""
        start = self.rng.randrange(len(_SOUNDS))
        for one, other in _SOUNDS[start:] + _SOUNDS[:start]:
            for old, new in self.rng.sample([(one, other), (other, one)], 2):
                if old in text[1:]:
                    return text[0] + text[1:].replace(old, new, 1)
        self.errors.pop()
        return text

    def given(self, child: Child) -> str:
        names, rng = list(child.given), self.rng
        if self.errs(GIVEN_MISSING, "given-missing"):
            return ""
        if child.call and self.errs(
            CALL_NAME, "call-name" if child.call in CALL_NAMES.get(names[0], ()) else "call-name-unrelated"
        ):
            names = [child.call]
        elif len(names) > 1 and self.errs(ONLY_SECOND_NAME, "only-second-name"):
            names = names[1:2]
        elif len(names) > 1 and self.chance(FEWER_NAMES):
            names = names[:1]
        if self.errs(SPELLED_OTHERWISE, "given-spelled"):
            names[0] = self.otherwise(names[0])
        if self.errs(GIVEN_MISTYPED, "given-mistyped"):
            names[0] = self.slip(names[0])
        if self.errs(INITIALS, "initials"):
            return rng.choice(("", " ")).join(f"{name[0]}." for name in names)
        if len(names) > 1 and self.chance(SECOND_AS_INITIAL):
            return " ".join([names[0], *(f"{name[0]}." for name in names[1:])])
        return " ".join(names)

    def surname(self, child: Child, another: Callable[[], Surname]) -> str:
        if self.errs(SURNAME_MISSING, "surname-missing"):
            return ""
        surnames = list(child.surnames)
        if self.errs(SURNAME_OTHER, "surname-other"):
            surnames = [another()]
        if len(surnames) == 1:
            return self._written(surnames[0])
        one, other = (self._written(surname, plain=True) for surname in surnames)
        way = self.rng.choices(list(TWO_SURNAMES), list(TWO_SURNAMES.values()))[0]
        if way in {"first", "second", "crosswise"}:
            self.errors.append(f"two-surnames-{way}")
        return {
            "hyphen": f"{one}-{other}",
            "blank": f"{one} {other}",
            "first": one,
            "second": other,
            "crosswise": f"{other} {one}",
        }[way]

    def _written(self, surname: Surname, *, plain: bool = False) -> str:
        stem, prefix = surname.stem, surname.prefix
        if self.errs(SURNAME_OTHERWISE, "surname-spelled"):
            stem = self.otherwise(stem)
        if self.errs(SURNAME_MISTYPED, "surname-mistyped"):
            stem = self.slip(stem)
        if not prefix:
            return stem
        way = "usual" if plain else self.rng.choices(list(PREFIX), list(PREFIX.values()))[0]
        if way in {"missing", "other", "joined", "short"}:
            self.errors.append(f"prefix-{way}")
        words = prefix.split()
        return {
            "usual": f"{prefix} {stem}",
            "capital": f"{prefix.title() if self.chance(0.3) else prefix[0].upper() + prefix[1:]} {stem}",
            "behind": f"{stem}{self.rng.choice((', ', ' ', ','))}{prefix}",
            "short": self._short(words) + stem,
            "joined": f"{''.join(words)}{stem}" if self.chance(0.5) else f"{'-'.join(words)}-{stem}",
            "missing": stem,
            "other": f"{self._other(prefix)} {stem}",
        }[way]

    def _short(self, words: Sequence[str]) -> str:
        letters = [word[0] if word[0] != "'" else word[:2] for word in words]
        return self.rng.choice(
            (
                f"{'.'.join(letters)}. ",
                f"{''.join(letters)} ",
                f"{'/'.join(letters)} ",
                f"{' '.join(letters)} ",
                f"{'. '.join(letters)}. ",
            )
        )

    def _other(self, prefix: str) -> str:
        others = {
            "van der": "van de",
            "van de": "van den",
            "van den": "van der",
            "van 't": "van het",
            "de": "den",
            "El": "el",
            "ten": "ter",
        }
        return others.get(prefix, "van" if prefix != "van" else "von")

    def birth(self, child: Child) -> str:
        born = child.born
        if self.errs(BIRTH_MISSING, "birth-missing"):
            return ""
        if self.errs(BIRTH_PART, "birth-part"):
            return f"{born.year}-{born.month:02}-00" if self.chance(0.5) else f"{born.year}-00-00"
        if born.day <= MONTHS and born.day != born.month and self.errs(DAY_AND_MONTH, "day-and-month"):
            born = date(born.year, born.day, born.month)
        elif self.errs(BIRTH_YEAR, "birth-year"):
            born = date(born.year + self.rng.choice((-1, 1)), born.month, min(born.day, 28))
        elif self.errs(BIRTH_DIGIT, "birth-digit"):
            born = self._digit(born)
        return born.isoformat() if not self.chance(BASIC_DATE) else born.strftime("%Y%m%d")

    def _digit(self, born: date) -> date:
        """Another day, month or year, by one digit that leaves a date."""
        while True:
            digits = list(born.strftime("%Y%m%d"))
            digits[self.rng.randrange(3, 8)] = self.rng.choice("0123456789")
            try:
                other = date.fromisoformat("".join(digits))
            except ValueError:
                continue
            if other != born and other.year >= born.year - 9:
                return other

    def address(self, child: Child, another: Callable[[], Home]) -> tuple[str, str, str, str]:
        if self.errs(NO_ADDRESS, "no-address"):
            return "", "", "", ""
        home = another() if self._second and self.errs(OTHER_ADDRESS, "other-address") else child.home
        postcode, number, suffix, street = home.postcode, str(home.number), home.suffix, home.street
        if self.errs(POSTCODE_MISTYPED, "postcode-mistyped"):
            postcode = self.slip(postcode)
        if self.errs(POSTCODE_MISSING, "postcode-missing"):
            postcode = ""
        elif self.chance(0.5):
            postcode = f"{postcode[:4]} {postcode[4:]}"
        if self.errs(NUMBER_MISTYPED, "number-mistyped"):
            number = self.slip(number)
        if suffix and self.errs(SUFFIX_MISSING, "suffix-missing"):
            suffix = ""
        number += self._suffix(suffix)
        if self.errs(NUMBER_MISSING, "number-missing"):
            number = ""
        if self.errs(STREET_MISTYPED, "street-mistyped"):
            street = self.slip(street)
        if self.chance(0.15):
            street = street.replace("straat", "str.").replace("laan", "ln")
        street = "" if self.errs(STREET_MISSING, "street-missing") else street
        return street, number, postcode, "" if self.errs(PLACE_MISSING, "place-missing") else home.place

    def _suffix(self, suffix: str) -> str:
        if not suffix:
            return ""
        if suffix.isdigit():
            return f"-{suffix}"
        return self.rng.choice(("", " ", "-")) + (suffix if self.chance(0.5) else suffix.lower())


def typed(
    child: Child, rng: Random, share: float, home: Callable[[], Home], surname: Callable[[], Surname]
) -> tuple[tuple[str, ...], list[str]]:
    """The row without its id, and what went wrong in it; `share` of the rates above. `home`, `surname`: others."""
    writer = _Writer(rng, share)
    given, family, born = writer.given(child), writer.surname(child, surname), writer.birth(child)
    street, number, postcode, place = writer.address(child, home)
    if rng.random() < NO_ACCENTS:
        given, family = given.translate(ACCENTS), family.translate(ACCENTS)
    if rng.random() < CAPITALS:
        given, family = given.upper(), family.upper()
    elif rng.random() < LOWER:
        given, family = given.lower(), family.lower()
    return (given, family, born, street, number, postcode, place), writer.errors
