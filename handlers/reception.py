"""The front door: each message is refused or handled, answered once, and emptied."""

from handlers.approvals import COMMANDS as APPROVALS
from handlers.cards import Card, error
from handlers.command import Commands
from handlers.correcting import COMMANDS as CORRECTING
from handlers.desk import desk_commands, room_commands
from handlers.dialogue import converse, react
from handlers.kindcheck import COMMANDS as KINDCHECK
from handlers.leaflet import COMMANDS as LEAFLET
from handlers.notice import COMMANDS as NOTICE
from handlers.office import Message, Office, Proof, Talk
from handlers.parting import COMMANDS as PARTING
from handlers.people import COMMANDS as PEOPLE
from handlers.renewing import COMMANDS as RENEWING
from handlers.reviews import COMMANDS as REVIEWS
from handlers.signals import COMMANDS as SIGNALS
from handlers.withdrawing import COMMANDS as WITHDRAWING
from handlers.words import line
from storage.rooms import Room

WARNING_REACTION = "⚠️ bevestig dit apparaat · verify this device"
"""Cleartext, on the welcome card: the only thing that an unsigned device can read besides the topic."""

UNANSWERED = frozenset({"notice", "reaction"})
"""Bots speak in notices: who answers them never stops. A reaction asks for nothing."""


def all_commands() -> Commands:
    """Everything that can be said at a desk, in the order in which help shows it."""
    own = (*SIGNALS, *WITHDRAWING, *RENEWING, *CORRECTING, *NOTICE, *LEAFLET, *KINDCHECK)
    return Commands((*own, *desk_commands(lambda: commands.all), *REVIEWS, *APPROVALS, *PEOPLE))


commands = all_commands()
in_room: Commands = Commands((*PARTING, *room_commands(lambda: in_room.all)))
"""Everything that a participant can say in an introduction, where it begins with `!`."""


async def receive(office: Office, room: Room, message: Message) -> None:
    """Handle one message; the inbox row is done in the same unit of work."""
    if room.purpose == "desk" and message.sender == room.owner:
        await _at_desk(office, room, message)
    elif room.purpose == "introduction":
        await _in_introduction(office, room, message)
    await office.uow.inbox.done(message.event_id)


async def cannot_handle(office: Office, room: Room, message: Message) -> None:
    """It went wrong again and again: say so, report it, and go on with the next."""
    await _put_aside(office, room, message, error("unavailable"))
    await office.alarm("handler_failed", line("alarm.handler_failed"))


async def cannot_open(office: Office, room: Room, message: Message) -> None:
    """What came in was sealed under another master key: say so, report it (once a day), and go on with the next."""
    await _put_aside(office, room, message, error("unavailable"))
    if await office.uow.tasks.claim_today("alarm unopenable"):
        await office.alarm("unopenable", line("alarm.unopenable"))


async def put_off(office: Office, room: Room, message: Message) -> None:
    """The clock is not to be trusted, and whatever is done is done on a day: say at once that nothing was."""
    await _put_aside(office, room, message, error("unavailable", line("error.clock")))
    if room.purpose == "desk" and message.kind in UNANSWERED:
        await office.uow.clearing.redact(room.id, message.event_id)


async def _put_aside(office: Office, room: Room, message: Message, answer: Card) -> None:
    """Answered where that is asked for, and done; no more than that: what else there was to do may be what failed."""
    person = await office.uow.people.get(message.sender)
    is_heard = message.sender == room.owner if room.purpose == "desk" else message.sender in room.wanted
    if person is not None and is_heard and message.kind not in UNANSWERED:
        await Talk(office, person, message, room.id).answer(answer)
        await office.uow.clearing.redact(room.id, message.event_id)
    await office.uow.inbox.done(message.event_id)


async def _at_desk(office: Office, room: Room, message: Message) -> None:
    person = await office.uow.people.get(message.sender)
    if person is None:
        return
    talk = Talk(office, person, message, room.id)
    if message.kind == "reaction":
        await react(talk)
    elif message.kind not in UNANSWERED:
        await _refuse_or_converse(talk)
    await office.uow.clearing.redact(room.id, message.event_id)


async def _refuse_or_converse(talk: Talk) -> None:
    match talk.message.proof:
        case Proof.PROVEN if talk.message.kind == "undecryptable":
            await talk.answer(error("unavailable", line("error.no_key")))
        case Proof.PROVEN:
            await converse(talk, commands)
        case Proof.UNENCRYPTED:
            await _refuse(talk)
        case Proof.UNSIGNED:
            await _refuse(talk)
            await _warn(talk)
        case Proof.CHANGED:
            await _refuse(talk)
            await _warn(talk)
            await _alarm(talk, "changed_identity")
        case Proof.OVERHEARD | Proof.STRANGER:
            await _refuse(talk)
            await _alarm(talk, "stranger")


_REFUSALS = {
    Proof.UNENCRYPTED: error("not_allowed", line("error.unencrypted")),
    Proof.UNSIGNED: error("unverified_device"),
    Proof.CHANGED: error("unverified_device", line("error.changed_identity")),
    Proof.OVERHEARD: error("not_allowed", line("error.overheard")),
    Proof.STRANGER: error("not_allowed", line("error.overheard")),
}


async def _refuse(talk: Talk) -> None:
    """Say why nothing was done, and write down that it was refused."""
    await talk.answer(_REFUSALS[talk.message.proof])
    await talk.uow.audit.write(talk.person.user_id, f"refused.{talk.message.proof}")


async def _alarm(talk: Talk, code: str) -> None:
    """Tell the coordinators, once a day for each desk."""
    user_id = talk.person.user_id
    if await talk.uow.tasks.claim_today(f"{code} {user_id}"):
        await talk.office.alarm(code, line(f"alarm.{code}", user_id=user_id), user_id=user_id)


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
    talk = Talk(office, person, message, room.id)
    if message.proof is not Proof.PROVEN:
        await _refuse(talk)
    elif found := in_room.find(message.body):
        command, _rest = found
        await command.act(talk, {})
    else:
        await talk.answer(error("unknown_command", line("error.at_your_desk")))
