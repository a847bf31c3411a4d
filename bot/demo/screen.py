"""What the demo shows: each person's screen as they see it, and a word between; 80 columns, or a log without colour."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from rich.align import Align
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.demo.person import Card

WIDTH: Final = 80
_BUBBLE: Final = 68
_FRAME: Final = 4
_STYLES: Final = {"strong": "bold", "code": "reverse"}


@dataclass(frozen=True, slots=True)
class Look:
    """How a person is shown: by which name, in which colour."""

    name: str
    colour: str


class Screen:
    """Where the story appears: standard output."""

    def __init__(self, console: Console | None = None) -> None:
        # A terminal that knows no box characters or accents gets others: the demo must not end by that.
        if console is None and (reconfigure := getattr(sys.stdout, "reconfigure", None)):
            reconfigure(errors="replace")
        self.console = console or Console(highlight=False, soft_wrap=False)
        self.console.width = min(self.console.width, WIDTH)
        self._chapters = 0

    def title(self, text: str, *lines: str) -> None:
        """What this is; the lines may hold markup."""
        self.console.print(Panel("\n".join(lines), title=f"[bold]{text}", border_style="bold", padding=(1, 2)))

    def chapter(self, title: str, english: str) -> None:
        """The next part of the story, with a line for who reads no Dutch."""
        self._chapters += 1
        self.console.print()
        self.console.rule(f"[bold]{self._chapters}. {title}", style="bold", align="left")
        self.console.print(Text(english, style="dim italic"))

    def tell(self, text: str) -> None:
        """A word of explanation."""
        self.console.print()
        self.console.print(text)

    def said(self, who: Look, room: str, text: str) -> None:
        """What somebody types, on their own screen: at the right, as chat clients show it."""
        title = f"{who.name} · {room}"
        width = min(_BUBBLE, max(len(text), len(title) + 2) + _FRAME)
        shown = Panel(Text(text), title=title, title_align="right", border_style=who.colour, width=width)
        self.console.print(Align.right(shown))

    def received(self, who: Look, sender: str, room: str, card: Card) -> None:
        """What somebody else wrote, as it stands on a person's screen."""
        title = f"[bold]{sender}[/] · {room} van {who.name}" if room == "balie" else f"[bold]{sender}[/] · {room}"
        subtitle = None if room == "balie" else f"scherm van {who.name}"
        shown = Panel(
            as_text(card), title=title, title_align="left", subtitle=subtitle, subtitle_align="left",
            border_style=who.colour, width=_BUBBLE,
        )  # fmt: skip
        self.console.print(shown)

    def table(self, title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Values that must stay readable as they are, side by side."""
        shown = Table(title=title, title_justify="left", title_style="bold", width=WIDTH)
        for column in head:
            shown.add_column(column, overflow="fold")
        for row in rows:
            shown.add_row(*row)
        self.console.print()
        self.console.print(shown)

    def checked(self, what: str) -> None:
        """One thing that was found to be so."""
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_row(Text(" ✓", style="bold green"), what)
        self.console.print(row)

    def failed(self, what: str, log: str) -> None:
        """What went wrong, and the end of the bot's log."""
        self.console.print()
        self.console.print(Panel(Text(what), title="[bold]De demo is mislukt", border_style="bold red"))
        if log:
            self.console.print(Text(f"De laatste regels van het logboek van Wenk:\n{log}", style="dim"))

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Something takes a while: it moves on a terminal; afterwards, and in a log, a line with how long it took."""
        began = time.monotonic()
        with self.console.status(what, spinner="dots"):
            yield
        self.console.print(Text.assemble((" ✓ ", "green"), what, (f" ({time.monotonic() - began:.1f} s)", "dim")))


def as_text(card: Card) -> Text:
    """A card as a chat client shows it: from its HTML, else its plain body."""
    html = card.content.get("formatted_body")
    if not isinstance(html, str):
        return Text(card.body)
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = Text()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (HTMLParser's)
        if tag == "br":
            self.text.append("\n")
        else:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            self._open.remove(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data, " ".join(_STYLES[tag] for tag in self._open if tag in _STYLES))
