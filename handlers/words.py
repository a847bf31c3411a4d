"""Texts by name, in a reader's language, as plain text and as HTML.

A text of the catalogue may hold `**strong**`, `` `code` `` and line breaks; what is filled in is never read as markup.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from html import escape

from babel.dates import format_date

from locales import catalogue

OPENS, CLOSES = "\u2018", "\u2019"
"""The quotation marks round what is to be typed, where there is no other way to show where it begins."""


@dataclass(frozen=True, slots=True)
class Line:
    """A text by name with what is filled in; a value may itself be a Line, or several (one below the other)."""

    name: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """The same words twice: as plain text, and as HTML with everything foreign escaped."""

    plain: str
    html: str


def line(name: str, /, **values: object) -> Line:
    """A text by name with what is filled in."""
    return Line(name, values)


def _as_html(template: str) -> str:
    marked = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(template, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", marked).replace("\n", "<br>")


def _as_plain(template: str) -> str:
    return re.sub(r"`(.+?)`", rf"{OPENS}\1{CLOSES}", template.replace("**", ""))


def _value(value: object, language: str) -> Text:
    match value:
        case Line():
            return say(value, language)
        case tuple():
            parts = [_value(part, language) for part in value]
            return Text("\n".join(part.plain for part in parts), "<br>".join(part.html for part in parts))
        case date():
            shown = format_date(value, "d MMMM y", locale=language)
        case _:
            shown = str(value)
    return Text(shown, escape(shown).replace("\n", "<br>"))


def say(what: Line, language: str) -> Text:
    """The words of a line in a language; raises KeyError for a text that is not in the catalogue."""
    template = catalogue(language)[what.name]
    values = {name: _value(value, language) for name, value in what.values.items()}
    return Text(
        _as_plain(template).format(**{name: value.plain for name, value in values.items()}),
        _as_html(template).format(**{name: value.html for name, value in values.items()}),
    )
