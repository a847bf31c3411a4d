"""A doubt cannot be found out by asking, nor gets lost in another order of things, nor stands in the way of others."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from handlers.objection import freeze, resume
from handlers.office import Message, Office, Proof
from handlers.reception import receive
from handlers.sweep import run_due, run_rematches
from storage.database import Storage
from storage.schema import signal
from storage.vault import Unsealable
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, SANNE, House, open_house
from tests.storage.test_handlers_objection import decided
from tests.storage.test_handlers_reviews import BERT, MAYBE, doubt, introduced, others
from tests.storage.test_handlers_undecidable import alarmed

MOVES = f"professional toevoegen {JOOST}; {{}}; Joost Dijkstra; begeleider; mail@example.nl; 0512 123456"
JOHANNES, JAN, HANS = (SANNE.replace("Sanne", given) for given in ("Johannes", "Jan", "Hans"))
"""Jan and Hans are call names of Johannes; whether they are one child nobody knows."""
KIM, KYM = "signaal Kim; Jansen; 02-05-2017; geen", "signaal Kym; Jansen; 02-05-2017; geen"


async def damage(house: House, ref: str) -> None:
    async with house.storage.unit() as uow:
        await uow._session.run(update(signal).where(signal.c.ref == ref).values(sealed_child=b"broken"))


async def asked(house: House) -> str:
    """The review that coordinators were asked about last."""
    await house.look_closer()
    return str(house.last(ANNA, "review.opened")["ref"])


async def test_what_is_proposed_depends_on_no_signal_of_others(house: House) -> None:
    """They are not so much as opened: how long it takes, or what is wrong with them, would tell that there are any."""
    await damage(house, await house.place(FATIMA))
    assert (await house.answer(JOOST, SANNE))["kind"] == "signal.proposed"


async def test_a_damaged_signal_keeps_no_other_doubt_waiting(house: House) -> None:
    damaged = await house.place(FATIMA)
    await house.place(JOOST, MAYBE)
    await damage(house, damaged)
    await house.place(JOOST, KIM)
    await house.place(LIN, KYM)
    house.now = house.now.replace(second=3)
    with pytest.raises(Unsealable):
        await run_rematches(house.storage, house.region)
    await house.deliver()
    assert house.kinds(ANNA).count("review.opened") == 1
    with pytest.raises(Unsealable):
        await run_due(house.storage, house.region)


async def test_a_damaged_signal_keeps_no_review_from_being_asked_about(house: House) -> None:
    damaged = await house.place(FATIMA)
    await house.place(JOOST, MAYBE)
    await house.place(JOOST, KIM)
    await house.place(LIN, KYM)
    await house.look_closer()
    broken, whole = (await house.answer(ANNA, "beoordelen"))["refs"]
    await damage(house, damaged)
    assert (await house.answer(ANNA, "beoordelen"))["refs"] == [whole]
    await house.pass_time(days=1)
    assert house.last(ANNA, "review.opened")["refs"] == [whole]
    assert broken != whole
    assert await alarmed(house)
    await house.answer(ANNA, f"beoordelen {whole} ja")
    assert introduced(house)


async def test_who_was_involved_before_is_asked_about_also_when_suspended_now(house: House) -> None:
    mine = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {mine} klaar")
    await house.answer(ANNA, f"professional schorsen {FATIMA}")
    await house.place(JOOST, MAYBE)
    await house.answer(ANNA, f"beoordelen {await asked(house)} ja")
    assert others(house.last(JOOST, "match.earlier")) == {FATIMA}


async def test_who_ended_while_silent_is_asked_about_when_that_is_over(house: House) -> None:
    mine = await house.place(FATIMA)
    await decided(house, freeze, mine)
    await house.pass_time(days=700)
    await house.place(JOOST, MAYBE)
    await house.look_closer()
    assert "review.opened" not in house.kinds(ANNA)
    await house.pass_time(days=40)
    await decided(house, resume, mine)
    await house.answer(ANNA, f"beoordelen {await asked(house)} ja")
    assert others(house.last(JOOST, "match.earlier")) == {FATIMA}


@pytest.mark.parametrize("then", ["klaar", "fout"])
async def test_who_waited_for_two_that_leave_is_shown_who_was_there(house: House, then: str) -> None:
    """Lin is surely Fatima's; only about Joost, who is with her, there is a doubt."""
    hers = await house.place(FATIMA, JOHANNES)
    his = await house.place(JOOST, JAN)
    await house.place(LIN, HANS)
    await house.look_closer()
    await house.answer(FATIMA, f"intrekken {hers} klaar")
    await house.answer(JOOST, f"intrekken {his} {then}")
    await house.look_closer()
    assert others(house.last(LIN, "match.earlier")) == {FATIMA}


async def test_what_became_certain_before_it_was_looked_at_is_a_match(house: House) -> None:
    """Lin's Olivia may be either of two, until one of them turns out to have been a mistake."""
    pim, olivia = (SANNE.replace("Sanne", given) for given in ("Pim Olivia", "Olivia"))
    hers = await house.place(FATIMA, pim)
    await house.place(JOOST, olivia)
    await house.look_closer()
    await house.place(LIN, olivia)
    assert "match.notice" not in house.kinds(LIN)
    await house.answer(FATIMA, f"intrekken {hers} fout")
    await house.look_closer()
    assert others(house.last(LIN, "match.notice")) == {JOOST}


@pytest.mark.parametrize("joost", ["stays", "left before"])
async def test_whose_twin_it_may_be_is_introduced_to_nobody_unasked(house: House, joost: str) -> None:
    """Fatima's Anna is Joost's Anna Maria, as far as is known; so she is not certainly Lin's Anna Sophia."""
    anna, maria, sophia = (SANNE.replace("Sanne", given) for given in ("Anna", "Anna Maria", "Anna Sophia"))
    his = await house.place(JOOST, maria)
    await house.place(FATIMA, anna)
    if joost == "left before":
        await house.answer(JOOST, f"intrekken {his} klaar")
    await house.place(LIN, sophia)
    await house.look_closer()
    waiting = (await house.answer(ANNA, "beoordelen"))["refs"]
    assert len(waiting) == 2
    for ref in waiting:
        assert "match.notice" not in house.kinds(LIN)
        await house.answer(ANNA, f"beoordelen {ref} nee")
    await house.pass_time(days=3)
    assert "match.notice" not in house.kinds(LIN)


async def decides(storage: Storage, house: House, user_id: str, text: str) -> None:
    async with storage.unit() as uow:
        said = Message(event_id=f"${user_id}", position=1, sender=user_id, kind="text", body=text, proof=Proof.PROVEN)
        await receive(Office(uow, house.region), await uow.rooms.desk(user_id), said)


@pytest.mark.parametrize("who", [[FATIMA], [JOOST], [FATIMA, JOOST, FATIMA]], ids=["she", "he", "both"])
@pytest.mark.parametrize("typed", [MAYBE, SANNE], ids=["a coordinator said no", "somebody in it said no"])
async def test_placed_anew_it_is_the_same_two_children_still(house: House, who: list[str], typed: str) -> None:
    refs = {FATIMA: await house.place(FATIMA), JOOST: await house.place(JOOST, typed)}
    if typed == MAYBE:
        await house.answer(ANNA, f"beoordelen {await asked(house)} nee")
    else:
        await house.speak_in(FATIMA, "!anderkind")
    heard = {each: house.kinds(each).count("match.notice") for each in refs}
    reviews = house.kinds(ANNA).count("review.opened")
    for each in who:
        await house.answer(each, f"intrekken {refs[each]} klaar")
        refs[each] = await house.place(each, {FATIMA: SANNE, JOOST: typed}[each].replace("95a", "97"))
        await house.pass_time(days=1)
    assert {each: house.kinds(each).count("match.notice") for each in refs} == heard
    assert "match.earlier" not in [*house.kinds(FATIMA), *house.kinds(JOOST)]
    assert house.kinds(ANNA).count("review.opened") == reviews
    # Another child is another question.
    await house.answer(JOOST, f"intrekken {refs[JOOST]} klaar")
    await house.place(JOOST, SANNE.replace("Sanne", "Sannah"))
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == reviews + 1


@pytest.mark.parametrize("who", [FATIMA, JOOST])
async def test_what_is_being_asked_is_asked_of_who_is_placed_anew_and_not_twice(house: House, who: str) -> None:
    typed = {FATIMA: SANNE, JOOST: MAYBE}
    placed = {each: await house.place(each, command) for each, command in typed.items()}
    await house.look_closer()
    await house.answer(who, f"intrekken {placed[who]} klaar")
    await house.place(who, typed[who])
    await house.pass_time(hours=1)
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1
    (waiting,) = (await house.answer(ANNA, "beoordelen"))["refs"]
    assert not introduced(house)
    await house.answer(ANNA, f"beoordelen {waiting} ja")
    await house.pass_time(days=2)
    assert introduced(house)
    assert house.kinds(ANNA).count("review.opened") == 1
    assert "match.earlier" not in {*house.kinds(FATIMA), *house.kinds(JOOST)}


async def test_a_yes_is_asked_for_anew(house: House) -> None:
    mine = await house.place(FATIMA)
    await house.place(JOOST, MAYBE)
    await house.answer(ANNA, f"beoordelen {await asked(house)} ja")
    await house.answer(FATIMA, f"intrekken {mine} klaar")
    await house.place(FATIMA)
    assert house.kinds(FATIMA).count("match.notice") == 1
    assert house.kinds(ANNA).count("review.opened") == 1
    await asked(house)
    assert house.kinds(ANNA).count("review.opened") == 2


@pytest.mark.parametrize("ended", [False, True], ids=["both active", "one inactive"])
async def test_who_may_not_meet_is_not_asked_about_until_they_may(
    database_url: str, tmp_path: Path, *, ended: bool
) -> None:
    async with open_house(database_url, tmp_path, different_organisations=True) as house:
        await house.answer_all(ANNA, MOVES.format("De Wilgen"), "ja")
        mine = await house.place(FATIMA)
        if ended:
            await house.answer(FATIMA, f"intrekken {mine} klaar")
        await house.place(JOOST, MAYBE)
        await house.look_closer()
        assert "review.opened" not in house.kinds(ANNA)
        await house.answer_all(ANNA, MOVES.format("Halt"), "ja")
        await house.answer(ANNA, f"beoordelen {await asked(house)} ja")
        assert others(house.last(JOOST, "match.earlier" if ended else "match.notice")) == {FATIMA}


@pytest.mark.parametrize("reason", ["klaar", "fout"])
@pytest.mark.parametrize("which", [0, 1], ids=["the older ends", "the newer ends"])
async def test_who_has_two_signals_on_a_child_stays_with_one(house: House, which: int, reason: str) -> None:
    """Two children as they were typed, until the name of one was corrected; only the older one is introduced."""
    first = await house.place(FATIMA)
    second = await house.place(FATIMA, "signaal Sanna; Bos; 14-03-2015; 9203 ZX 95a")
    await house.answer(FATIMA, f"wijzig {second}; achternaam; de Vries")
    await house.place(JOOST)
    await house.look_closer()
    for ref in (await house.answer(ANNA, "beoordelen"))["refs"]:
        await house.answer(ANNA, f"beoordelen {ref} ja")
    await house.look_closer()
    assert others(house.last(JOOST, "match.notice")) == {FATIMA}
    await house.answer(FATIMA, f"intrekken {(first, second)[which]} {reason}")
    await house.look_closer()
    assert [each["signal"] for each in (await house.answer(FATIMA, "matches"))["matches"]] == [(second, first)[which]]
    (theirs,) = (await house.answer(JOOST, "matches"))["matches"]
    assert others(theirs) == {FATIMA}


async def test_of_two_at_the_same_moment_the_first_counts(database_url: str, tmp_path: Path) -> None:
    """Each through a storage of its own, as in two processes."""
    async with open_house(database_url, tmp_path, coordinators=(ANNA, BERT)) as house:
        ref = await doubt(house)
        other = await Storage.open(database_url, house.storage._vault, lambda: house.now, house.storage._journal)
        try:
            await asyncio.gather(
                decides(house.storage, house, ANNA, f"beoordelen {ref} ja"),
                decides(other, house, BERT, f"beoordelen {ref} nee"),
            )
        finally:
            await other.close()
        cards = [card["wenk"] for card in await house.deliver() if card["wenk"]["kind"] == "review.decided"]
        (decision,) = {card["decision"] for card in cards}
        assert {card["re"] for card in cards if "re" in card} == {f"${ANNA}", f"${BERT}"}
        assert len(cards) == 3, "two answers, and who was second is told once"
        assert introduced(house) == (decision == "yes")
