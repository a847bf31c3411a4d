"""A professional corrects what they typed of a child; what was decided on the old data is looked at again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.introducing import Pairing
from domain.life import State, next_look
from domain.matching import Verdict
from handlers.cards import card, error
from handlers.command import Command, Parameter, Who, one_of
from handlers.dialogue import ask_again
from handlers.identity import identity
from handlers.life import FAMILY, ahead_of, catch_up
from handlers.matching import candidates, judge, match, tags_of
from handlers.office import Office, Talk
from handlers.postponing import when_to_look
from handlers.signals import ADDRESS, BORN, GIVEN, REFERENCE, SURNAME, refusal, remarks
from handlers.words import line
from storage.pairs import SHOWN
from storage.signals import Signal

_FIELDS = {parameter.name: parameter for parameter in (GIVEN, SURNAME, BORN, ADDRESS)}


async def correct(talk: Talk, given: Mapping[str, Any]) -> None:
    """At once: answer, and only then look who else is involved with the child that it turns out to be.

    An inactive signal is corrected too: others see it. There may be an active one of the same professional beside it.
    """
    uow, office, field = talk.uow, talk.office, given["field"]
    owned = await uow.signals.owned(talk.person.user_id, given["ref"])
    old = await catch_up(office, owned) if owned is not None else None
    if old is None:
        await talk.answer(error("not_found"))
        return
    child = replace(old.child, **{field: given["value"]})
    found = [each for each in await candidates(office, child) if each.id != old.id]
    refused = await refusal(talk, child, found if old.state is not State.INACTIVE else ())
    if refused is not None and refused.fields.get("field") == field:
        code = str(refused.fields["code"])
        await ask_again(talk, "correct", "value", error(code, line(f"error.correct.{code}", ref=old.ref), field=field))
        return
    if refused is not None:
        await talk.answer(refused)
        return
    ahead = ahead_of(talk.office, replace(old, child=child))
    look_on = next_look(old.state, ahead, uow.today, reminded=old.reminded)
    new = await uow.signals.correct(old, child, look_on, tags_of(child))
    # Whom one must tell follows from the birth date.
    notice = await uow.notices.get(new)
    ask_on = None if new.state is State.INACTIVE else await when_to_look(office, new, notice)
    await uow.notices.put(new, notice, ask_on)
    await uow.audit.write(talk.person.user_id, "signal.corrected", new.key)
    # What shows the old data; nor is that to be filled in for a brother or sister.
    await uow.clearing.drop_personal(talk.room_id)
    await uow.questions.drop(talk.person.user_id, FAMILY)
    shown = line("signal.corrected", ref=new.ref, **identity(child))
    found_out = (line("remark.secret_no_more"),) if old.child.shielded and not child.shielded else ()
    await talk.answer(card("signal.corrected", shown, *remarks(child), *found_out, personal=True, ref=new.ref))
    await _judge_anew(office, old, new)
    if new.state is State.ACTIVE:
        await match(office, new, found)
    await uow.rematches.want(new.id)


async def _judge_anew(office: Office, old: Signal, new: Signal) -> None:
    """Which of the decisions do not stand with the new data: coordinators are asked, in a moment.

    Apart from the answer (handlers.doubts.look_closer), and what is written here is written whether there are any or
    not: the owner must not be able to tell. A refusal stands, unless they are surely one child now and were not
    before. A question that nothing speaks for any more is dropped, but not if they were brought together: two
    corrections in a row would make it be forgotten.
    """
    uow = office.uow
    decided, compare = await uow.pairs.decided(new), await judge(office)
    shown, told = await uow.pairs.shown_to(new.owner, new, *SHOWN), await uow.pairs.disclosed_to(new, *SHOWN)
    doubtful: list[int] = []
    dropped: list[int] = []
    # Itself as well: asked for in any case.
    for known in await uow.signals.some({new.id, *decided}):
        if known.id == new.id:
            continue
        before, now = (compare(each.child, known.child).verdict for each in (old, new))
        match decided[known.id]:
            case Pairing.AUTO if now is not Verdict.AUTO:
                doubtful.append(known.id)
            case Pairing.CONFIRMED if now is Verdict.NONE:
                doubtful.append(known.id)
            case Pairing.REFUSED if now is Verdict.AUTO is not before:
                doubtful.append(known.id)
            case Pairing.REVIEW if now is Verdict.NONE and known.id not in shown and known.owner not in told:
                dropped.append(known.id)
    await uow.pairs.doubt(new, doubtful)
    await uow.pairs.forget(new, dropped)


COMMANDS = (
    Command(
        name="correct",
        words={"nl": ("wijzig",), "en": ("correct",)},
        who=Who.PROFESSIONAL,
        parameters=(
            REFERENCE,
            Parameter(
                "field",
                one_of(
                    {
                        "voornaam": "given", "given": "given", "achternaam": "surname", "surname": "surname",
                        "geboren": "born", "born": "born", "adres": "address", "address": "address",
                    }
                ),
            ),
            Parameter("value", str, stands_for=lambda read: _FIELDS[read["field"]]),
        ),
        act=correct,
    ),
)  # fmt: skip
