"""The leaflet for the family of a signal: which one it is, and with what filled in, is decided here.

The bot makes the PDF when it sends the card (`bot/enclosing.py`): all that is in it is in the card's `enclose`.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from domain.life import plan
from domain.notice import must_tell
from handlers.cards import Enclosed, card, error
from handlers.command import BadValue, Command, Parameter, Who
from handlers.life import catch_up
from handlers.office import Talk
from handlers.signals import REFERENCE
from handlers.words import Line, line
from locales.leaflet import LANGUAGES, is_checked, language_called, name_of
from storage.people import Person
from storage.signals import Signal

_LETTER = frozenset({"brief", "letter"})


class Wishes(msgspec.Struct, frozen=True):
    """What was asked for besides the signal; no language: that of the desk."""

    language: str | None = None
    letter: bool = False


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """What the letter that goes before the leaflet says: the only part that names the child."""

    given: str
    surname: str
    written_on: date
    placed_on: date
    active_until: date
    erase_on: date
    professional: tuple[str, ...]
    """How to reach who wrote it, a line each, the name first."""


class Leaflet(msgspec.Struct, frozen=True, kw_only=True):
    """One leaflet: `versions` are those who read it, `parents`, `child` or both; the terms are in calendar years."""

    language: str
    versions: tuple[str, ...]
    region: str
    index: str
    controller: str
    contact: tuple[str, ...]
    privacy_officer: tuple[str, ...]
    basis: str
    active_years: int
    erase_years: int
    erase_from: Literal["placed", "inactive"]
    own_words: tuple[str, ...] = ()
    cover: Cover | None = None


def read_wishes(text: str) -> Wishes:
    """A language, by any of its names, and the word for a letter; in any order."""
    wishes = Wishes()
    for word in text.replace(";", " ").split():
        if word.casefold() in _LETTER:
            wishes = msgspec.structs.replace(wishes, letter=True)
        elif language := language_called(word):
            wishes = msgspec.structs.replace(wishes, language=language)
        else:
            raise BadValue("unknown_choice")
    return wishes


async def send_leaflet(talk: Talk, given: Mapping[str, Any]) -> None:
    """The leaflet for everybody who must be told of a signal; also of one that is inactive or frozen."""
    owned = await talk.uow.signals.owned(talk.person.user_id, given["ref"])
    signal = await catch_up(talk.office, owned) if owned is not None else None
    if signal is None:
        await talk.answer(error("not_found"))
        return
    wishes: Wishes = given.get("leaflet", Wishes())
    leaflet = _leaflet(talk, signal, wishes)
    await talk.answer(
        card(
            "leaflet",
            *_about(talk, signal, leaflet),
            personal=wishes.letter,
            enclosed=Enclosed(line("file.letter" if wishes.letter else "file.leaflet"), msgspec.to_builtins(leaflet)),
            ref=signal.ref,
            language=leaflet.language,
            version=list(leaflet.versions),
        )
    )
    await talk.uow.audit.write(talk.person.user_id, "leaflet.letter" if wishes.letter else "leaflet.made", signal.key)


def _leaflet(talk: Talk, signal: Signal, wishes: Wishes) -> Leaflet:
    region = talk.region
    return Leaflet(
        language=wishes.language or talk.person.language,
        versions=must_tell(signal.child.born, signal.placed_on),
        region=region.name,
        index=region.index_name,
        controller=region.controller,
        contact=region.contact,
        privacy_officer=region.privacy_officer,
        own_words=region.leaflet_text,
        basis=signal.basis,
        active_years=region.active_years,
        erase_years=region.erase_years,
        erase_from=region.erase_from,
        cover=_cover(talk, signal) if wishes.letter else None,
    )


def _cover(talk: Talk, signal: Signal) -> Cover:
    ahead = plan(signal.placed_on, signal.child.born, talk.region.terms, signal.ended_on)
    return Cover(
        given=signal.child.given,
        surname=signal.child.surname,
        written_on=talk.uow.today,
        placed_on=signal.placed_on,
        active_until=ahead.active_until,
        erase_on=ahead.erase_on,
        professional=_reached_at(talk.person),
    )


def _reached_at(person: Person) -> tuple[str, ...]:
    organisation = person.organisation.name if person.organisation else ""
    lines = (person.full_name, person.function, organisation, person.phone, person.email)
    return tuple(one for one in lines if one)


def _about(talk: Talk, signal: Signal, leaflet: Leaflet) -> tuple[Line, ...]:
    """What the professional reads beside the file."""
    ref, shown = signal.ref, talk.person.language
    whom, language = line("tell." + "_".join(leaflet.versions)), name_of(leaflet.language, shown)
    if leaflet.cover:
        what = line("leaflet.letter", ref=ref, whom=whom, language=language, minutes=talk.region.card_minutes)
    else:
        languages = ", ".join(name_of(code, shown) for code in LANGUAGES)
        what = line("leaflet", ref=ref, whom=whom, language=language, languages=languages)
    return (what,) if is_checked(leaflet.language) else (what, line("leaflet.unchecked"))


COMMANDS = (
    Command(
        name="leaflet",
        words={"nl": ("folder",), "en": ("leaflet",)},
        who=Who.PROFESSIONAL,
        parameters=(REFERENCE, Parameter("leaflet", read_wishes, optional=True)),
        by_words=True,
        act=send_leaflet,
    ),
)
