"""`wenk demo`: the whole story on a homeserver of its own, with real encrypted clients; each step checks itself."""

import asyncio
import logging
import signal
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bot.demo import acts, cast, doubt, later, proof
from bot.demo.actor import StoryBroken
from bot.demo.acts import Play
from bot.demo.cast import GUESTS
from bot.demo.clock import LiveClock
from bot.demo.screen import Screen
from bot.demo.stage import BotFailed, Stage
from bot.demo.synapse import LocalSynapse, SynapseFailed, SynapseMissing

_TAIL: Final = 20
_FAILED: Final = 1
_INTERRUPTED: Final = 128
_COORDINATOR: Final = "coordinator"
_TODAY: Final = (
    acts.admission, acts.field_by_field, acts.leaflet, acts.in_one_line, acts.twin, acts.third, acts.withdrawal,
    doubt.doubtful,
)  # fmt: skip

Script = Callable[[Play, LiveClock | None], Awaitable[None]]


async def demo(*, keep: bool) -> int:
    """Play the story and return 0; 1 if it went otherwise than it should; 128 + the signal's number if interrupted.

    `keep`: today's part only, then everything stays until Ctrl-C or SIGTERM. Nothing is left behind in any case.
    """
    logging.getLogger().setLevel(logging.ERROR)  # the screen is the people's; the bot has a log of its own
    screen = Screen()
    story = asyncio.create_task(_keep(screen) if keep else _whole(screen), name="story")
    interrupted: list[int] = []

    def interrupt(number: int) -> None:
        if not interrupted:  # while it is being cleaned up, once is enough
            interrupted.append(number)
            story.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await story
    except asyncio.CancelledError:
        screen.tell("Gestopt en opgeruimd.")
        return _INTERRUPTED + interrupted[0]


async def _perform(screen: Screen, script: Script, *, coordinators: tuple[str, ...], clock_moves: bool) -> int:
    """A homeserver, a bot and a script, in a directory that goes away; the exit status."""
    with tempfile.TemporaryDirectory(prefix="wenk-demo-") as name:
        directory = Path(name)
        try:
            async with AsyncExitStack() as stack:
                clock = await later.find_clock(directory / "clock") if clock_moves else None
                env = clock.env if clock else {}
                stage = Stage(directory, coordinators=coordinators, env=env)
                stage.synapse = LocalSynapse(directory / "synapse", limits="generous", env=env)
                with screen.busy("Een homeserver starten (Synapse, alleen op deze machine)"):
                    await stack.enter_async_context(stage)
                with screen.busy("wenk init: sleutels, database, aanmelden"):
                    await stage.init()
                with screen.busy("wenk run: tot Wenk klaarstaat"):
                    await stage.start()
                await script(Play(stage=stage, screen=screen), clock)
        except Exception as fault:  # noqa: BLE001 (whatever it is: say so, and leave nothing behind)
            screen.failed(_why(fault), _tail(directory / "bot.log"))
            return _FAILED
    return 0


async def _whole(screen: Screen) -> int:
    began = time.monotonic()

    async def script(play: Play, clock: LiveClock | None) -> None:
        for act in _TODAY:
            await act(play)
        during = await _nowhere(play)
        if clock:
            await later.two_years(play, clock)
            await later.newcomer(play)
            await later.five_years(play, clock)
        else:
            screen.chapter("De jaren daarna", "Not shown: the clocks cannot be moved on this machine.")
            screen.tell(
                "Deze machine kan geen klokken vooruitzetten (libfaketime ontbreekt of werkt hier niet). "
                "Dat signalen stoppen en gewist worden, laat de demo daarom nu niet zien."
            )
        await _conclude(play, during, moved=clock is not None)
        screen.tell(f"[bold]Dat was het: {time.monotonic() - began:.0f} seconden.[/] Er blijft niets van achter.")

    screen.title(
        "Wenk",
        "De verwijsindex in een versleutelde chat. Dit is het verhaal van de folder, echt gespeeld: een eigen "
        "homeserver, Wenk als los proces, en voor ieder een echte versleutelde client.",
        "",
        "[dim italic]A youth care index in encrypted chat: the story of its leaflet, played for real, with the screen "
        "of each person. All people and children are invented.",
    )
    return await _perform(screen, script, coordinators=("anna",), clock_moves=True)


async def _keep(screen: Screen) -> int:
    async def script(play: Play, _clock: LiveClock | None) -> None:
        for act in _TODAY:
            await act(play)
        screen.chapter("Nu jij", "Now you: log in with any Matrix client that encrypts.")
        screen.tell("Anna laat drie gasten toe. Hun accounts zijn nog nooit gebruikt.")
        for guest in GUESTS:
            await acts.admit(play, guest)
        _hand_over(play)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            screen.tell("Ik ruim op.")

    return await _perform(screen, script, coordinators=("anna", _COORDINATOR), clock_moves=False)


def _hand_over(play: Play) -> None:
    stage, screen = play.stage, play.screen
    logins = [(_COORDINATOR, "coördinator"), *((g.login, f"{g.function}, {g.organisation}") for g in GUESTS)]
    rows = [(stage.user_id(login), stage.passwords[login], what) for login, what in logins]
    screen.table(f"Homeserver: {stage.synapse.url}", ("Gebruiker", "Wachtwoord", "Wie"), rows)
    screen.tell(
        "Log in met een Matrix-app die versleutelt, zoals Element, en kies deze homeserver. "
        "Neem de uitnodiging aan: dat is je balie. Fatima en Lin doen nog mee. Typ dus bijvoorbeeld:"
    )
    screen.tell(f"  [bold]signaal {cast.GIVEN}; {cast.SURNAME}; {play.born:%d-%m-%Y}; {cast.ADDRESS}[/]")
    screen.tell(f"Alles staat in {stage.directory}; het logboek van Wenk in {stage.log_path.name}.")
    screen.tell("[bold]Stoppen: Ctrl-C.[/] Dan verdwijnt alles.  [dim italic]Stop with Ctrl-C; everything goes away.")


async def _nowhere(play: Play) -> proof.Found:
    """Nothing of the children stands anywhere; the same search does find what is there."""
    found = await asyncio.to_thread(proof.search, play.stage.directory, cast.traces(play.born, play.her_born))
    play.checks(f"van de kinderen staat nergens iets (gevonden: {found.hits})", holds=not found.hits)
    control = await asyncio.to_thread(proof.search, play.stage.directory, [cast.FATIMA.login])
    play.checks("de zoekactie vindt wat er wel staat", holds=bool(control.hits))
    return found


async def _conclude(play: Play, during: proof.Found, *, moved: bool) -> None:
    """What was shown, counted and looked for once more."""
    screen, stage = play.screen, play.stage
    screen.chapter("Wat is er nagekeken?", "What was checked, from outside, in the files of homeserver and bot.")
    typed = 0
    for who in play.actors.values():
        await who.sees_redacted("wat aan de balie werd getypt, is gewist", who.typed)
        typed += len(who.typed)
    play.checks("Wenk stopt netjes", holds=await stage.stop() == 0)
    sent = proof.messages(stage.synapse.directory)
    play.checks("elk bericht op de homeserver is versleuteld", holds=sent.encrypted > 0 and not sent.readable)
    after = await _nowhere(play)
    rows = await proof.audited(stage.config)
    left = proof.rows_per_signal_table(stage.directory / "data")
    screen.checked(f"{typed} berichten aan balies: alle {typed} gewist zodra ze verwerkt waren.")
    screen.checked(
        f"{sent.encrypted} berichten op de homeserver: alle versleuteld, {sent.readable} leesbaar; "
        f"{sent.redacted} weer gewist."
    )
    screen.checked(
        "Voornaam, achternaam, geboortedatum en adres van de kinderen staan nergens leesbaar in de bestanden van "
        "homeserver, database en logboeken. Gezocht toen hun signalen liepen "
        f"({during.files} bestanden, {_mb(during)}) en na afloop ({after.files} bestanden, {_mb(after)}). "
        "Wat er wel staat, vindt dezelfde zoekactie wel."
    )
    if moved:
        play.checks(
            "in de database staat alleen het signaal van Noor",
            holds=left["signal"] == 1 and not left["pair"] + left["review"],
        )
        screen.checked("Zes van de zeven signalen zijn uit de database verdwenen; dat van Noor heeft nog twee jaar.")
    screen.checked(f"Het auditlogboek heeft {rows} regels, en de keten klopt.")
    screen.checked(
        f"{play.checks.made} controles onderweg: elke kaart kwam versleuteld en bewezen van Wenk, met wat erin hoort."
    )
    screen.tell(
        "Niet in dit verhaal: wijzigen, verlengen, bijhouden of het gezin het weet, en de kindcheck. Verzoeken van het "
        "gezin kan Wenk nog niet behandelen. Een gewist bericht houdt Synapse zeven dagen versleuteld vast."
    )


def _why(fault: Exception) -> str:
    match fault:
        case StoryBroken() | SynapseFailed() | SynapseMissing():
            return str(fault)
        case BotFailed():
            return "Wenk startte of stopte niet zoals het hoort."
        case _:
            return "".join(traceback.format_exception(fault)).rstrip()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:]) if log.exists() else ""


def _mb(found: proof.Found) -> str:
    return f"{found.size / 1e6:.0f} MB"
