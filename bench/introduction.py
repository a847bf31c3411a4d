"""(c) From the second signal's `ja` to an introduction that both have read, against making such a room by hand."""

import time
from collections.abc import Callable, Sequence

from bench.cast import Cast, Player, ask, calm, make_room
from bench.figures import Figure, Sample
from bot.demo.person import Card, Person

LIMIT = 1.5
ROUNDS = 12


async def measure(
    cast: Cast, host: Person, pair: tuple[Player, Player], a_child: Callable[[], str], step: Callable[[], None]
) -> Sequence[Figure]:
    """By turns; `host` does by hand what Wenk does: createRoom, two invitations, two joins, one message."""
    wenk, bare = [], []
    one, other = pair
    for number in range(ROUNDS):
        await calm()
        bare.append(await _by_hand(host, (one.person, other.person), f"a message {number}"))
        child = a_child()
        await _place(one, child)
        await ask(other.person, other.desk, f"signaal {child}")
        await cast.settled()
        await calm()
        wenk.append(await _introduced(one, other))
        await cast.settled()
        step()
    return [
        Figure(
            what="(c) ja to introduction read by both",
            wenk=Sample(tuple(wenk)),
            bare=Sample(tuple(bare)),
            at_most=LIMIT,
            note="bare: createRoom, two invitations, two joins, one message",
        )
    ]


async def _by_hand(host: Person, guests: tuple[Person, Person], text: str) -> float:
    begun = time.perf_counter()
    room_id = await make_room(host, [guest.user_id for guest in guests])
    await host.until(lambda: all(host.members[room_id].get(guest.user_id) == "join" for guest in guests))
    await host.say(room_id, text)
    for guest in guests:
        await guest.wait_for(lambda card: card.room_id == room_id and card.body == text)
    return 1000 * (time.perf_counter() - begun)


async def _place(player: Player, child: str) -> None:
    await ask(player.person, player.desk, f"signaal {child}")
    await ask(player.person, player.desk, "ja")


async def _introduced(one: Player, other: Player) -> float:
    """The clock starts before `ja` is encrypted and sent: what the professional experiences."""
    before = {card.event_id for player in (one, other) for card in player.person.cards}

    def is_it(card: Card) -> bool:
        return card.wenk.get("kind") == "match.introduction" and card.event_id not in before

    begun = time.perf_counter()
    await other.person.say(other.desk, "ja")
    await one.person.wait_for(is_it)
    await other.person.wait_for(is_it)
    return 1000 * (time.perf_counter() - begun)
