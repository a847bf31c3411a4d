"""How common names are among the signals: counted from some of them, and kept in memory only."""

from contextlib import suppress
from secrets import SystemRandom

from domain.profile import Profile
from domain.weights import Frequencies
from handlers.weights import learned
from storage.database import Storage
from storage.vault import Unsealable

SAMPLE = 10_000
"""So many signals, or all: with fewer what was not met looks rarer than it is (`python -m training.sampling`)."""
_AT_A_TIME = 100


async def count_names(storage: Storage) -> None:
    """Open signals at random, a few at a time so that nobody waits, and let matching know what was counted."""
    frequencies = Frequencies(learned().usual, sample=True)
    async with storage.reading() as uow:
        numbers = await uow.signals.numbers()
    chosen = SystemRandom().sample(numbers, min(SAMPLE, len(numbers)))
    for at in range(0, len(chosen), _AT_A_TIME):
        # One that does not open is reported where it matters; the others say enough.
        with suppress(Unsealable):
            async with storage.reading() as uow:
                for signal in await uow.signals.some(chosen[at : at + _AT_A_TIME]):
                    frequencies.count(Profile.of(signal.child))
    storage.often = frequencies
