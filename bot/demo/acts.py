"""The story of the leaflet, today's part: two professionals find each other, a third joins, one withdraws."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Final

from bot.demo import cast, document
from bot.demo.actor import Actor, Checks
from bot.demo.cast import ANNA, FATIMA, JOOST, LIN, Role
from bot.demo.person import Card
from bot.demo.screen import Screen
from bot.demo.stage import Stage
from domain.calendar import add_years, day_of

BOTH = ["parents", "child"]
_PDF: Final = b"%PDF"


@dataclass(slots=True, kw_only=True)
class Play:
    """The story so far.

    Attributes:
        ahead: by how much the clocks of the homeserver and of Wenk were moved.
        actors: who plays, by login.
        signals: references, by login; `twin` is Lin's signal on the other child, `fatima-her` and `lin-her` are on the
            girl whose name is misheard.
        room: the introduction; `her_room` the one about that girl.
    """

    stage: Stage
    screen: Screen
    checks: Checks = field(default_factory=Checks)
    ahead: timedelta = timedelta()
    actors: dict[str, Actor] = field(default_factory=dict)
    signals: dict[str, str] = field(default_factory=dict)
    room: str = ""
    her_room: str = ""

    @property
    def today(self) -> date:
        """In the story."""
        return day_of(datetime.now(UTC) + self.ahead)

    @property
    def born(self) -> date:
        """Of the twins."""
        return cast.birthday(day_of(datetime.now(UTC)))

    @property
    def her_born(self) -> date:
        """Of the girl whose name is misheard."""
        return cast.birthday(day_of(datetime.now(UTC)), 5, 3)

    def actor(self, role: Role) -> Actor:
        return self.actors[role.login]

    async def enter(self, role: Role | None, *, shown: bool = False) -> Actor:
        """Somebody takes their phone and logs in; None: the coordinator. `shown`: with the welcome they get."""
        login, look = (role.login, role.look) if role else ("anna", ANNA)
        person = await self.stage.person(login)
        actor = Actor(
            look=look, person=person, screen=self.screen, checks=self.checks, wenk=self.stage.user_id("wenk"),
            contact=role.contact(person.user_id) if role else {},
        )  # fmt: skip
        self.actors[login] = actor
        await actor.sits_down(shown=shown)
        return actor


async def admission(play: Play) -> None:
    """A coordinator admits three organisations and three professionals."""
    screen = play.screen
    screen.chapter("Wie mag meedoen?", "The coordinator admits three organisations and three professionals, in chat.")
    screen.tell("Anna is coördinator. Haar naam staat in de instellingen van Wenk; iedereen na haar laat zij toe.")
    anna = await play.enter(None, shown=True)
    for organisation in (cast.SCHOOL, cast.PRACTICE, cast.HALT):
        await anna.asks(f"organisatie toevoegen {organisation}", "organisation.added")
    for role in (FATIMA, JOOST):
        await admit(play, role)
    screen.tell("Bij Lin vergeet Anna het telefoonnummer. Wenk vraagt alleen daarnaar.")
    user_id = await play.stage.register(LIN.login)
    typed = f"professional toevoegen {user_id}; {LIN.organisation}; {LIN.full_name}; {LIN.function}; {LIN.email}"
    await anna.asks(typed, "question", field="phone")
    await anna.asks(LIN.phone, "professional.added", user_id=user_id)
    screen.tell("Ieder krijgt een eigen balie: een versleuteld gesprek met Wenk. Fatima neemt de uitnodiging aan.")
    await play.enter(FATIMA, shown=True)


async def admit(play: Play, role: Role) -> None:
    """Anna admits a professional in one line."""
    user_id = await play.stage.register(role.login)
    parts = (user_id, role.organisation, role.full_name, role.function, role.email, role.phone)
    await play.actors["anna"].asks("professional toevoegen " + "; ".join(parts), "professional.added", user_id=user_id)


async def field_by_field(play: Play) -> None:
    """Fatima places a signal; a mistake is explained, and what was right is kept."""
    play.screen.chapter(
        "Fatima plaatst een signaal", "A signal field by field; one mistake is explained, the rest is kept."
    )
    play.screen.tell(
        f"Fatima begeleidt {cast.GIVEN}. Ze weet niet of er meer mensen bij haar gezin betrokken zijn. "
        "Bij de geboortedatum vergist ze zich."
    )
    fatima = play.actor(FATIMA)
    await fatima.asks("signaal", "question", field="given")
    await fatima.asks(cast.GIVEN, "question", field="surname")
    await fatima.asks(cast.SURNAME, "question", field="born")
    await fatima.asks(f"31-02-{play.born.year}", "error", code="bad_input", field="born")
    await fatima.asks(cast.in_words(play.born), "question", field="address")
    await fatima.asks(cast.ADDRESS, "signal.proposed", tell=BOTH)
    await places(play, fatima)


async def leaflet(play: Play) -> None:
    """Fatima asks for the leaflet: an encrypted document, which names nobody."""
    screen, fatima = play.screen, play.actor(FATIMA)
    screen.chapter("De folder voor het gezin", "The leaflet, as an encrypted PDF without the child's name.")
    screen.tell("Fatima vertelt het gezin over het signaal, en geeft de folder mee.")
    ref = play.signals["fatima"]
    card = await fatima.asks(f"folder {ref}", "leaflet", ref=ref, language="nl", version=BOTH)
    file = card.content["file"]
    status, ciphertext = await document.download(fatima.person, file)
    play.checks("op de homeserver is de folder versleuteld", holds=status == HTTPStatus.OK and _PDF not in ciphertext)
    pdf = document.decrypt(file, ciphertext)
    play.checks("Fatima kan de folder openen", holds=pdf.startswith(_PDF) and len(pdf) == card.content["info"]["size"])
    printed = await asyncio.to_thread(document.Printed.of, pdf)
    play.checks("de folder is van deze regio, in het Nederlands", holds="Smallingerland" in printed.text)
    play.checks("de folder zegt zelf dat hij Nederlands is", holds=printed.language == "nl")
    named = [name for name in cast.traces(play.born) if name.lower() in printed.text.lower()]
    play.checks("het kind staat niet in de folder", holds=not named)
    screen.checked(
        f"{card.content['filename']}: {printed.pages} bladzijden in het Nederlands, {len(pdf) / 1000:.0f} kB. "
        "Op de homeserver versleuteld. Geopend en gelezen: de naam van het kind staat er niet in."
    )


async def in_one_line(play: Play) -> None:
    """Joost signals the same child, written differently; both learn of each other and meet."""
    screen = play.screen
    screen.chapter("Joost is ook betrokken", "The second signal, in one line and written differently: a match.")
    screen.tell("Joost is huisarts. Hij typt alles in één regel, op zijn eigen manier.")
    fatima, joost = play.actor(FATIMA), await play.enter(JOOST)
    await joost.asks(
        f"signaal {cast.GIVEN.upper()}; Veen, van der; {play.born.isoformat()}; 9203zx 95-A",
        "signal.proposed",
        tell=BOTH,
    )
    await places(play, joost)
    screen.tell("Meteen horen ze allebei van elkaar. Wie het kind is, staat er niet bij: alleen het eigen nummer.")
    notice = await joost.receives("match.notice", of=[fatima], signal=play.signals["joost"])
    again = await fatima.receives("match.notice", of=[joost], signal=play.signals["fatima"], ref=notice.wenk["ref"])
    by = play.today + timedelta(days=10)
    play.checks("ze bellen binnen tien dagen", holds=again.wenk["call_by"] in near(by))
    screen.tell("En ze krijgen samen een versleuteld gesprek, om een afspraak te maken.")
    play.room = (await joost.receives("match.introduction", of=[fatima, joost], ref=notice.wenk["ref"])).room_id
    await fatima.receives("match.introduction", of=[fatima, joost], shown=False, ref=notice.wenk["ref"])
    history = await fatima.person.state(play.room, "m.room.history_visibility")
    play.checks("wie later komt, leest niets van eerder", holds=history.get("history_visibility") == "joined")
    await joost.says(play.room, "Dag Fatima. Zal ik je morgen om vier uur bellen?", to=[fatima])
    await fatima.says(play.room, "Graag! Tot morgen.", to=[joost])


async def twin(play: Play) -> None:
    """Lin signals the twin: same surname, birthday and address, and nobody learns anything."""
    screen = play.screen
    screen.chapter(
        "Lin kent de tweelingzus", "Same surname, birthday and address, another child: nobody learns anything."
    )
    screen.tell(f"Lin van Halt begeleidt {cast.TWIN}, de tweelingzus van {cast.GIVEN}.")
    lin, before = await play.enter(LIN), len(play.actor(FATIMA).cards("match.notice"))
    born = f"{play.born:%d-%m-%Y}"
    await lin.asks(f"signaal {cast.TWIN}; {cast.SURNAME}; {born}; {cast.ADDRESS}", "signal.proposed", tell=BOTH)
    await places(play, lin, "twin")
    await lin.asks("matches", "match.list", matches=[])
    play.checks("Lin hoort niets", holds=not lin.cards("match.notice"))
    play.checks("Fatima hoort niets", holds=len(play.actor(FATIMA).cards("match.notice")) == before)
    screen.tell(f"Dan wordt Lin ook bij {cast.GIVEN} betrokken. Achternaam en adres hoeft ze niet opnieuw te typen.")
    await lin.asks(f"nog een {cast.GIVEN}; {born}", "signal.proposed", tell=BOTH)
    await places(play, lin)


async def third(play: Play) -> None:
    """Lin joins; each learns of her, and she of both, but not of what was said before."""
    screen, fatima, joost, lin = play.screen, play.actor(FATIMA), play.actor(JOOST), play.actor(LIN)
    screen.chapter(
        "Een derde komt erbij", "The third joins the same introduction; earlier talk stays invisible to her."
    )
    notice = await lin.receives("match.notice", of=[fatima, joost], signal=play.signals["lin"])
    screen.tell("Fatima en Joost horen dat er iemand bij komt. Dit ziet Fatima:")
    everybody = [fatima, joost, lin]
    for known, other in ((fatima, joost), (joost, fatima)):
        await known.receives(
            "match.notice", of=[other, lin], shown=known is fatima,
            signal=play.signals[known.look.name.lower()], ref=notice.wenk["ref"],
        )  # fmt: skip
    card = await lin.receives("match.introduction", of=everybody, ref=notice.wenk["ref"])
    play.checks("het is dezelfde kennismaking", holds=card.room_id == play.room)
    await fatima.receives("match.joined", user_id=lin.person.user_id)
    await lin.says(play.room, "Hallo allebei! Ik bel maandag even rond.", to=everybody)
    read = [card for card in lin.person.cards if card.room_id == play.room and not card.wenk]
    play.checks("Lin leest niet wat er eerder is gezegd", holds=[card.sender for card in read] == [lin.person.user_id])
    screen.tell("Wat Fatima en Joost eerder schreven, ziet Lin niet.")


async def withdrawal(play: Play) -> None:
    """Joost is done: he leaves the introduction, the others stay."""
    play.screen.chapter("Joost is klaar", "One withdraws as done: he leaves the introduction, the others go on.")
    fatima, joost, lin = play.actor(FATIMA), play.actor(JOOST), play.actor(LIN)
    ref = play.signals["joost"]
    await joost.asks(f"intrekken {ref} klaar", "signal.withdrawn", ref=ref)
    await fatima.receives("match.left", user_id=joost.person.user_id)
    await lin.receives("match.left", shown=False, user_id=joost.person.user_id)
    await joost.until("Joost is uit het gesprek", lambda: play.room not in joost.person.rooms())
    listed = await joost.asks("signalen", "signal.list")
    play.checks("het signaal van Joost is gestopt", holds=states(listed) == {ref: "inactive"})


async def places(play: Play, who: Actor, name: str = "") -> None:
    """The answer is ja: the signal is placed, active for two calendar years."""
    placed = await who.asks("ja", "signal.placed", tell=BOTH)
    play.signals[name or who.look.name.lower()] = placed.wenk["ref"]
    two_years_on = add_years(play.today, 2)
    play.checks("het signaal is twee jaar actief", holds=placed.wenk["active_until"] in near(two_years_on))


def states(listed: Card) -> dict[str, str]:
    """The signals of a list, with their state."""
    return {signal["ref"]: signal["state"] for signal in listed.wenk["signals"]}


def near(day: date) -> tuple[str, str]:
    """A day, or the one before: midnight may have passed while somebody typed."""
    return day.isoformat(), (day - timedelta(days=1)).isoformat()
