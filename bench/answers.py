"""(a) From a command to its answer, against a message to its echo; by turns, by the same person."""

import time
from collections.abc import Callable, Sequence

from bench.cast import Player, ask, calm
from bench.figures import Figure, Sample

LIMIT = 1.25
ROUNDS = 25


async def measure(player: Player, a_child: Callable[[], str], step: Callable[[], None]) -> Sequence[Figure]:
    """`help`, and `signaal` with its `ja`; before each the answer to the one before has settled."""
    took: dict[str, list[float]] = {"echo": [], "help": [], "signaal": [], "ja": []}
    for number in range(ROUNDS):
        await _echo(player, f"a message {number}", took["echo"])
        await _command(player, "help", took["help"])
        await _echo(player, f"another message {number}", took["echo"])
        await _command(player, f"signaal {a_child()}", took["signaal"])
        await _command(player, "ja", took["ja"])
        step()
    echo = Sample(tuple(took["echo"]))
    return [
        Figure(what=f"(a) {name} to answer", wenk=Sample(tuple(took[name])), bare=echo, at_most=LIMIT)
        for name in ("help", "signaal", "ja")
    ]


async def _echo(player: Player, text: str, took: list[float]) -> None:
    await calm()
    begun, own = time.perf_counter(), player.person.user_id
    await player.person.say(player.echo, text)
    await player.person.wait_for(lambda card: card.body == text and card.sender != own)
    took.append(1000 * (time.perf_counter() - begun))


async def _command(player: Player, text: str, took: list[float]) -> None:
    await calm()
    begun = time.perf_counter()
    answer = await ask(player.person, player.desk, text)
    took.append(1000 * (time.perf_counter() - begun))
    await player.person.until(lambda: answer.wenk["re"] in player.person.redacted)
