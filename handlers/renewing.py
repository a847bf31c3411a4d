"""Renewing a signal: a new one takes its place before its term is over, and the others need not notice."""

from collections.abc import Mapping
from typing import Any

from domain.birth import TooOld, check_age
from domain.life import Event, State
from domain.notice import must_tell
from handlers.cards import card, error
from handlers.command import Command, Who
from handlers.dialogue import propose
from handlers.identity import identity
from handlers.life import catch_up, happen
from handlers.office import Talk
from handlers.signals import REFERENCE, store, whom
from handlers.words import line
from storage.signals import Signal


async def propose_renewal(talk: Talk, given: Mapping[str, Any]) -> None:
    """Show which child it is, and have the ground confirmed anew."""
    signal = await _renewable(talk, given["ref"])
    if signal is None:
        return
    tell = must_tell(signal.child.born, talk.uow.today)
    shown = card(
        "signal.proposed",
        line("renewal.proposed", ref=signal.ref, **identity(signal.child)),
        line(f"basis.{talk.region.basis}"),
        line("signal.proposed.tell", whom=whom(tell)),
        line("renewal.confirm"),
        personal=True,
        ref=signal.ref,
        tell=list(tell),
    )
    await propose(talk, "renew", shown)


async def renew(talk: Talk, given: Mapping[str, Any]) -> None:
    """After ja: a new signal stands where the old one stood.

    The daily cap does not count it. The cap is there because a signal is the only way to learn who else is involved;
    here nobody is looked for: what was decided about the old one, and who was shown whom, is so for the new one.
    """
    old = await _renewable(talk, given["ref"])
    if old is None:
        return
    uow = talk.uow
    new, tell = await store(talk, old.child, renews=old)
    await uow.audit.write(talk.person.user_id, "signal.placed_anew", new.key)
    await uow.renewals.pass_on(old, new)
    await happen(talk.office, old, Event.RENEWED, by=talk.person.user_id)
    await talk.answer(
        card(
            "signal.renewed",
            line("signal.renewed", ref=new.ref, old=old.ref, active_until=new.active_until),
            line("signal.placed.tell", whom=whom(tell), ref=new.ref),
            ref=new.ref,
            old=old.ref,
            tell=list(tell),
            active_until=new.active_until.isoformat(),
        )
    )


async def _renewable(talk: Talk, ref: str) -> Signal | None:
    """The signal, if it can be renewed now; else the answer says why not. Asked at the proposal and again after ja."""
    found = await talk.uow.signals.owned(talk.person.user_id, ref)
    signal = await catch_up(talk.office, found) if found is not None else None
    if found is not None and _is_adult(talk, found):
        # It is gone by now, whether a sweep came by or not; its owner is told what of.
        await talk.answer(error("too_old", line("error.renew.too_old", ref=ref)))
    elif signal is None:
        await talk.answer(error("not_found"))
    elif signal.state is not State.ACTIVE:
        await talk.answer(error("not_allowed", line(f"error.renew.{signal.state}", ref=ref)))
    else:
        return signal
    return None


def _is_adult(talk: Talk, signal: Signal) -> bool:
    try:
        check_age(signal.child.born, talk.uow.today)
    except TooOld:
        return True
    return False


COMMANDS = (
    Command(
        name="renew",
        words={"nl": ("verlengen",), "en": ("renew",)},
        who=Who.PROFESSIONAL,
        parameters=(REFERENCE,),
        by_words=True,
        act=propose_renewal,
        confirmed=renew,
    ),
)
