"""Somebody in the story: types, sees, and checks that what is seen is what was promised."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.demo.person import Card, Person
from bot.demo.screen import Look, Screen

DESK: Final = "balie"
INTRODUCTION: Final = "kennismaking"
PATIENCE_S: Final = 30.0
"""Ten times what an idle machine needs for the slowest answer; a busy one gets its time."""


class StoryBroken(Exception):
    """Something in the story did not happen as it should."""


class Checks:
    """Everything that was found to be as promised, counted."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, promise: str, *, holds: bool) -> None:
        """Go on if it holds; raises StoryBroken if not."""
        if not holds:
            raise StoryBroken(f"Dit hoort zo te zijn, maar het is niet zo: {promise}")
        self.made += 1


@dataclass(slots=True, kw_only=True, eq=False)
class Actor:
    """One person with their phone.

    Attributes:
        contact: what others may come to see of them, as in the machine part of a card.
        desk: their room with Wenk.
        typed: what they sent to their desk, by event id.
        seen: the cards that were shown and checked, by event id.
    """

    look: Look
    person: Person
    screen: Screen
    checks: Checks
    wenk: str
    contact: dict[str, str] = field(default_factory=dict)
    desk: str = ""
    typed: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.look.name

    async def sits_down(self, *, shown: bool) -> None:
        """The invitation to the desk has come and was accepted; Wenk says welcome."""
        welcome = await self.finds("een welkom", lambda card: card.wenk.get("kind") == "welcome")
        self.desk = welcome.room_id
        if shown:
            self._shows(welcome)
        state = await self.person.state(self.desk, "m.room.encryption")
        self.checks(f"de balie van {self.name} is versleuteld", holds="algorithm" in state)

    async def asks(self, text: str, kind: str, **fields: object) -> Card:
        """Type something at the desk; the one card that answers it is of this kind and has these fields."""
        self.screen.said(self.look, DESK, text)
        sent = await self.person.say(self.desk, text)
        self.typed.append(sent)
        card = await self.finds(f"antwoord op '{text}'", lambda card: card.wenk.get("re") == sent)
        self._shows(card)
        self._holds(card, {"kind": kind, **fields})
        return card

    async def receives(
        self, kind: str, *, of: "Sequence[Actor] | None" = None, shown: bool = True, **fields: object
    ) -> Card:
        """A card that answers nothing, with these fields. `of`: whose contact details it gives, and of nobody else."""
        fields = {"kind": kind, **fields}
        wanted = None if of is None else contacts(other.contact for other in of)

        def meant(card: Card) -> bool:
            is_so = all(card.wenk.get(name) == value for name, value in fields.items())
            is_new = "re" not in card.wenk and card.event_id not in self.seen
            return is_so and is_new and (wanted is None or contacts(card.wenk.get("participants", ())) == wanted)

        about = "" if of is None else " over " + " en ".join(other.name for other in of)
        card = await self.finds(f"een kaart {fields}{about}", meant)
        if shown:
            self._shows(card)
        self.seen.add(card.event_id)
        self._holds(card, fields)
        return card

    async def says(self, room_id: str, text: str, *, to: "Sequence[Actor]") -> str:
        """Write to the others in an introduction; each of them can read it."""
        self.screen.said(self.look, INTRODUCTION, text)
        sent = await self.person.say(room_id, text)
        for other in to:
            card = await other.finds(f"het bericht van {self.name}", lambda card: card.event_id == sent)
            self.checks(f"{other.name} leest wat {self.name} schreef", holds=card.body == text and card.verified)
        return sent

    async def finds(self, what: str, meant: Callable[[Card], bool]) -> Card:
        """The card that is meant; StoryBroken if it does not come."""
        try:
            return await self.person.wait_for(meant, PATIENCE_S)
        except TimeoutError:
            raise StoryBroken(f"{self.name} wachtte {PATIENCE_S:.0f} seconden vergeefs op {what}.") from None

    async def until(self, promise: str, condition: Callable[[], bool]) -> None:
        """Wait until it is so; StoryBroken if it does not become so."""
        try:
            await self.person.until(condition, PATIENCE_S)
        except TimeoutError:
            self.checks(promise, holds=False)
        self.checks(promise, holds=True)

    async def sees_redacted(self, promise: str, events: Iterable[str]) -> None:
        """All of these are gone from the screen."""
        gone = set(events)
        await self.until(f"{promise} ({self.name})", lambda: gone <= self.person.redacted)

    def cards(self, kind: str) -> list[Card]:
        """The cards of a kind that have come so far."""
        return [card for card in self.person.cards if card.wenk.get("kind") == kind]

    def _shows(self, card: Card) -> None:
        self.seen.add(card.event_id)
        self.screen.received(self.look, "Wenk", DESK if card.room_id == self.desk else INTRODUCTION, card)

    def _holds(self, card: Card, fields: dict[str, object]) -> None:
        got = {name: card.wenk.get(name) for name in fields}
        self.checks(f"wat {self.name} krijgt, komt bewezen van Wenk", holds=card.verified and card.sender == self.wenk)
        self.checks(f"{self.name} krijgt {fields} (het is {got})", holds=got == fields)


def contacts(people: object) -> list[dict[str, str]]:
    """Contact details in a fixed order, to be compared; without what else a card says of somebody."""
    names = ("user_id", "name", "organisation", "function", "email", "phone")
    found = [{name: person.get(name) for name in names} for person in people]  # type: ignore[attr-defined]
    return sorted(found, key=lambda person: person["user_id"])
