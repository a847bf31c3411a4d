"""The guide for professionals, made of what the commands say of themselves: it cannot promise what they do not do."""

from collections.abc import Iterator, Sequence

from handlers.command import Command, Who
from locales import catalogue

FILES = {"nl": "docs/handleiding.md", "en": "docs/guide.md"}
"""Where each language's guide stands; `make docs` makes them anew."""
CHAPTERS = ("what", "first", "place", "family", "match", "doubt", "end", "never")
"""What is told before the list of commands, in the order in which it happens: `guide.<chapter>`."""


def guide(language: str, commands: Sequence[Command]) -> str:
    """The guide in one language, as Markdown."""
    return "\n\n".join(_parts(language, commands)) + "\n"


def _parts(language: str, commands: Sequence[Command]) -> Iterator[str]:
    texts = catalogue(language)
    title, *chapters = (texts["guide"], *(texts[f"guide.{chapter}"] for chapter in CHAPTERS))
    yield f"# {title}"
    for chapter in chapters:
        # The first line is the heading.
        heading, _, body = chapter.partition("\n")
        yield f"## {heading}"
        yield body.replace("\n", "\n\n")
    for title, who in (
        ("guide.commands", {Who.PROFESSIONAL, Who.EVERYBODY}),
        ("guide.room", {Who.PARTICIPANT}),
        ("guide.coordinator", {Who.COORDINATOR}),
    ):
        yield f"## {texts[title]}"
        for command in commands:
            if command.who in who:
                yield from _described(command, language)


def _described(command: Command, language: str) -> Iterator[str]:
    texts = catalogue(language)
    yield f"### {command.words[language][0]}"
    yield texts[f"help.{command.name}"].replace("\n", "  \n")
    asked = [
        "- " + texts[f"ask.{parameter.name}"].format(example=texts[f"example.{parameter.name}"])
        for parameter in command.parameters
        if not parameter.optional and parameter.stands_for is None
    ]
    if asked:
        yield texts["guide.asks"]
        yield "\n".join(asked)
