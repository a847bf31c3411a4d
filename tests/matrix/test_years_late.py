"""Each age and each kind of address, seen from outside, and a bot that was down for years.

With clients of another make that look at the moved clock too; and the region counts from the end of a signal.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.matrix.play import Seat
from tests.matrix.years import BOTH, CHILD, HER, KIM, MILA, PARENTS, PLACED, Years, asks_to_wait, listed, withdraws
from tests.matrix.years import years as passing

# On 29 February 2028.
AGES: Final = {
    "01-03-2028": "not_born", "29-02-2028": PARENTS,
    "01-03-2016": PARENTS, "29-02-2016": BOTH, "01-03-2012": BOTH, "29-02-2012": CHILD,
    "01-03-2005": CHILD, "28-02-2005": "too_old", "29-02-2004": "too_old",
    # Partly known: the reading that tells most people; 23 if it can be so, not born only if it must be so.
    "03-2016": PARENTS, "02-2016": BOTH, "2016": BOTH, "03-2012": BOTH, "2012": BOTH, "01-2012": CHILD,
    "03-2005": CHILD, "2005": "too_old", "2028": PARENTS, "03-2028": "not_born",
}  # fmt: skip
NOA: Final = "Noa; Hoekstra; 03-05-2017"
AT_HOME: Final = "8471 QX 41"
NO_ADDRESS: Final = "bij een geheim adres bewaar ik geen adres"
LEAPLING: Final = "Zoë; Dijk; 29-02-2008; 8471 QX 5"


async def proposes(seat: Seat, born: str) -> list[str] | str:
    """Whom one would have to tell, or why no signal can be placed."""
    answer = (await seat.ask(f"!signaal Ida; Visser; {born}; geen")).wenk
    return str(answer["code"]) if answer["kind"] == "error" else list(answer["tell"])


async def by_age(years: Years, lin: Seat) -> str:
    """Who is to be told, by the age on that day; the reference of a signal on somebody who is 23 tomorrow."""
    assert {born: await proposes(lin, born) for born in AGES} == AGES
    refs = {}
    for born in ("29-02-2028", "01-03-2016", "29-02-2016", "01-03-2012", "29-02-2012", "01-03-2005"):
        refs[born] = await lin.signals(f"Ida; Visser; {born}; geen")
        assert lin.heard("signal.placed", ref=refs[born])[0].wenk["tell"] == AGES[born]
    almost = refs.pop("01-03-2005")
    for ref in refs.values():
        await withdraws(lin, ref, "fout")
    await years.told()  # nobody was shown, so nobody hears of a mistake
    return almost


async def by_address(years: Years, fatima: Seat, lin: Seat) -> tuple[str, str]:
    """Each says what happens. A secret one that is found out is matched as any other; then it is secret again.

    Fatima's signal and Lin's, both ended.
    """
    anna = years.play.anna
    assert NO_ADDRESS in (await lin.ask(f"!signaal {NOA}; geheim")).body
    shy = (await lin.ask("ja")).wenk["ref"]
    assert (await lin.ask(f"!wijzig {shy}; geboren; 2029")).wenk["code"] == "not_born"
    assert "zonder vast adres" in (await lin.ask(f"!wijzig {shy}; adres; geen")).body
    assert NO_ADDRESS in (await lin.ask(f"!wijzig {shy}; adres; geheim")).body
    found = await lin.ask(f"!wijzig {shy}; adres; {AT_HOME}")
    assert found.wenk["kind"] == "signal.corrected"
    assert "niet meer geheim" in found.body
    known = await fatima.signals(f"{NOA}; {AT_HOME}")
    match = (await lin.hear("match.notice", signal=shy)).wenk["ref"]
    await years.told(
        fatima=[("match.notice", known), ("match.introduction", match)],
        lin=[("match.notice", shy), ("match.introduction", match)],
    )
    # What shows where the child lives goes from the chat, and whoever is named for it looks anew. Nobody else hears.
    assert NO_ADDRESS in (await lin.ask(f"!wijzig {shy}; adres; geheim")).body
    await lin.who.until(lambda: found.event_id in lin.who.redacted)
    review = (await anna.hear("review.opened")).wenk["ref"]
    assert (await anna.ask(f"!beoordelen {review} ja")).wenk["decision"] == "yes"
    await years.told(anna=[("review.opened", review)])
    await withdraws(lin, shy, "klaar")
    await withdraws(fatima, known, "klaar")
    await years.told(fatima=[("match.left", match)])
    return known, shy


async def within_the_hour(years: Years, lin: Seat) -> str:
    """A question waits for an hour, and the card that shows the child is taken away then; the signal on Mila."""
    proposed = await lin.ask(f"!signaal {MILA}")
    await years.on_to(PLACED, "10:50")
    placed = (await lin.ask("ja")).wenk
    assert placed["kind"] == "signal.placed"
    await lin.ask(f"!signaal {KIM}")
    await years.on_to(PLACED, "11:40")
    await years.on_to(PLACED, "12:30")
    assert (await lin.ask("ja")).wenk["code"] == "expired"
    await lin.who.until(lambda: proposed.event_id in lin.who.redacted)
    return str(placed["ref"])


@pytest.mark.timeout(600)  # 50 s on a machine with nothing else to do
async def test_each_age_each_address_and_a_bot_that_was_down_for_years(
    js_client: None,  # noqa: ARG001 (its effect)
    tmp_path: Path,
) -> None:
    async with passing(tmp_path, PLACED, clients_too=True, erase_from="inactive") as years:
        anna = years.play.anna
        fatima, joost, lin = await years.admit(fatima="De Wilgen", joost="Huisartsen Noord", lin="Jeugdteam")
        almost = await by_age(years, lin)
        known, shy = await by_address(years, fatima, lin)
        mila = await within_the_hour(years, lin)

        # 23 on the day after a leap day. Nobody agreed within a day that telling may wait: so it may not.
        her, leapling, kim = await fatima.signals(HER), await fatima.signals(LEAPLING), await joost.signals(KIM)
        asked = await asks_to_wait(joost, kim, anna)
        await years.told(anna=[("approval.opened", asked)])
        await years.at_midnight("2028-03-01", lin=[("signal.erased", almost)])
        await years.to("2028-03-02")
        await years.told(anna=[("approval.lapsed", asked)], joost=[("notice.refused", kim)])

        # Down for three years: what should have ended ends now, and nobody is asked any more whether to renew it.
        await years.to("2031-02-27", "23:45")
        await years.told(
            fatima=[("signal.expired", her), ("signal.expired", leapling)],
            joost=[("signal.expired", kim)],
            lin=[("signal.expired", mila)],
        )
        # Who was born on a leap day is 23 on the day before the first of March.
        assert await proposes(lin, "29-02-2008") == CHILD
        await years.on_to("2031-02-28", "00:15")
        await years.told(fatima=[("signal.erased", leapling)])
        assert await proposes(lin, "29-02-2008") == "too_old"

        # Erased five years after the day on which each ended by rights, however late that was found.
        await years.to("2035-02-27", "23:45")
        await years.told(fatima=[("signal.erased", known)], lin=[("signal.erased", shy)])
        await years.on_to("2035-02-28", "00:15")
        await years.told(fatima=[("signal.erased", her)], joost=[("signal.erased", kim)], lin=[("signal.erased", mila)])
        assert [await listed(seat) for seat in (fatima, joost, lin)] == [{}, {}, {}]
        years.all_could_read_all()
