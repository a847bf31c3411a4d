"""The kindcheck: questions for a professional to go through with an adult client. Nothing is sent back or kept."""

from collections.abc import Mapping
from typing import Any

from handlers.cards import card
from handlers.command import Command, Who
from handlers.office import Talk
from handlers.words import line

_QUESTIONS = (
    line("kindcheck.question.children"),
    line("kindcheck.question.notice"),
    line("kindcheck.question.care"),
    line("kindcheck.question.safe"),
    line("kindcheck.question.help"),
)


async def show_kindcheck(talk: Talk, _given: Mapping[str, Any]) -> None:
    """The region's own questions, or else the catalogue's, and what to do with the answers."""
    own = [line("kindcheck.question", question=question) for question in talk.region.kindcheck]
    await talk.answer(
        card("kindcheck", line("kindcheck"), *(own or _QUESTIONS), line("kindcheck.then"), line("kindcheck.not_here"))
    )


COMMANDS = (
    Command(
        name="kindcheck",
        words={"nl": ("kindcheck",), "en": ("kindcheck",)},
        who=Who.PROFESSIONAL,
        act=show_kindcheck,
    ),
)
