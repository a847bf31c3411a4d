"""From what a leaflet is to hold to its PDF: tagged, PDF/UA-1, set by Typst from `locales/leaflet/`.

Typst itself refuses to make what is not PDF/UA-1: a text without a title, a letter that no font has. It reads nothing
but the template and the fonts of a package, and what people typed comes in as data.
"""

from datetime import date
from pathlib import Path
from typing import Any

import manimgx_fonts
import msgspec
import typst
from babel.dates import format_date

from handlers.leaflet import Cover, Leaflet
from locales.leaflet import FOLDER, TEMPLATE, texts

_AUTHORITY = ("Autoriteit Persoonsgegevens", "autoriteitpersoonsgegevens.nl", "088 - 1805 250")
_FONTS = Path(manimgx_fonts.__file__).parent
_OPENS, _CLOSES = "\u2068", "\u2069"
"""Round what is filled in between letters that run from right to left, so that a telephone number does not."""


class CannotSet(Exception):
    """The leaflet cannot be made: it has a letter that no font has. It does not say which: that may be of a name."""


def make_pdf(leaflet: Leaflet) -> bytes:
    """The PDF; takes tens of milliseconds of CPU. Raises CannotSet."""
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_FONTS)])
    data = msgspec.json.encode(compose(leaflet)).decode()
    try:
        compiler = typst.Compiler(root=FOLDER, font_paths=fonts, sys_inputs={"data": data})
        made = compiler.compile(TEMPLATE.read_bytes(), format="pdf", pdf_standards=["ua-1"])
    except typst.TypstError:
        raise CannotSet from None
    assert isinstance(made, bytes)  # noqa: S101 (pictures come by page, a PDF as a whole)
    return made


def compose(leaflet: Leaflet) -> dict[str, Any]:
    """All words of the leaflet, filled in, in the shape that `leaflet.typ` sets."""
    return _Composer(leaflet).all


class _Composer:
    def __init__(self, leaflet: Leaflet) -> None:
        self._leaflet = leaflet
        self._texts = texts(leaflet.language)
        self._right_to_left: bool = self._texts["language"]["right_to_left"]
        words = self._texts["words"]
        self._values = {
            "index": self._foreign(leaflet.index),
            "region": self._foreign(leaflet.region),
            "years": words["years"][leaflet.active_years - 1],
            "after": words["after"][leaflet.erase_years - 1],
        }

    @property
    def all(self) -> dict[str, Any]:
        leaflet, language, words = self._leaflet, self._texts["language"], self._texts["words"]
        controller = (leaflet.controller,) if leaflet.controller else ()
        return {
            "title": self._texts[leaflet.versions[0]]["title"],
            "language": leaflet.language,
            "right_to_left": self._right_to_left,
            "index": leaflet.index,
            "region": leaflet.region,
            "versions": [self._version(who) for who in leaflet.versions],
            "facts": [
                self._fact(words["responsible"], controller, words["controller"]),
                self._fact(words["contact"], leaflet.contact, words["no_contact"]),
                self._fact(words["officer"], leaflet.privacy_officer, words["no_officer"]),
                self._fact(words["complaint"], _AUTHORITY),
            ],
            "unchecked": "" if language["checked"] else words["unchecked"],
        }

    def _version(self, who: str) -> dict[str, Any]:
        parts, leaflet = self._texts[who], self._leaflet
        choices = parts["choices"]
        values = self._values | {
            "ground": choices[leaflet.basis],
            "erased": choices[leaflet.erase_from].format(**self._values),
        }
        return {
            "title": parts["title"],
            "audience": parts["audience"],
            "lead": parts["lead"].format(**values),
            "steps": parts["steps"],
            "front": parts["front"],
            "sections": _filled(parts["sections"], values),
            "back": parts["back"],
            "yours": _filled(parts["yours"], values),
            "own_words": leaflet.own_words,
            "letter": None if leaflet.cover is None else self._letter(who, leaflet.cover),
        }

    def _letter(self, who: str, cover: Cover) -> dict[str, Any]:
        letter = self._texts["letter"]
        values = {
            "name": self._foreign(f"{cover.given} {cover.surname}"),
            "placed_on": self._day(cover.placed_on),
            "active_until": self._day(cover.active_until),
            "erase_on": self._day(cover.erase_on),
        }
        return {
            "to": letter[f"to_{who}"].format(**values),
            "date": self._day(cover.written_on),
            "text": [text.format(**values) for text in letter[who]],
            "regards": letter["regards"],
            "sender": [self._foreign(one) for one in cover.professional],
        }

    def _fact(self, name: str, dutch: tuple[str, ...], otherwise: str = "") -> dict[str, Any]:
        """Under a name what the region filled in, which is Dutch, or else what the leaflet says of it."""
        lines = [self._foreign(one) for one in dutch] or [otherwise.format(**self._values)]
        return {"name": name, "lines": lines, "dutch": bool(dutch)}

    def _foreign(self, text: str) -> str:
        return f"{_OPENS}{text}{_CLOSES}" if self._right_to_left else text

    def _day(self, day: date) -> str:
        return format_date(day, "d MMMM y", locale=self._leaflet.language)


def _filled(sections: list[dict[str, Any]], values: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "heading": section["heading"],
            "text": [text.format(**values) for text in section["text"]],
            "items": section.get("items", []),
        }
        for section in sections
    ]
