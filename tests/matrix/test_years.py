"""The life of a signal, seen from outside: years pass, and each row of DOMAIN.md's table does what it says.

With clients of another make, whose own clock stands still. What each person hears unasked is all that they hear.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.matrix.play import Seat
from tests.matrix.years import BOTH, CHILD, HER, KIM, MILA, PLACED, Heard, Years, asks_to_wait, listed, ticks, withdraws
from tests.matrix.years import years as passing

HIS: Final = "Bilal; Yildirim; 28-10-2006; 8471 QX 3"


@dataclass
class Life:
    """Who plays, and the references of their signals: on her, known to three, on him, known to two, on Kim and Mila."""

    years: Years
    fatima: Seat
    joost: Seat
    lin: Seat
    refs: dict[str, str] = field(default_factory=dict, init=False)
    match: str = field(default="", init=False)
    room: str = field(default="", init=False)
    his_match: str = field(default="", init=False)

    @property
    def in_room(self) -> list[Heard]:
        """What all who take part hear of a newcomer."""
        return [("match.joined", self.match), ("match.introduction", self.match)]


async def placed_and_matched(life: Life) -> None:
    """On a leap day: it ends on the 28th. The match says by when to call, and to tell the family first."""
    fatima, joost, lin, refs = life.fatima, life.joost, life.lin, life.refs
    refs["her"] = await fatima.signals(HER)
    placed = fatima.heard("signal.placed", ref=refs["her"])[0].wenk
    assert (placed["tell"], placed["active_until"]) == (BOTH, "2030-02-28")
    refs["him"] = await fatima.signals(HIS)
    assert fatima.heard("signal.placed", ref=refs["him"])[0].wenk["tell"] == CHILD
    refs["joost's"] = await joost.signals(HER)
    refs["him too"] = await joost.signals(HIS)
    refs["kim"] = await joost.signals(KIM)
    refs["mila"] = await lin.signals(MILA)
    await withdraws(lin, refs["mila"], "klaar")
    notice = await joost.hear("match.notice", signal=refs["joost's"])
    assert notice.wenk["call_by"] == "2028-03-10"
    assert "Vertel het dan eerst aan het gezin" in notice.body
    life.match = notice.wenk["ref"]
    life.room = (await joost.hear("match.introduction", ref=life.match)).room_id
    life.his_match = (await joost.hear("match.notice", signal=refs["him too"])).wenk["ref"]
    introductions = [("match.introduction", life.match), ("match.introduction", life.his_match)]
    await life.years.told(
        fatima=[("match.notice", refs["her"]), ("match.notice", refs["him"]), *introductions],
        joost=[("match.notice", refs["joost's"]), ("match.notice", refs["him too"]), *introductions],
    )


async def families_are_told(life: Life) -> None:
    """Asked again after three days and after fourteen, unless that may wait; then the coordinator hears it."""
    years, fatima, joost, refs = life.years, life.fatima, life.joost, life.refs
    anna = years.play.anna
    assert (await ticks(joost, refs["joost's"], "ouders"))["tell"] == CHILD
    assert (await ticks(joost, refs["joost's"]))["told"] == PLACED
    await ticks(joost, refs["him too"])
    asked = await asks_to_wait(joost, refs["kim"], anna)
    assert (await anna.ask(f"!akkoord {asked}")).wenk["decision"] == "yes"
    assert (await joost.hear("notice.postponed", ref=refs["kim"])).wenk["until"] == "2028-03-14"
    await years.told(anna=[("approval.opened", asked)], joost=[("notice.postponed", refs["kim"])])

    await years.at_midnight("2028-03-03", fatima=[("notice.reminder", f"{refs['her']} {refs['him']}")])
    assert (await ticks(fatima, refs["him"]))["told"] == "2028-03-03"
    await years.to("2028-03-14")
    await years.told(fatima=[("notice.reminder", refs["her"])], joost=[("notice.reminder", refs["kim"])])
    await ticks(joost, refs["kim"], "gisteren")
    await years.to("2028-03-15")
    await years.told(anna=[("notice.overdue", refs["her"])])
    assert "Terpstra" not in str(anna.heard("notice.overdue")[0].content)
    await ticks(fatima, refs["her"], "allemaal 2028-03-14")
    assert await listed(fatima) == {refs["her"]: ("active", "2028-03-14"), refs["him"]: ("active", "2028-03-03")}


async def he_is_23(life: Life) -> None:
    """On the day on which summer time ends. Erased at once, and so is what was said about him."""
    closed = ("match.closed", life.his_match)
    await life.years.at_midnight(
        "2029-10-28",
        fatima=[("signal.erased", life.refs["him"])],
        joost=[("signal.erased", life.refs["him too"]), closed],
    )
    assert set(await listed(life.fatima)) == {life.refs["her"]}


async def the_end_is_near(life: Life) -> None:
    """Whose signal is active still is asked once; who renews gets a new one, and the others notice nothing."""
    years, fatima, joost, refs = life.years, life.fatima, life.joost, life.refs
    await years.at_midnight(
        "2030-01-29",
        fatima=[("signal.expiring", refs["her"])],
        joost=[("signal.expiring", refs["joost's"]), ("signal.expiring", refs["kim"])],
    )
    proposed = await fatima.ask(f"!verlengen {refs['her']}")
    assert proposed.wenk["kind"] == "signal.proposed"
    assert "redelijk vermoeden" in proposed.body
    renewed = (await fatima.ask("ja")).wenk
    assert (renewed["kind"], renewed["old"], renewed["tell"]) == ("signal.renewed", refs["her"], BOTH)
    assert renewed["active_until"] == "2032-01-29"
    refs["anew"] = renewed["ref"]
    said = await fatima.who.say(life.room, "Zullen we weer bellen?")
    await joost.who.wait_for(lambda card: card.event_id == said)
    await years.told()
    await years.to("2030-02-01")
    await years.told(fatima=[("notice.reminder", refs["anew"])])
    await ticks(fatima, refs["anew"])
    assert await listed(fatima) == {refs["her"]: ("inactive", "2028-03-14"), refs["anew"]: ("active", "2030-02-01")}


async def it_ends(life: Life) -> None:
    """Not renewed: its professional leaves the introduction, and it is too late to renew it."""
    joost, refs = life.joost, life.refs
    await life.years.at_midnight(
        "2030-02-28",
        joost=[("signal.expired", refs["joost's"]), ("signal.expired", refs["kim"])],
        fatima=[("match.left", life.match)],
    )
    await joost.who.until(lambda: life.room not in joost.who.rooms())
    assert (await joost.ask(f"!verlengen {refs['kim']}")).wenk["code"] == "not_allowed"


async def somebody_is_new(life: Life) -> None:
    """Meets who is involved, and sees once who was; these hear nothing, nor is it shown again."""
    years, fatima, lin, refs = life.years, life.fatima, life.lin, life.refs
    refs["lin's"] = await lin.signals(HER)
    (before,) = (await lin.hear("match.earlier", signal=refs["lin's"])).wenk["participants"]
    assert (before["user_id"], before["until"]) == (life.joost.user_id, "2030-02-28")
    met = (await lin.hear("match.notice", signal=refs["lin's"])).wenk
    assert ([who["user_id"] for who in met["participants"]], met["ref"]) == ([fatima.user_id], life.match)
    assert met["call_by"] == "2030-03-10"
    heard = await fatima.hear("match.notice", signal=refs["anew"])
    assert "Vertel het dan eerst aan het gezin" not in heard.body  # she did
    assert "uitnodiging" not in heard.body  # she is there
    await years.told(
        lin=[("match.earlier", refs["lin's"]), ("match.notice", refs["lin's"]), *life.in_room],
        fatima=[("match.notice", refs["anew"]), *life.in_room],
    )
    await withdraws(lin, refs["lin's"], "klaar")
    await years.told(fatima=[("match.left", life.match)])
    refs["again"] = await lin.signals(HER)
    await years.told(
        lin=[("match.notice", refs["again"]), *life.in_room],
        fatima=[("match.notice", refs["anew"]), *life.in_room],
    )


async def withdrawn_after_that(life: Life) -> None:
    """A mistake: the coordinator hears it, and whoever was shown. A death: the coordinator alone."""
    years, refs, closed = life.years, life.refs, ("match.closed", life.match)
    assert await withdraws(life.lin, refs["again"], "fout") == ([], [refs["lin's"]])  # of years ago
    await years.told(
        anna=[("alarm", "mistake_after_disclosure")],
        fatima=[("match.mistake", refs["anew"]), closed],
        joost=[("match.mistake", refs["joost's"])],
    )
    assert await withdraws(life.fatima, refs["anew"], "overleden") == ([refs["her"]], [])  # which it renewed
    await years.told(anna=[("alarm", "deceased_after_disclosure")])
    assert await listed(life.fatima) == {}


async def erased(life: Life) -> None:
    """Five years after each was placed, whenever it ended; what is younger stays. Nothing comes twice."""
    years, refs = life.years, life.refs
    await years.at_midnight(
        "2033-02-28",
        joost=[("signal.erased", refs["joost's"]), ("signal.erased", refs["kim"])],
        lin=[("signal.erased", refs["mila"])],
    )
    left = [set(await listed(seat)) for seat in (life.fatima, life.joost, life.lin)]
    assert left == [set(), set(), {refs["lin's"]}]
    await years.to("2033-02-28", "12:00")
    await years.told()


@pytest.mark.timeout(600)  # 50 s on a machine with nothing else to do
async def test_from_a_leap_day_to_the_last(js_client: None, tmp_path: Path) -> None:  # noqa: ARG001 (its effect)
    async with passing(tmp_path, PLACED) as years:
        fatima, joost, lin = await years.admit(fatima="De Wilgen", joost="Huisartsen Noord", lin="Jeugdteam")
        life = Life(years, fatima, joost, lin)
        await placed_and_matched(life)
        await families_are_told(life)
        await he_is_23(life)
        await the_end_is_near(life)
        await it_ends(life)
        await somebody_is_new(life)
        await withdrawn_after_that(life)
        await erased(life)
        years.all_could_read_all()
