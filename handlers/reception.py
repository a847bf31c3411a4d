"""The front door: each message is refused or handled, answered once, and emptied."""

from handlers.cards import error
from handlers.command import Commands
from handlers.desk import desk_commands
from handlers.dialogue import converse, react
from handlers.office import Message, Office, Proof, Talk
from handlers.people import COMMANDS as PEOPLE
from handlers.signals import COMMANDS as SIGNALS
from handlers.words import line
from storage.rooms import Room

WARNING_REACTION = "⚠️ bevestig dit apparaat · verify this device"
"""Cleartext, on the welcome card: the only thing that an unsigned device can read besides the topic."""


def all_commands() -> Commands:
    """Everything that can be said at a desk, in the order in which help shows it."""
    return Commands((*SIGNALS, *desk_commands(lambda: commands.all), *PEOPLE))


commands = all_commands()


async def receive(office: Office, room: Room, message: Message) -> None:
    """Handle one message; the inbox row is done in the same unit of work."""
    if room.purpose == "desk" and message.sender == room.owner:
        await _at_desk(office, room, message)
    elif room.purpose == "introduction":
        await _in_introduction(office, room, message)
    await office.uow.inbox.done(message.event_id)


async def cannot_handle(office: Office, room: Room, message: Message) -> None:
    """It went wrong again and again: say so, report it, and go on with the next."""
    person = await office.uow.people.get(message.sender)
    if person is not None and message.kind != "reaction":
        await Talk(office, person, message, room.id).answer(error("unavailable"))
        await office.uow.outbox.redact(room.id, message.event_id)
    await office.alarm("handler_failed", line("alarm.handler_failed"))
    await office.uow.inbox.done(message.event_id)


async def _at_desk(office: Office, room: Room, message: Message) -> None:
    person = await office.uow.people.get(message.sender)
    if person is None:
        return
    talk = Talk(office, person, message, room.id)
    if message.kind == "reaction":
        await react(talk)
        return
    if message.kind != "notice":
        await _refuse_or_converse(talk)
    await office.uow.outbox.redact(room.id, message.event_id)


async def _refuse_or_converse(talk: Talk) -> None:
    match talk.message.proof:
        case Proof.PROVEN if talk.message.kind == "undecryptable":
            await talk.answer(error("unavailable", line("error.no_key")))
        case Proof.PROVEN:
            await converse(talk, commands)
        case Proof.UNENCRYPTED:
            await talk.answer(error("not_allowed", line("error.unencrypted")))
        case Proof.UNSIGNED:
            await talk.answer(error("unverified_device"))
            await _warn(talk)
        case Proof.CHANGED:
            await talk.answer(error("unverified_device", line("error.changed_identity")))
            await _warn(talk)
            if await talk.uow.tasks.claim_today(f"changed {talk.person.user_id}"):
                text = line("alarm.changed_identity", user_id=talk.person.user_id)
                await talk.office.alarm("changed_identity", text, user_id=talk.person.user_id)
        case Proof.OVERHEARD | Proof.STRANGER:
            await talk.answer(error("not_allowed", line("error.overheard")))
    if talk.message.proof is not Proof.PROVEN:
        await talk.uow.audit.write(talk.person.user_id, f"refused.{talk.message.proof}")


async def _warn(talk: Talk) -> None:
    latest = await talk.uow.outbox.latest(talk.room_id, "welcome")
    if (
        latest is not None
        and latest[0] is not None
        and await talk.uow.tasks.claim_today(f"warned {talk.person.user_id}")
    ):
        await talk.uow.outbox.react(talk.room_id, latest[0], WARNING_REACTION)


async def _in_introduction(office: Office, room: Room, message: Message) -> None:
    """What professionals say to each other is not ours; only what begins with `!` came this far."""
    person = await office.uow.people.get(message.sender)
    if person is None or message.kind != "text" or message.sender not in room.wanted or message.replaces:
        return
    if message.proof is Proof.PROVEN:
        await Talk(office, person, message, room.id).answer(error("unknown_command", line("error.at_your_desk")))
