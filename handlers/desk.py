"""The desk itself: welcome, help, language, own introductions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from handlers.cards import Card, card
from handlers.command import Command, Parameter, Who, one_of
from handlers.introductions import show_own
from handlers.office import Office, Talk
from handlers.words import line
from storage.people import Person


async def open_desk(office: Office, user_id: str) -> None:
    """Somebody has a desk from now on, and its first card is `welcome`."""
    desk = await office.uow.rooms.desk_id(user_id)
    if await office.uow.outbox.pending_card(desk, "welcome") is None and (
        await office.uow.outbox.latest(desk, "welcome") is None
    ):
        await welcome(office, user_id)


async def welcome(office: Office, user_id: str) -> None:
    """What Wenk is, and how to begin: with a signal, or, for who may not place one, with admitting others."""
    person = await office.uow.people.get(user_id)
    begin = "welcome.coordinator" if person and person.professional == "none" else "welcome.professional"
    shown = card(
        "welcome",
        line("welcome", index=office.region.index_name, region=office.region.name),
        line(begin),
        line("welcome.erases"),
    )
    await office.tell(user_id, shown)


async def welcome_again(office: Office, user_id: str) -> None:
    """Somebody's devices changed: wake what waits for them, and repeat a welcome that no device could read.

    Or of which that is not known: the process ended before it could write down that it was sent.
    """
    office.uow.rooms_to_wake.update(await office.uow.rooms.with_unsent_for(user_id))
    desk = await office.uow.rooms.desk_of(user_id)
    latest = await office.uow.outbox.latest(desk.id, "welcome") if desk is not None else None
    if desk is None or latest is None or latest[1]:
        return
    if await office.uow.outbox.pending_card(desk.id, "welcome") is None:
        await welcome(office, user_id)


def help_for(person: Person, commands: Sequence[Command]) -> Card:
    """What this person can say, from the descriptions of the commands."""
    usable = [command for command in commands if _may_use(person, command)]
    return card("help", line("help"), *(line(f"help.{command.name}") for command in usable), line("help.end"))


def _may_use(person: Person, command: Command) -> bool:
    match command.who:
        case Who.EVERYBODY:
            return True
        case Who.PROFESSIONAL:
            return person.professional == "active"
        case Who.COORDINATOR:
            return person.coordinator
        case Who.PARTICIPANT:
            return False


async def set_language(talk: Talk, given: Mapping[str, Any]) -> None:
    """From this answer on, this desk is in another language."""
    await talk.uow.people.set_language(talk.person.user_id, given["language"])
    talk.person = replace(talk.person, language=given["language"])
    await talk.answer(card("language", line("language.set"), language=given["language"]))


async def show_matches(talk: Talk, _given: Mapping[str, Any]) -> None:
    """With whom somebody was brought together; what is read counts, so the audit log has it."""
    await talk.answer(await show_own(talk.office, talk.person.user_id))
    await talk.uow.audit.write(talk.person.user_id, "match.listed")


def room_commands(all_commands: Callable[[], Sequence[Command]]) -> tuple[Command, ...]:
    """The commands of every introduction; help needs to know them all."""

    async def show_help(talk: Talk, _given: Mapping[str, Any]) -> None:
        shown = (line(f"help.{command.name}") for command in all_commands())
        await talk.answer(card("help", line("help"), *shown, line("help.room.end")))

    return (Command(name="room", words={"nl": ("help", "hulp"), "en": ("help",)}, who=Who.PARTICIPANT, act=show_help),)


def desk_commands(all_commands: Callable[[], Sequence[Command]]) -> tuple[Command, ...]:
    """The commands of every desk; help needs to know them all."""

    async def show_help(talk: Talk, _given: Mapping[str, Any]) -> None:
        await talk.answer(help_for(talk.person, all_commands()))

    return (
        Command(
            name="matches",
            words={"nl": ("matches",), "en": ("matches",)},
            who=Who.PROFESSIONAL,
            act=show_matches,
        ),
        Command(
            name="language",
            words={"nl": ("taal",), "en": ("language",)},
            who=Who.EVERYBODY,
            parameters=(
                Parameter(
                    "language",
                    one_of(
                        {
                            "nl": "nl", "nederlands": "nl", "dutch": "nl",
                            "en": "en", "engels": "en", "english": "en",
                        }
                    ),
                ),
            ),
            by_words=True,
            act=set_language,
        ),
        Command(
            name="help",
            words={"nl": ("help", "hulp"), "en": ("help",)},
            who=Who.EVERYBODY,
            act=show_help,
            keeps_question=True,
        ),
    )  # fmt: skip
