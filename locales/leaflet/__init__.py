"""The leaflet for the family: its words, one file a language with the same names in each, and how they are set."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("nl", "en", "fy", "tr", "ar", "pl", "uk", "ti", "fa", "ro")
"""In the order in which people are shown them."""

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "leaflet.typ"


@cache
def texts(language: str) -> dict[str, Any]:
    """The words of the leaflet in a language, as its file has them."""
    with (FOLDER / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)


def language_called(typed: str) -> str | None:
    """The language meant by `turks`, `tr`, `turkish` or its own name; None if there is no leaflet in it."""
    name = typed.casefold()
    return next((code for code in LANGUAGES if name in texts(code)["language"]["typed"]), None)


def name_of(code: str, language: str) -> str:
    """What the language `code` is called in a language of the cards."""
    return str(texts(code)["language"]["called"][language])


def is_checked(code: str) -> bool:
    """Whether somebody who speaks it from birth has read it in this language; the Dutch one is the original."""
    return bool(texts(code)["language"]["checked"])
