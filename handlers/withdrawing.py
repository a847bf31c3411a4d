"""A professional withdraws a signal: their help is done, it was a mistake, or the child died."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.life import Event, NotPossible
from handlers.cards import card, error
from handlers.command import Command, Parameter, Who, one_of
from handlers.life import all_caught_up, catch_up, happen
from handlers.matching import candidates, is_one_child
from handlers.office import Talk
from handlers.signals import REFERENCE
from handlers.words import line
from storage.signals import Signal


async def withdraw_signal(talk: Talk, given: Mapping[str, Any]) -> None:
    """Done: it becomes inactive. Mistake or deceased: it is erased at once, and what it was renewed from.

    What renewed it stays: its ground was confirmed anew. The answer says so.
    """
    owned = await talk.uow.signals.owned(talk.person.user_id, given["ref"])
    signal = await catch_up(talk.office, owned) if owned is not None else None
    if signal is None:
        await talk.answer(error("not_found"))
        return
    event = Event(given["reason"])
    chain = await all_caught_up(talk.office, await talk.uow.signals.chain_of(signal))
    along = [each.ref for each in chain if each.id < signal.id and event is not Event.DONE]
    after = [each.ref for each in chain if each.id > signal.id]
    try:
        await happen(talk.office, signal, event, by=talk.person.user_id)
    except NotPossible:
        ended = line("error.already_inactive", ref=signal.ref)
        renewed = line("error.already_renewed", ref=signal.ref, renewal=after[-1]) if after else ended
        await talk.answer(error("not_allowed", renewed))
        return
    others = [] if event is Event.DONE else await _others_on(talk, signal, after)
    await talk.answer(
        card(
            "signal.withdrawn",
            line(f"signal.withdrawn.{event}", ref=signal.ref),
            *((line("signal.withdrawn.along", refs=", ".join(along)),) if along else ()),
            *(line(f"signal.withdrawn.other.{event}", ref=ref) for ref in others),
            ref=signal.ref,
            along=along,
            others=others,
        )
    )


async def _others_on(talk: Talk, signal: Signal, renewals: Sequence[str]) -> list[str]:
    """Somebody's own other signals on the same child, such as the last that renewed it: what is so may be so of those.

    Not erased along with it: one of them may have been right. The last of `renewals` takes the others along.
    """
    own = await candidates(talk.office, signal.child, of=talk.person.user_id)
    alike = [
        each.ref for each in own if each.id != signal.id and await is_one_child(talk.office, signal.child, each.child)
    ]
    return [ref for ref in dict.fromkeys([*alike, *renewals]) if ref not in renewals[:-1]]


COMMANDS = (
    Command(
        name="withdraw",
        words={"nl": ("intrekken",), "en": ("withdraw",)},
        who=Who.PROFESSIONAL,
        parameters=(
            REFERENCE,
            Parameter(
                "reason",
                one_of(
                    {
                        "klaar": Event.DONE, "done": Event.DONE,
                        "fout": Event.MISTAKE, "mistake": Event.MISTAKE,
                        "overleden": Event.DECEASED, "deceased": Event.DECEASED,
                    }
                ),
            ),
        ),
        by_words=True,
        act=withdraw_signal,
    ),
)  # fmt: skip
