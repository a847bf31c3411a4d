"""A command is one description: its words, its parameters, who may use it and what it does.

Parsing, help, prompts and error texts all come from it. For a parameter `born` the catalogue has `ask.born` (the
question), `example.born`, and `bad.born.<code>` for each reason for which it can be refused; for a command `signal` it
has `help.signal`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from domain.faults import BadInput
from domain.references import Kind, parse_reference
from handlers.office import Talk

Values = dict[str, str]


class BadValue(BadInput):
    """`unreadable`, or `unknown_choice`: it is none of those that there are."""


class Who(Enum):
    """Who may use a command: at their desk, or as a participant in an introduction."""

    EVERYBODY = auto()
    PROFESSIONAL = auto()
    COORDINATOR = auto()
    PARTICIPANT = auto()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a command needs; `read` gives its value or raises an exception with a `code`.

    `stands_for`: which other one this is, by the values read before it; that one is asked for, read and complained of.
    """

    name: str
    read: Callable[[str], Any]
    optional: bool = False
    stands_for: Callable[[Mapping[str, Any]], "Parameter"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody can say.

    `words` are its spellings by language; `by_words`: parameters are separated by white space instead of `;` and new
    lines. The last parameter takes all that remains. `confirmed` is what happens after `ja`.
    """

    name: str
    words: Mapping[str, tuple[str, ...]]
    who: Who
    act: Callable[[Talk, Mapping[str, Any]], Awaitable[None]]
    parameters: tuple[Parameter, ...] = ()
    by_words: bool = False
    confirmed: Callable[[Talk, Mapping[str, Any]], Awaitable[None]] | None = None
    keeps_question: bool = False

    def split(self, rest: str) -> Values:
        """What was typed after the command, by parameter; empty ones are left out."""
        if not self.parameters:
            return {}
        most = len(self.parameters) - 1
        parts = rest.split(maxsplit=most) if self.by_words else re.split(r"[;\n]", rest)
        if len(parts) > len(self.parameters):
            parts = [*parts[:most], " ".join(part.strip() for part in parts[most:])]
        named = zip(self.parameters, parts, strict=False)
        return {parameter.name: part.strip() for parameter, part in named if part.strip()}


class Commands:
    """All commands, found by the words that somebody typed."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.all = tuple(commands)
        self._by_name = {command.name: command for command in commands}
        spellings = [
            (word.split(), command) for command in commands for words in command.words.values() for word in words
        ]
        # `organisatie toevoegen` before a possible `organisatie`.
        self._spellings = sorted(spellings, key=lambda spelling: -len(spelling[0]))

    def named(self, name: str) -> Command | None:
        return self._by_name.get(name)

    def find(self, text: str) -> tuple[Command, str] | None:
        """The command that this text begins with, and what follows it; the `!` may be left out."""
        typed = text.strip().removeprefix("!").strip()
        for words, command in self._spellings:
            pattern = r"\s+".join(re.escape(word) for word in words) + r"(?:\s+|$)"
            if met := re.match(pattern, typed, re.IGNORECASE):
                return command, typed[met.end() :]
        return None


def one_of(choices: Mapping[str, str]) -> Callable[[str], str]:
    """A reader for a fixed choice: what may be typed -> what it means."""

    def read(text: str) -> str:
        try:
            return choices[text.strip().casefold()]
        except KeyError:
            raise BadValue("unknown_choice") from None

    return read


YES_OR_NO = one_of({"ja": "yes", "yes": "yes", "nee": "no", "no": "no"})
"""What a coordinator decides."""


def reference_of(kind: Kind) -> Callable[[str], str]:
    """A reader for a reference of that kind, `S-7K3QZ9`, however it was typed."""

    def read(text: str) -> str:
        reference = parse_reference(text, kind)
        if reference is None:
            raise BadValue("unreadable")
        return reference

    return read
