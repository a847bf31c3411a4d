"""All that users read: one catalogue a language, by name of the text."""

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

LANGUAGES = ("nl", "en")


@cache
def catalogue(language: str) -> dict[str, str]:
    """The texts of a language, by name; raises FileNotFoundError for one that is not there."""
    with (Path(__file__).parent / language / "wenk.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id}
