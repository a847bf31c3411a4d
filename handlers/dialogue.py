"""From what somebody said to what is done about it: one message, one answer.

One question is open per desk. `ja` counts only if the card that asked was in the room before it, or if it replies to
that card; otherwise Wenk asks again. Every other command drops the question and says so.
"""

from typing import Any

import msgspec

from domain.faults import BadInput
from handlers.cards import Card, card, error
from handlers.command import Command, Commands, Parameter, Values, Who
from handlers.office import Talk
from handlers.words import CLOSES, OPENS, Line, line

YES = frozenset({"ja", "yes", "j", "y", "oké", "ok", "oke", "klopt"})
NO = frozenset({"nee", "no", "n", "annuleer", "annuleren", "cancel", "stop"})
CANCEL_REACTION = "❌"
_SLOT = "open"


class Pending(msgspec.Struct, frozen=True):
    """The open question: of which command, what was typed so far, and the field asked for (None: ja or nee)."""

    command: str
    values: Values
    field: str | None


async def converse(talk: Talk, commands: Commands) -> None:
    """Handle what somebody said at their desk."""
    message = talk.message
    pending, card_id, expired = await _open_question(talk)
    said = _unquoted(message.body)
    word = said.removeprefix("!").strip().rstrip(".!").casefold()
    if message.kind != "text" or message.replaces or not word:
        await talk.answer(error("unknown_command", line("error.not_text")))
    elif word in NO and pending:
        await _cancel(talk)
    elif word in YES and pending and pending.field is None:
        await _confirm(talk, commands, pending, card_id)
    elif found := commands.find(said):
        command, rest = found
        if pending and not command.keeps_question:
            talk.dropped_question = await talk.uow.questions.drop(talk.person.user_id, _SLOT)
        await _start(talk, command, command.split(rest))
    elif pending and pending.field and not said.startswith("!"):
        # Answered; whatever else is missing or wrong is asked anew.
        await talk.uow.questions.drop(talk.person.user_id, _SLOT)
        await _start(talk, _known(commands, pending), pending.values | {pending.field: said})
    elif expired and (word in YES or not said.startswith("!")):
        await talk.uow.questions.drop(talk.person.user_id, _SLOT)
        await talk.answer(error("expired"))
    else:
        await talk.answer(error("unknown_command", line("error.yes_or_no")) if pending else error("unknown_command"))


def _unquoted(body: str) -> str:
    """Without the quotation marks that come along when a command is copied from a card."""
    said = body.strip()
    return said[1:-1].strip() if said.startswith(OPENS) and said.endswith(CLOSES) else said


async def react(talk: Talk) -> None:
    """A reaction counts only as ❌ to the open question; it is cleartext, so it can never confirm anything."""
    pending, card_id, _expired = await _open_question(talk)
    if pending is None or talk.message.body.rstrip("\ufe0f") != CANCEL_REACTION:
        return
    _position, event_id = await talk.uow.outbox.place(card_id)
    if event_id == talk.message.target:
        await _cancel(talk)


async def _start(talk: Talk, command: Command, values: Values) -> None:
    if refusal := _not_allowed(talk, command):
        await talk.answer(refusal)
    else:
        await advance(talk, command, values)


def _not_allowed(talk: Talk, command: Command) -> Card | None:
    person = talk.person
    match command.who:
        case Who.COORDINATOR if not person.coordinator:
            return error("not_allowed", line("error.only_coordinators"))
        case Who.PROFESSIONAL if person.professional == "suspended":
            return error("not_allowed", line("error.suspended"))
        case Who.PROFESSIONAL if person.professional != "active":
            return error("not_allowed", line("error.only_professionals"))
        case _:
            return None


async def advance(talk: Talk, command: Command, values: Values) -> None:
    """Go on with a command: ask for what is missing or wrong, else do it. What was right is kept."""
    read: dict[str, Any] = {}
    for parameter in command.parameters:
        if parameter.name not in values and parameter.optional:
            continue
        meant = parameter.stands_for(read) if parameter.stands_for is not None else parameter
        if parameter.name not in values:
            await _ask(talk, command, values, parameter, card("question", *_question(meant), field=meant.name))
            return
        try:
            read[parameter.name] = meant.read(values[parameter.name])
        except BadInput as fault:
            refused = error(
                "bad_input", line(f"bad.{meant.name}.{fault.code}"), *_question(meant), field=meant.name
            )  # fmt: skip
            kept = {name: value for name, value in values.items() if name != parameter.name}
            await _ask(talk, command, kept, parameter, refused)
            return
    talk.values = values
    await command.act(talk, read)


def _question(parameter: Parameter) -> tuple[Line, ...]:
    return (line(f"ask.{parameter.name}", example=Line(f"example.{parameter.name}")),)


async def _ask(talk: Talk, command: Command, values: Values, parameter: Parameter, shown: Card) -> None:
    card_id = await talk.answer(shown)
    await _put(talk, card_id, Pending(command.name, values, parameter.name))


async def ask_again(talk: Talk, command_name: str, field: str, shown: Card) -> None:
    """What was typed for a field cannot be: say so, and keep the rest; what comes next is for that field."""
    card_id = await talk.answer(shown)
    kept = {name: value for name, value in talk.values.items() if name != field}
    await _put(talk, card_id, Pending(command_name, kept, field))


async def propose(talk: Talk, command_name: str, shown: Card) -> None:
    """Ask for ja or nee before doing something; after ja the same values go to the command's `confirmed`."""
    card_id = await talk.answer(shown)
    await _put(talk, card_id, Pending(command_name, talk.values, None))


async def _confirm(talk: Talk, commands: Commands, pending: Pending, card_id: str) -> None:
    command = _known(commands, pending)
    await talk.uow.questions.drop(talk.person.user_id, _SLOT)
    if refusal := _not_allowed(talk, command):
        await talk.answer(refusal)
        return
    position, event_id = await talk.uow.outbox.place(card_id)
    seen_before = position is not None and position < talk.message.position
    replies = event_id is not None and event_id == talk.message.reply_to
    read = {parameter.name: parameter.read(pending.values[parameter.name]) for parameter in command.parameters}
    talk.values = pending.values
    if command.confirmed is not None and (seen_before or replies):
        await command.confirmed(talk, read)
    else:
        # Said before the question stood in the room: it may have meant another one. So ask again.
        await command.act(talk, read)


async def _cancel(talk: Talk) -> None:
    await talk.uow.questions.drop(talk.person.user_id, _SLOT)
    await talk.answer(card("cancelled", line("question.cancelled")))


async def _open_question(talk: Talk) -> tuple[Pending | None, str, bool]:
    """The open question, the card that asks it, and whether there was one whose hour is over."""
    found = await talk.uow.questions.get(talk.person.user_id, _SLOT)
    if found is None:
        return None, "", False
    if found.state is None:
        return None, found.card_id, True
    return msgspec.msgpack.decode(found.state, type=Pending), found.card_id, False


async def _put(talk: Talk, card_id: str, pending: Pending) -> None:
    await talk.uow.questions.put(talk.person.user_id, _SLOT, card_id, msgspec.msgpack.encode(pending))


def _known(commands: Commands, pending: Pending) -> Command:
    command = commands.named(pending.command)
    if command is None:
        msg = "the open question belongs to a command that is no more"
        raise LookupError(msg)
    return command
