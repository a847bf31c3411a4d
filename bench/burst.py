"""(b) 200 commands at once over 20 desks, against as many messages to the echo bot."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bench.cast import Cast, Player
from bench.figures import Figure, Sample
from bot.demo.person import Card

DESKS = 20
EACH = 10
ROUNDS = 3
_SILENCE_S = 8.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    answered: int
    per_second: float


async def measure(cast: Cast, players: Sequence[Player], step: Callable[[], None]) -> Sequence[Figure]:
    """By turns; the rate counts from the first message sent to the last answer read."""
    wenk, echo = [], []
    for number in range(ROUNDS):
        texts = [f"a message {number}.{place}" for place in range(EACH)]
        echo.append(await _burst(players, lambda player: player.echo, texts, _echoed))
        step()
        wenk.append(await _burst(players, lambda player: player.desk, ["help"] * EACH, _answered))
        await cast.settled()
        step()
    sent, asked = DESKS * EACH, ROUNDS * DESKS * EACH
    lost = [asked - sum(one.answered for one in outcomes) for outcomes in (wenk, echo)]
    return [
        Figure(
            what=f"(b) answers to {sent} messages at once",
            wenk=Sample(tuple(one.per_second for one in wenk), "/s"),
            bare=Sample(tuple(one.per_second for one in echo), "/s"),
            at_least=1.0,
            note=f"unanswered, of {asked}: Wenk {lost[0]}, echo bot {lost[1]}",
        )
    ]


async def _burst(
    players: Sequence[Player],
    room_of: Callable[[Player], str],
    texts: Sequence[str],
    answers: Callable[[Player, Collection[str], Collection[str]], int],
) -> _Outcome:
    """Say it all; then wait until everything is answered, or nothing is any more."""
    begun = time.perf_counter()

    async def say(player: Player) -> set[str]:
        return set(await asyncio.gather(*(player.person.say(room_of(player), text) for text in texts)))

    said = await asyncio.gather(*map(say, players))
    answered, last = 0, time.perf_counter()
    while answered < len(players) * len(texts) and time.perf_counter() - last < _SILENCE_S:
        now = sum(answers(player, events, texts) for player, events in zip(players, said, strict=True))
        if now > answered:
            answered, last = now, time.perf_counter()
        await asyncio.sleep(0.02)
    return _Outcome(answered, answered / (last - begun))


def _answered(player: Player, events: Collection[str], _texts: Collection[str]) -> int:
    return len({card.wenk["re"] for card in _newest(player) if card.wenk.get("re") in events})


def _echoed(player: Player, _events: Collection[str], texts: Collection[str]) -> int:
    own = player.person.user_id
    return len({card.body for card in _newest(player) if card.sender != own and card.body in texts})


def _newest(player: Player) -> Sequence[Card]:
    """A burst and its answers are among these."""
    return player.person.cards[-4 * EACH :]
