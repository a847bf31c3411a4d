"""The story of the leaflet, the years after: signals end, a newcomer sees who was involved, and they are erased."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from bot.demo import cast, proof
from bot.demo.actor import PATIENCE_S
from bot.demo.acts import BOTH, Play, admit, states
from bot.demo.cast import FATIMA, JOOST, LIN, NOOR
from bot.demo.clock import ClockMissing, LiveClock, moved
from domain.calendar import add_years, midnight

_MORNING = timedelta(hours=10)
_TRIAL = timedelta(days=1000)
_POLL_S = 0.05
_LIKEWISE: Final = ((FATIMA, "fatima-her"), (LIN, "lin"), (LIN, "twin"), (LIN, "lin-her"))
"""The signals that end when Fatima's first one does, and whose they are."""


async def find_clock(file: Path) -> LiveClock | None:
    """A clock that the processes started from now on look at; None if there is none for this machine."""
    try:
        clock, env = LiveClock(file), moved(_TRIAL)
    except ClockMissing:
        return None
    # A library made for another system is left out with no more than a warning: so look whether it works.
    trial = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; print(time.time())", env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    said, _ = await trial.communicate()
    return clock if trial.returncode == 0 and float(said) > time.time() + _TRIAL.total_seconds() / 2 else None


async def two_years(play: Play, clock: LiveClock) -> None:
    """Signals become inactive, and their professionals are told."""
    play.screen.chapter(
        "Twee jaar later", "After two years the signals become inactive; the clocks are moved from outside."
    )
    anna, fatima, joost, lin = play.actors["anna"], play.actor(FATIMA), play.actor(JOOST), play.actor(LIN)
    proposed = {who: who.cards("signal.proposed") for who in (fatima, joost, lin)}
    with_child = proposed | {anna: anna.cards("review.shown")}
    await _pass_time(play, clock, add_years(play.today, 2))
    await fatima.receives("signal.expired", ref=play.signals["fatima"])
    play.screen.tell("Zo gaat het met al hun signalen: twee van Fatima, drie van Lin. Joost was al klaar.")
    for role, name in _LIKEWISE:
        await play.actor(role).receives("signal.expired", shown=False, ref=play.signals[name])
    play.checks("Joost was al klaar en hoort niets", holds=not joost.cards("signal.expired"))
    for who, cards in with_child.items():
        await who.sees_redacted("kaarten waar een kind op staat, zijn gewist", [card.event_id for card in cards])
    play.screen.checked("Kaarten waar een kind op staat, heeft Wenk na een uur uit ieders balie gewist.")


async def newcomer(play: Play) -> None:
    """Noor signals the same child: she is told once who was involved before; they hear nothing."""
    screen, anna = play.screen, play.actors["anna"]
    screen.chapter("Noor is nieuw", "A newcomer sees, once, who was involved before. They hear nothing.")
    screen.tell("Anna laat een jeugdarts toe: Noor. Die plaatst een signaal voor hetzelfde kind.")
    await anna.asks(f"organisatie toevoegen {cast.YOUTH_HEALTH}", "organisation.added")
    await admit(play, NOOR)
    noor, earlier = await play.enter(NOOR), [play.actor(role) for role in (FATIMA, JOOST, LIN)]
    before = [len(who.person.cards) for who in earlier]
    born = f"{play.born:%d-%m-%Y}"
    await noor.asks(f"signaal {cast.GIVEN}; {cast.SURNAME}; {born}; {cast.ADDRESS}", "signal.proposed", tell=BOTH)
    await noor.asks("ja", "signal.placed", tell=BOTH)
    await noor.receives("match.earlier", of=earlier)
    await noor.asks("matches", "match.list", matches=[])
    play.checks("wie er eerder bij was, hoort niets", holds=[len(who.person.cards) for who in earlier] == before)


async def five_years(play: Play, clock: LiveClock) -> None:
    """The signals are erased, and the introductions are empty."""
    screen = play.screen
    screen.chapter(
        "Vijf jaar na het begin", "After five years the signals are erased, and the introductions are empty."
    )
    fatima, joost, noor = (play.actor(role) for role in (FATIMA, JOOST, NOOR))
    await _pass_time(play, clock, add_years(play.today, 3))
    await fatima.receives("signal.erased", ref=play.signals["fatima"])
    await joost.receives("signal.erased", shown=False, ref=play.signals["joost"])
    for role, name in _LIKEWISE:
        await play.actor(role).receives("signal.erased", shown=False, ref=play.signals[name])
    await fatima.asks("signalen", "signal.list", signals=[])
    screen.tell(
        "Joost en Lin krijgen hetzelfde bericht. Het signaal van Noor is drie jaar oud: gestopt, nog niet gewist."
    )
    await noor.receives("signal.expired", shown=False)
    listed = await noor.asks("signalen", "signal.list")
    play.checks("het signaal van Noor is er nog, gestopt", holds=list(states(listed).values()) == ["inactive"])

    async def emptied() -> bool:
        return not any(proof.left_in_room(play.stage.synapse.directory, room) for room in (play.room, play.her_room))

    await _becomes(play, "de kennismakingen zijn leeg, wie er ook schreef", emptied)
    screen.checked("De kennismakingen zijn gesloten en leeg: ook wat Fatima, Joost en Lin schreven, is gewist.")


async def _pass_time(play: Play, clock: LiveClock, day: date) -> None:
    """Time passes for homeserver and Wenk together. Wenk starts anew: once ready, it has done what became due."""
    with play.screen.busy(f"De klokken gaan vooruit naar {cast.in_words(day)}; Wenk start opnieuw"):
        play.checks("Wenk stopt netjes", holds=await play.stage.stop() == 0)
        play.ahead = midnight(day) + _MORNING - datetime.now(UTC)
        clock.move(play.ahead)
        for who in play.actors.values():
            # As clients do after a week; these, whose own clock stands still, do not know how late it is.
            who.person.machine.forget_room(who.desk)
        http = play.actors["anna"].person.http

        async def homeserver_sees_it() -> bool:
            await http.request("GET", "/_matrix/client/versions")
            now = http.server_time()
            return now is not None and now >= midnight(day)

        await _becomes(play, "de klok van de homeserver gaat vooruit", homeserver_sees_it)
        await play.stage.start()


async def _becomes(play: Play, promise: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so; StoryBroken if it does not become so."""
    deadline = time.monotonic() + PATIENCE_S
    while not (holds := await condition()) and time.monotonic() < deadline:  # noqa: ASYNC110 (of other processes)
        await asyncio.sleep(_POLL_S)
    play.checks(promise, holds=holds)
