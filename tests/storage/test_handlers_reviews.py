"""Doubtful matches: only coordinators hear of them, and what they decide is done, once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.storage.house import ANNA, FATIMA, JOOST, LIN, Card, House, open_house

BERT = "@bert:localhost"
MAYBE = "signaal Sanna; de Vries; 14-03-2015; 9203 ZX 95a"
"""Perhaps Sanne, perhaps her twin."""
OTHER_KIM, OTHER_ADA = "signaal Kim; Bos; 02-02-2012; 1013 AB 3", "signaal Ada; Post; 03-04-2013; 1014 AB 7"
SECRET = "signaal Sanne; de Vries; 14-03-2015; geheim"


async def doubt(house: House, other: str = MAYBE) -> str:
    """Fatima and Joost place signals that may be on one child; the review that follows."""
    await house.place(FATIMA)
    await house.place(JOOST, other)
    await house.look_closer()
    return str(house.last(ANNA, "review.opened")["ref"])


@contextmanager
def statements(house: House) -> Iterator[list[str]]:
    """What is said to the database, without the values: as many as there are tags and candidates."""
    engine, said = house.storage._engine.sync_engine, list[str]()

    def executed(*of: object) -> None:
        said.append(str(of[2]).partition(" IN ")[0])

    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", executed)


def introduced(house: House) -> bool:
    return any("match.notice" in house.kinds(who) for who in (FATIMA, JOOST, LIN))


def others(card: Card) -> set[str]:
    return {who["user_id"] for who in card["participants"]}


@pytest.mark.parametrize(
    "other",
    [
        MAYBE,
        "signaal S.; de Vries; 14-03-2015; 9203 ZX 95a",
        "signaal Maria Sanne; de Vries; 14-03-2015; 9203 ZX 95a",
        "signaal Sanne; de Vries; 03-2015; 9203 ZX 95a",
        "signaal Sanne; de Vries; 2015; 9203 ZX 95a",
        "signaal Sanne; Yilmaz; 14-03-2015; 9203 ZX 95a",
        SECRET,
    ],
)
async def test_what_is_doubtful_is_asked_and_nobody_else_hears(house: House, other: str) -> None:
    ref = await doubt(house, other)
    opened = next(card for card in house.cards[ANNA] if card["wenk"]["kind"] == "review.opened")
    assert opened["msgtype"] == "m.text"
    assert ref in opened["body"]
    for word in ("Sann", "Vries", "Yilmaz", "2015", "9203", "Fatima", "Joost"):
        assert word not in opened["body"] + opened["formatted_body"]
    assert not introduced(house)
    assert house.kinds(FATIMA)[-1] == house.kinds(JOOST)[-1] == "signal.placed"


async def test_it_is_asked_once(house: House) -> None:
    await doubt(house)
    await house.look_closer()
    await house.place(LIN, "signaal Kim; Jansen; 02-05-2017; geen")
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == 1


async def test_both_are_shown_with_why_and_without_whose_they_are(house: House) -> None:
    ref = await doubt(house)
    (shown,) = await house.say(ANNA, f"beoordelen {ref.lower()}")
    machine = shown["wenk"]
    assert (machine["kind"], machine["ref"]) == ("review.shown", ref)
    assert [child["given"] for child in machine["children"]] == ["Sanne", "Sanna"]
    assert machine["reasons"]
    for word in ("Sanne", "Sanna", "9203 ZX 95a", "14 maart 2015"):
        assert word in shown["body"]
    for word in ("Fatima", "Joost", "Bouali", "Wilgen", "S-"):
        assert word not in shown["body"] + str(machine)
    assert (await house.audited())[-2:] == ["review.shown"] * 2
    await house.pass_time(minutes=61)
    assert shown["event_id"] in house.redacted


async def test_yes_introduces(house: House) -> None:
    ref = await doubt(house)
    answer = await house.answer(ANNA, f"beoordelen {ref} ja")
    assert (answer["kind"], answer["ref"], answer["decision"]) == ("review.decided", ref, "yes")
    assert others(house.last(FATIMA, "match.notice")) == {JOOST}
    assert others(house.last(JOOST, "match.notice")) == {FATIMA}
    assert await house.wanted_in() == {FATIMA, JOOST}


async def test_no_is_remembered_and_never_asked_again(house: House) -> None:
    ref = await doubt(house)
    answer = await house.answer(ANNA, f"review {ref} no")
    assert (answer["kind"], answer["decision"]) == ("review.decided", "no")
    await house.answer(ANNA, f"professional schorsen {JOOST}")
    await house.answer(ANNA, f"professional herstellen {JOOST}")
    await house.pass_time(days=3)
    assert not introduced(house)
    assert house.kinds(ANNA).count("review.opened") == 1


async def test_the_first_decision_counts_and_the_others_are_told(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, coordinators=(ANNA, BERT)) as house:
        ref = await doubt(house)
        assert house.last(BERT, "review.opened")["ref"] == ref
        await house.answer(ANNA, f"beoordelen {ref} nee")
        told = house.last(BERT, "review.decided")
        assert (told["ref"], told["decision"], "re" in told) == (ref, "no", False)
        second = await house.answer(BERT, f"beoordelen {ref} ja")
        assert (second["kind"], second["decision"]) == ("review.decided", "no")
        assert not introduced(house)
        assert house.kinds(ANNA).count("review.decided") == 1


async def test_shielded_children_are_for_one_coordinator(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, coordinators=(ANNA, BERT), shielded_coordinator=BERT) as house:
        await house.place(FATIMA)
        await house.place(JOOST, SECRET)
        await house.look_closer()
        assert "review.opened" not in house.kinds(ANNA)
        ref = house.last(BERT, "review.opened")["ref"]
        assert (await house.answer(ANNA, f"beoordelen {ref}"))["code"] == "not_found"
        assert (await house.answer(ANNA, f"beoordelen {ref} ja"))["code"] == "not_found"
        assert (await house.answer(ANNA, "beoordelen"))["refs"] == []
        assert (await house.answer(BERT, "beoordelen"))["refs"] == [ref]
        await house.answer(BERT, f"beoordelen {ref} ja")
        assert "review.decided" not in house.kinds(ANNA)
        assert introduced(house)


async def test_nobody_decides_about_their_own_signal(database_url: str, tmp_path: Path) -> None:
    async with open_house(database_url, tmp_path, coordinators=(ANNA, FATIMA)) as house:
        ref = await doubt(house)
        assert "review.opened" not in house.kinds(FATIMA)
        assert (await house.answer(FATIMA, f"beoordelen {ref} ja"))["code"] == "not_found"
        assert (await house.answer(FATIMA, "beoordelen"))["refs"] == []


async def test_who_is_no_coordinator_decides_nothing(house: House) -> None:
    ref = await doubt(house)
    assert (await house.answer(LIN, f"beoordelen {ref} ja"))["code"] == "not_allowed"
    for wrong in ("R-000000", "S-7K3QZ9"):
        assert (await house.answer(ANNA, f"beoordelen {wrong} ja"))["code"] in {"not_found", "bad_input"}
    assert (await house.answer(ANNA, f"beoordelen {ref} misschien"))["code"] == "bad_input"
    assert not introduced(house)


async def test_an_unanswered_one_is_asked_again_every_day(house: House) -> None:
    ref = await doubt(house)
    for day in range(2, 4):
        await house.pass_time(hours=24)
        assert house.kinds(ANNA).count("review.opened") == day
    assert house.last(ANNA, "review.opened")["ref"] == ref
    await house.answer(ANNA, f"beoordelen {ref} nee")
    await house.pass_time(days=2)
    assert house.kinds(ANNA).count("review.opened") == 3


async def test_several_are_asked_again_with_one_card(house: House) -> None:
    first = await doubt(house)
    for who, given in ((FATIMA, "Tim"), (JOOST, "Tom")):
        await house.place(who, f"signaal {given}; de Vries; 02-05-2017; 9203 ZX 95a")
    await house.look_closer()
    second = house.last(ANNA, "review.opened")["ref"]
    await house.pass_time(hours=24, minutes=1)
    assert house.kinds(ANNA).count("review.opened") == 3
    assert house.last(ANNA, "review.opened")["refs"] == [first, second]


async def test_what_was_withdrawn_is_not_decided(house: House) -> None:
    ref = await doubt(house)
    mine = (await house.answer(JOOST, "signalen"))["signals"][0]["ref"]
    await house.answer(JOOST, f"intrekken {mine} fout")
    assert (await house.answer(ANNA, f"beoordelen {ref} ja"))["code"] == "not_found"
    await house.pass_time(days=1)
    assert house.kinds(ANNA).count("review.opened") == 1


async def test_inactive_and_inactive_is_not_decided(house: House) -> None:
    ref = await doubt(house)
    for who in (FATIMA, JOOST):
        mine = (await house.answer(who, "signalen"))["signals"][0]["ref"]
        await house.answer(who, f"intrekken {mine} klaar")
    assert (await house.answer(ANNA, f"beoordelen {ref}"))["code"] == "not_found"


async def test_who_was_involved_before_is_shown_after_a_yes(house: House) -> None:
    mine = await house.place(FATIMA)
    await house.answer(FATIMA, f"intrekken {mine} klaar")
    heard = house.heard(FATIMA)
    await house.place(JOOST, MAYBE)
    await house.look_closer()
    assert "match.earlier" not in house.kinds(JOOST)
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} ja")
    assert others(house.last(JOOST, "match.earlier")) == {FATIMA}
    assert house.heard(FATIMA) == heard


async def test_what_a_coordinator_saw_goes_with_the_signal(house: House) -> None:
    ref = await doubt(house)
    (shown,) = await house.say(ANNA, f"beoordelen {ref}")
    mine = (await house.answer(JOOST, "signalen"))["signals"][0]["ref"]
    await house.answer(JOOST, f"intrekken {mine} fout")
    assert shown["event_id"] in house.redacted


@pytest.mark.parametrize("decision", ["ja", "nee"])
async def test_who_waited_is_taken_up(house: House, decision: str) -> None:
    """Lin is surely Fatima's, and perhaps Joost's; Fatima and Joost are together already."""
    await house.place(FATIMA, "signaal Johannes; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.place(JOOST, "signaal Jan; de Vries; 14-03-2015; 9203 ZX 95a")
    assert introduced(house)
    heard = house.heard(FATIMA), house.heard(JOOST)
    await house.place(LIN, "signaal Hans; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.look_closer()
    assert "match.notice" not in house.kinds(LIN)
    assert (house.heard(FATIMA), house.heard(JOOST)) == heard
    ref = house.last(ANNA, "review.opened")["ref"]
    await house.answer(ANNA, f"beoordelen {ref} {decision}")
    if decision == "ja":
        assert others(house.last(LIN, "match.notice")) == {FATIMA, JOOST}
        assert await house.wanted_in(1) == {FATIMA, JOOST, LIN}
    else:
        # Johannes cannot be both Jan and Hans: that he is one of them is certain no more.
        assert "match.notice" not in house.kinds(LIN)
        met, again = (await house.answer(ANNA, "beoordelen"))["refs"]
        assert "uit elkaar" in (await house.answer(ANNA, f"beoordelen {met}"))["body"]
        await house.answer(ANNA, f"beoordelen {again} ja")
        assert others(house.last(LIN, "match.notice")) == {FATIMA}
        assert await house.wanted_in(1) == {FATIMA, JOOST}
        assert await house.wanted_in(2) == {FATIMA, LIN}
        assert house.heard(JOOST) == heard[1]
        # Fatima's and Joost's were certain too, and they met over it.
        assert "alarm" not in house.kinds(ANNA)
        await house.answer(ANNA, f"beoordelen {met} nee")
        assert house.last(ANNA, "alarm")["code"] == "other_child"
        assert (await house.answer(JOOST, "matches"))["matches"] == []
        assert (await house.answer(ANNA, "beoordelen"))["refs"] == []


async def test_who_met_before_a_no_that_contradicts_it_is_asked_about(house: House) -> None:
    """All three are together: Jan and Hans by a yes, until Hans turns out to be younger."""
    await house.place(FATIMA, "signaal Johannes; de Vries; 14-03-2015; 9203 ZX 95a")
    his = await house.place(JOOST, "signaal Jan; de Vries; 14-03-2015; 9203 ZX 95a")
    hers = await house.place(LIN, "signaal Hans; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.look_closer()
    await house.answer(ANNA, f"beoordelen {house.last(ANNA, 'review.opened')['ref']} ja")
    assert await house.wanted_in(1) == {FATIMA, JOOST, LIN}
    await house.answer(LIN, f"wijzig {hers}; achternaam; Bos")
    await house.answer(LIN, f"wijzig {hers}; geboren; 01-01-2019")
    await house.look_closer()
    await house.answer(LIN, f"wijzig {hers}; geboren; 14-03-2015")
    await house.answer(LIN, f"wijzig {hers}; achternaam; de Vries")
    await house.look_closer()
    async with house.storage.reading() as uow:
        joost, lin = [signal for who in (JOOST, LIN) for signal in await uow.signals.of_owner(who)]
        between = await uow.reviews.between(joost, lin)
    assert between is not None
    assert (joost.ref, lin.ref) == (his, hers)
    await house.answer(ANNA, f"beoordelen {between.ref} nee")
    assert await house.wanted_in(1) == {FATIMA, JOOST}
    alarms = house.kinds(ANNA).count("alarm")
    # Whether Johannes is Hans was in doubt by then; if he is, he is not Jan.
    for answer in ("ja", "nee"):
        (ref,) = (await house.answer(ANNA, "beoordelen"))["refs"]
        await house.answer(ANNA, f"beoordelen {ref} {answer}")
    assert house.kinds(ANNA).count("alarm") == alarms + 1
    assert (await house.answer(JOOST, "matches"))["matches"] == []
    assert others(house.last(LIN, "match.notice")) == {FATIMA}


async def test_who_waited_for_somebody_who_leaves_is_taken_up(house: House) -> None:
    await house.place(FATIMA, "signaal Johannes; de Vries; 14-03-2015; 9203 ZX 95a")
    mine = await house.place(JOOST, "signaal Jan; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.place(LIN, "signaal Hans; de Vries; 14-03-2015; 9203 ZX 95a")
    await house.look_closer()
    await house.answer(JOOST, f"intrekken {mine} klaar")
    await house.look_closer()
    assert others(house.last(LIN, "match.notice")) == {FATIMA}
    assert await house.wanted_in(1) == {FATIMA, LIN}


@pytest.mark.parametrize("others", [[FATIMA], [FATIMA, LIN]], ids=["one other", "two others"])
async def test_the_answer_does_not_tell_that_there_is_a_doubt(house: House, others: list[str]) -> None:
    """The same cards, and the same statements to the database, whether a review follows or not."""
    for who in others:
        await house.place(who)
    heard: list[list[str]] = []
    done: list[list[str]] = []
    for other in ("signaal Kim; Bos; 02-02-2012; 1013 AB 3", MAYBE, "signaal Sanna; Jansen; 14-07-2011; 1011 AB 1"):
        await house.say(JOOST, other)
        with statements(house) as said:
            heard.append([card["wenk"]["kind"] for card in await house.say(JOOST, "ja")])
        done.append(said)
    _to_begin_with, doubtful, clear = done
    assert heard == [["signal.placed"]] * 3
    assert doubtful == clear
    assert "review.opened" not in house.kinds(ANNA)
    await house.look_closer()
    assert house.kinds(ANNA).count("review.opened") == len(others)


@pytest.mark.parametrize(
    "said", [["intrekken {} klaar"], ["intrekken {} fout"], ["verlengen {}", "ja"], ["wijzig {}; geboren; 20-11-201{}"]]
)
async def test_nothing_that_is_done_with_a_signal_tells_that_there_is_a_doubt(house: House, said: list[str]) -> None:
    """As placing does not: nor how many, nor that a coordinator has to decide nothing more."""
    for who in (FATIMA, LIN):
        await house.place(who)
    doubtful = await house.place(JOOST, MAYBE)
    # The first one shows what Joost was shown before, which is redacted with it.
    refs = [await house.place(JOOST, who) for who in (OTHER_KIM, OTHER_ADA)]
    await house.look_closer()
    assert len((await house.answer(ANNA, "beoordelen"))["refs"]) == 2
    done: list[list[str]] = []
    for number, ref in enumerate((*refs, doubtful)):
        await house.answer(JOOST, "help")
        with statements(house) as heard:
            (answer, *_others) = await house.answer_all(JOOST, *(each.format(ref, number) for each in said))
        assert answer["wenk"]["kind"] in {"signal.withdrawn", "signal.renewed", "signal.corrected"}
        done.append(heard)
    _to_begin_with, clear, with_doubts = done
    assert clear == with_doubts
