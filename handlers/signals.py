"""The story of a signal, in the order in which it happens: proposed, placed, listed.

It goes on in `notice`, `correcting`, `renewing` and `withdrawing`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from domain.address import parse_address
from domain.birth import NotBorn, TooOld, check_age, parse_birth_date
from domain.calendar import midnight
from domain.child import Child
from domain.life import State, next_look, plan
from domain.names import check_name
from domain.notice import must_tell
from handlers.cards import Card, card, error
from handlers.command import BadValue, Command, Parameter, Who, reference_of
from handlers.dialogue import ask_again, propose
from handlers.identity import identity
from handlers.life import FAMILY, all_caught_up
from handlers.matching import candidates, is_one_child, match, remember_doubts, tags_of
from handlers.office import Talk
from handlers.words import Line, line
from storage.signals import Signal

PAGE = 15
"""Signals per list: a card must stay well within what one Matrix event may hold (64 KiB)."""
_PAGE = re.compile("0*[1-9][0-9]{0,3}", re.ASCII)


class Family(msgspec.Struct, frozen=True):
    """What brothers and sisters share: as it was typed for the first child."""

    surname: str
    address: str


async def propose_signal(talk: Talk, given: Mapping[str, Any]) -> None:
    """Show what was understood, and ask for ja before anything is stored."""
    child = _child(given)
    refused = await refusal(talk, child, await candidates(talk.office, child, of=talk.person.user_id))
    if refused is not None and refused.fields["code"] in {"too_old", "not_born"}:
        await ask_again(talk, "signal", "born", refused)
    elif refused is not None:
        await talk.answer(refused)
    else:
        tell = must_tell(child.born, talk.uow.today)
        shown = card(
            "signal.proposed",
            line("signal.proposed", **identity(child)),
            *remarks(child),
            line(f"basis.{talk.region.basis}"),
            line("signal.proposed.tell", whom=whom(tell)),
            line("signal.proposed.confirm"),
            personal=True,
            tell=list(tell),
        )
        await propose(talk, "signal", shown)


async def place_signal(talk: Talk, given: Mapping[str, Any]) -> None:
    """After ja: store it, answer, and only then look who else is involved."""
    child = _child(given)
    found = await candidates(talk.office, child)
    if refused := await refusal(talk, child, found):
        await talk.answer(refused)
        return
    uow = talk.uow
    signal, tell = await store(talk, child)
    await uow.audit.write(talk.person.user_id, "signal.placed", signal.key)
    family = msgspec.msgpack.encode(Family(talk.values["surname"], talk.values["address"]))
    answer_id = await talk.answer(
        card(
            "signal.placed",
            line("signal.placed", ref=signal.ref, active_until=signal.active_until),
            line("signal.placed.tell", whom=whom(tell), ref=signal.ref),
            line("signal.placed.another", example=line("example.another")),
            ref=signal.ref,
            tell=list(tell),
            active_until=signal.active_until.isoformat(),
        )
    )
    await uow.questions.put(talk.person.user_id, FAMILY, answer_id, family)
    await remember_doubts(talk.office, signal, found)
    await match(talk.office, signal, found)


async def store(talk: Talk, child: Child, renews: Signal | None = None) -> tuple[Signal, tuple[str, ...]]:
    """A signal placed today by whoever speaks, under a key of its own; and who of the family is to be told of it."""
    uow = talk.uow
    ends = plan(uow.today, child.born, talk.region.terms)
    tell = must_tell(child.born, uow.today)
    signal = await uow.signals.add(
        ref=await talk.office.reference("S", uow.signals.exists),
        owner=talk.person.user_id,
        basis=talk.region.basis,
        child=child,
        active_until=ends.active_until,
        look_on=next_look(State.ACTIVE, ends, uow.today, reminded=False),
        tags=tags_of(child),
        remind_on=uow.today + timedelta(days=talk.region.notice_days[0]),
        chain=renews.chain if renews is not None else None,
    )
    return signal, tell


async def propose_another(talk: Talk, given: Mapping[str, Any]) -> None:
    """A brother or sister of the child just signalled: surname and address are filled in."""
    remembered = await talk.uow.questions.get(talk.person.user_id, FAMILY)
    if remembered is None or remembered.state is None:
        await talk.answer(error("expired", line("error.no_family")))
        return
    family = msgspec.msgpack.decode(remembered.state, type=Family)
    talk.values = talk.values | {"surname": family.surname, "address": family.address}
    filled_in = {"surname": check_name(family.surname), "address": parse_address(family.address)}
    await propose_signal(talk, {**given, **filled_in})


async def list_signals(talk: Talk, given: Mapping[str, Any]) -> None:
    """Somebody's own signals, a page at a time."""
    uow = talk.uow
    signals = await all_caught_up(talk.office, await uow.signals.of_owner(talk.person.user_id))
    pages = max(1, -(-len(signals) // PAGE))
    page = min(given.get("page", 1), pages)
    shown = signals[(page - 1) * PAGE : page * PAGE]
    notices = await uow.notices.of(shown)
    # Oldest first: the last of those that renewed each other is the one that counts.
    newest = {signal.chain: signal for signal in signals}
    lines = [_line_of(signal, newest[signal.chain]) for signal in shown]
    more = (line("signal.list.more", page=page, pages=pages, next=page % pages + 1),) if pages > 1 else ()
    await talk.answer(
        card(
            "signal.list",
            line("signal.list" if signals else "signal.list.none"),
            *lines,
            *more,
            personal=True,
            signals=[_listed(signal, notices[signal.id].told_on) for signal in shown],
            page=page,
            pages=pages,
        )
    )
    await uow.audit.write(talk.person.user_id, "signal.listed")


def _line_of(signal: Signal, newest: Signal) -> Line:
    name = f"{signal.child.given} {signal.child.surname}"
    if newest.id != signal.id and signal.state is State.INACTIVE:
        return line("signal.list.renewed", ref=signal.ref, name=name, renewal=newest.ref)
    return line(f"signal.list.{signal.state}", ref=signal.ref, name=name, active_until=signal.active_until)


async def refusal(talk: Talk, child: Child, found: Sequence[Signal]) -> Card | None:
    """Why this child, of whom these candidates were found, cannot be signalled now, if so."""
    uow = talk.uow
    try:
        check_age(child.born, uow.today)
    except TooOld:
        return error("too_old", field="born")
    except NotBorn:
        return error("not_born", field="born")
    for known in found:
        if (
            known.owner == talk.person.user_id
            and known.state in {State.ACTIVE, State.FROZEN}
            and await is_one_child(talk.office, child, known.child)
        ):
            return error("duplicate", line("error.duplicate", ref=known.ref), ref=known.ref)
    since = int(midnight(uow.today).timestamp() * 1000)
    # Both: who places one signal and corrects it to child after child would be searching.
    tried = [await uow.audit.count(talk.person.user_id, f"signal.{what}", since) for what in ("placed", "corrected")]
    if sum(tried) >= talk.region.daily_cap:
        return error("rate_limited", line("error.rate_limited", cap=talk.region.daily_cap))
    return None


def remarks(child: Child) -> tuple[Line, ...]:
    """What follows for matching from what is not known of a child, or is secret."""
    return (
        *((line("remark.partial"),) if not child.born.full else ()),
        *((line(f"remark.{child.address.kind}"),) if child.address.kind != "home" else ()),
    )


def _child(given: Mapping[str, Any]) -> Child:
    return Child(given["given"], given["surname"], given["born"], given["address"])


def whom(tell: tuple[str, ...]) -> Line:
    """Who is to be told, to be read."""
    return line("tell." + "_".join(tell))


def _listed(signal: Signal, told: date | None) -> dict[str, object]:
    return {
        "ref": signal.ref,
        "state": str(signal.state),
        "active_until": signal.active_until.isoformat(),
        "told": told.isoformat() if told else None,
    }


def _page(text: str) -> int:
    if not _PAGE.fullmatch(text):
        raise BadValue("unreadable")
    return int(text)


GIVEN = Parameter("given", check_name)
SURNAME = Parameter("surname", check_name)
BORN = Parameter("born", parse_birth_date)
ADDRESS = Parameter("address", parse_address)
REFERENCE = Parameter("ref", reference_of("S"))

COMMANDS = (
    Command(
        name="signal",
        words={"nl": ("signaal",), "en": ("signal",)},
        who=Who.PROFESSIONAL,
        parameters=(GIVEN, SURNAME, BORN, ADDRESS),
        act=propose_signal,
        confirmed=place_signal,
    ),
    Command(
        name="another",
        words={"nl": ("nog een", "nog"), "en": ("another",)},
        who=Who.PROFESSIONAL,
        parameters=(GIVEN, BORN),
        act=propose_another,
    ),
    Command(
        name="signals",
        words={"nl": ("signalen",), "en": ("signals",)},
        who=Who.PROFESSIONAL,
        parameters=(Parameter("page", _page, optional=True),),
        by_words=True,
        act=list_signals,
    ),
)
