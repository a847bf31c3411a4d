"""Admitting organisations and professionals, and taking their access away: what coordinators do."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from domain.life import State
from domain.names import check_name, fold
from domain.references import parse_reference
from handlers.cards import card, error
from handlers.command import BadValue, Command, Parameter, Who
from handlers.desk import open_desk
from handlers.dialogue import ask_again, propose
from handlers.introductions import contact_line
from handlers.leaving import step_out
from handlers.life import all_caught_up, remind
from handlers.matching import candidates, match
from handlers.office import Office, Talk
from handlers.words import line
from storage.people import Organisation, Person
from storage.signals import Signal

_USER_ID = re.compile(r"@[a-z0-9._=/+-]+:[A-Za-z0-9.-]+(?::\d+)?|@[a-z0-9._=/+-]+:\[[0-9a-fA-F:.]+\](?::\d+)?")
_EMAIL = re.compile(r"[^@\s;<>]+@[^@\s;<>]+\.[^@\s;<>.]+")
_PHONE = re.compile(r"\+?[\d ()\-./]{6,24}")
_MOST_LETTERS = 120


async def admit_coordinators(office: Office) -> None:
    """The coordinators of the config each have a desk."""
    await office.uow.people.ensure_region(office.region.name)
    for user_id in office.region.coordinators:
        known = await office.uow.people.get(user_id)
        if known is None or not known.coordinator:
            await office.uow.people.add_coordinator(user_id, office.region.language)
            await office.uow.audit.write("wenk", "coordinator.admitted")
        await open_desk(office, user_id)
    await office.uow.reviews.look_for_deciders()


async def add_organisation(talk: Talk, given: Mapping[str, Any]) -> None:
    """Admit an organisation; its name is there once."""
    name: str = given["name"]
    people = talk.uow.people
    if known := await people.organisation(folded=fold(name)):
        await talk.answer(
            error("duplicate", line("error.duplicate_organisation", name=known.name, ref=known.ref), ref=known.ref)
        )
        return

    async def taken(reference: str) -> bool:
        return await people.organisation(ref=reference) is not None

    added = await people.add_organisation(await talk.office.reference("O", taken), name, fold(name))
    await talk.uow.audit.write(talk.person.user_id, "organisation.added")
    await talk.answer(card("organisation.added", line("organisation.added", name=name, ref=added.ref), ref=added.ref))


async def add_professional(talk: Talk, given: Mapping[str, Any]) -> None:
    """Admit a professional, or change the details of one; their desk opens at once."""
    uow = talk.uow
    organisation = await _organisation(talk, given["organisation"])
    if organisation is None:
        names = [known.name for known in await uow.people.organisations()]
        near = get_close_matches(given["organisation"], names, n=1, cutoff=0.5)
        hint = line("error.organisation_near", name=near[0]) if near else line("error.organisation_unknown")
        await ask_again(talk, "professional_add", "organisation", error("not_found", hint, field="organisation"))
        return
    known = await uow.people.get(given["user_id"])
    admitted = _as_admitted(talk, given, organisation, known)
    if known is None or known.professional == "none" or known == admitted:
        await _admit(talk, admitted)
        return
    # A slip in the address would give somebody else's details to whom it reaches.
    asked = line("professional.known", old=contact_line(known), new=contact_line(admitted))
    await propose(talk, "professional_add", card("professional.known", asked))


async def change_professional(talk: Talk, given: Mapping[str, Any]) -> None:
    """After ja: other details for a professional who takes part already."""
    organisation = await _organisation(talk, given["organisation"])
    known = await talk.uow.people.get(given["user_id"])
    await _admit(talk, _as_admitted(talk, given, organisation, known))


def _as_admitted(
    talk: Talk, given: Mapping[str, Any], organisation: Organisation | None, known: Person | None
) -> Person:
    return Person(
        user_id=given["user_id"],
        coordinator=known.coordinator if known else False,
        professional=known.professional if known and known.professional != "none" else "active",
        language=known.language if known else talk.region.language,
        organisation=organisation,
        full_name=given["full_name"],
        function=given["function"],
        email=given["email"],
        phone=given["phone"],
    )


async def _admit(talk: Talk, admitted: Person) -> None:
    uow = talk.uow
    known = await uow.people.get(admitted.user_id)
    await uow.people.save_professional(admitted)
    if known is not None and known.organisation != admitted.organisation:
        # Where a region demands two, they may meet whom they might not.
        await uow.rematches.want(*(signal.id for signal in await uow.signals.of_owner(admitted.user_id)))
    await uow.audit.write(talk.person.user_id, "professional.added")
    await talk.answer(
        card("professional.added", line("professional.added", name=admitted.full_name), user_id=admitted.user_id)
    )
    await open_desk(talk.office, admitted.user_id)
    # Who had left the desk is invited again: this is how a coordinator lets somebody back in.
    await uow.rooms.want(await uow.rooms.desk_id(admitted.user_id), admitted.user_id)


async def suspend(talk: Talk, given: Mapping[str, Any]) -> None:
    """Somebody may do and hear nothing any more until restored; their signals stay, silent."""
    person = await _professional(talk, given["user_id"], "active")
    if person is None:
        return
    # What was due before is heard yet; what comes due from now on is not.
    await _own_caught_up(talk, person)
    for joined in await talk.uow.introductions.open_ones_of(person.user_id):
        await step_out(talk.office, joined, person.user_id, at_once=False)
    await _set_standing(talk, person, "suspended")


async def restore(talk: Talk, given: Mapping[str, Any]) -> None:
    """Somebody may take part again: their active signals are matched anew."""
    person = await _professional(talk, given["user_id"], "suspended")
    if person is None:
        return
    signals = await _own_caught_up(talk, person)
    await _set_standing(talk, person, "active")
    for signal in signals:
        if signal.state is State.ACTIVE:
            await match(talk.office, signal, await candidates(talk.office, signal.child))
            await remind(talk.office, signal)


async def _own_caught_up(talk: Talk, person: Person) -> list[Signal]:
    return await all_caught_up(talk.office, await talk.uow.signals.of_owner(person.user_id))


async def trust(talk: Talk, given: Mapping[str, Any]) -> None:
    """Somebody lost all devices and made a new Matrix identity: the coordinator vouches for them."""
    person = await talk.uow.people.get(given["user_id"])
    if person is None:
        await talk.answer(error("not_found", line("error.no_professional")))
        return
    await talk.uow.people.unpin(person.user_id)
    await talk.uow.audit.write(talk.person.user_id, "professional.trusted")
    shown = card("professional.trusted", line("professional.trusted", user_id=person.user_id), user_id=person.user_id)
    await talk.answer(shown)


async def _set_standing(talk: Talk, person: Person, standing: str) -> None:
    kind = "professional.suspended" if standing == "suspended" else "professional.restored"
    await talk.uow.people.set_standing(person.user_id, standing)
    await talk.uow.audit.write(talk.person.user_id, kind)
    await talk.answer(card(kind, line(kind, name=person.full_name), user_id=person.user_id))
    if person.user_id != talk.person.user_id:
        await talk.office.tell(person.user_id, card(kind, line(f"{kind}.you"), user_id=person.user_id))


async def _professional(talk: Talk, user_id: str, standing: str) -> Person | None:
    person = await talk.uow.people.get(user_id)
    if person is None or person.professional == "none":
        await talk.answer(error("not_found", line("error.no_professional")))
        return None
    if person.professional != standing:
        await talk.answer(error("not_allowed", line(f"error.not_{standing}", name=person.full_name)))
        return None
    return person


async def _organisation(talk: Talk, text: str) -> Organisation | None:
    people = talk.uow.people
    reference = parse_reference(text, "O")
    by_reference = await people.organisation(ref=reference) if reference else None
    return by_reference or await people.organisation(folded=fold(text))


def _matching(pattern: re.Pattern[str]) -> Any:  # noqa: ANN401 (a reader: str -> str)
    def read(text: str) -> str:
        if not pattern.fullmatch(text.strip()) or not text.strip().isprintable():
            raise BadValue("unreadable")
        return text.strip()

    return read


def _short_text(text: str) -> str:
    cleaned = " ".join(text.split())
    if not fold(cleaned) or len(cleaned) > _MOST_LETTERS or not cleaned.isprintable():
        raise BadValue("unreadable")
    return cleaned


USER_ID = Parameter("user_id", _matching(_USER_ID))

COMMANDS = (
    Command(
        name="organisation_add",
        words={"nl": ("organisatie toevoegen",), "en": ("organisation add", "organization add")},
        who=Who.COORDINATOR,
        parameters=(Parameter("name", _short_text),),
        act=add_organisation,
    ),
    Command(
        name="professional_add",
        words={"nl": ("professional toevoegen",), "en": ("professional add",)},
        who=Who.COORDINATOR,
        parameters=(
            USER_ID,
            Parameter("organisation", _short_text),
            Parameter("full_name", check_name),
            Parameter("function", _short_text),
            Parameter("email", _matching(_EMAIL)),
            Parameter("phone", _matching(_PHONE)),
        ),
        act=add_professional,
        confirmed=change_professional,
    ),
    Command(
        name="professional_suspend",
        words={"nl": ("professional schorsen",), "en": ("professional suspend",)},
        who=Who.COORDINATOR,
        parameters=(USER_ID,),
        act=suspend,
    ),
    Command(
        name="professional_restore",
        words={"nl": ("professional herstellen",), "en": ("professional restore",)},
        who=Who.COORDINATOR,
        parameters=(USER_ID,),
        act=restore,
    ),
    Command(
        name="professional_trust",
        words={"nl": ("professional vertrouwen",), "en": ("professional trust",)},
        who=Who.COORDINATOR,
        parameters=(USER_ID,),
        act=trust,
    ),
)
