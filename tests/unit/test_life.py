from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from domain.birth import BirthDate
from domain.calendar import add_years
from domain.life import (
    TABLE,
    Event,
    NotPossible,
    Plan,
    State,
    Terms,
    due,
    next_look,
    next_state,
    outlived,
    plan,
    resumption,
    to_remind,
)
from tests.unit.strategies import births, days, full_births, terms

A_DAY = timedelta(days=1)
LEAFLET = Terms()
LIFE = Plan(
    active_until=date(2028, 11, 23), erase_on=date(2031, 11, 23), adult_on=date(2038, 3, 14),
    remind_on=date(2028, 10, 24),
)  # fmt: skip
alive = st.sampled_from([State.ACTIVE, State.INACTIVE, State.FROZEN])


@st.composite
def lives(draw: st.DrawFn) -> tuple[date, Plan]:
    """A day of placing on which the child is neither 23 nor unborn, and the plan from there."""
    born, ages = draw(births), draw(st.integers(0, 22 * 365))
    placed = born.earliest + timedelta(days=ages)
    return placed, plan(placed, born, draw(terms))


# --- the table


def test_each_event_is_listed_once() -> None:
    assert len({(row.state, row.event) for row in TABLE}) == len(TABLE)
    assert {row.event for row in TABLE} == set(Event)


def test_what_is_erased_stays_erased() -> None:
    assert not [row for row in TABLE if row.state is State.ERASED]


def test_what_is_over_is_in_no_introduction() -> None:
    for row in TABLE:
        if row.to is not row.state and row.to in {State.ERASED, State.INACTIVE} and row.event is not Event.RENEWED:
            assert row.leaves == (row.state is not State.INACTIVE)


def test_only_a_mistake_and_a_death_are_reported_and_only_a_mistake_to_the_others() -> None:
    assert {row.event for row in TABLE if row.alarm} == {Event.MISTAKE, Event.DECEASED}
    assert {row.event for row in TABLE if row.shown} == {Event.MISTAKE}


def test_the_others_see_that_it_falls_silent_and_that_it_speaks_again() -> None:
    for state, event, room in (
        (State.ACTIVE, Event.FROZEN, "match.paused"),
        (State.INACTIVE, Event.FROZEN, None),
        (State.FROZEN, Event.RESUMED, "match.resumed"),
        (State.FROZEN, Event.RESUMED_ENDED, "match.left"),
    ):
        assert next_state(state, event).room == room


def test_by_law_these_erase_at_once() -> None:
    for state in (State.ACTIVE, State.INACTIVE, State.FROZEN):
        for event in (Event.MISTAKE, Event.DECEASED, Event.ADULT):
            assert next_state(state, event).to is State.ERASED
    assert next_state(State.FROZEN, Event.UPHELD).to is State.ERASED


def test_what_is_wrong_takes_along_what_it_was_renewed_from_whatever_became_of_that() -> None:
    assert {row.event for row in TABLE if row.takes_along} == {Event.MISTAKE, Event.DECEASED, Event.UPHELD}
    assert all(row.to is State.ERASED for row in TABLE if row.takes_along)
    # It was active when it was renewed, and is so never again.
    along = {row.state: row for row in TABLE if row.event is Event.ERASED_ALONG}
    assert along.keys() == {State.INACTIVE, State.FROZEN}
    assert {(row.to, row.shown, row.alarm) for row in along.values()} == {(State.ERASED, None, None)}


def test_only_an_active_signal_is_renewed_and_its_match_goes_on() -> None:
    assert [row.state for row in TABLE if row.event is Event.RENEWED] == [State.ACTIVE]
    assert next_state(State.ACTIVE, Event.RENEWED).room is None


def test_nothing_is_sent_by_time_about_a_frozen_signal() -> None:
    assert {
        row.owner for row in TABLE if row.state is State.FROZEN and row.event in {Event.ADULT, Event.ARCHIVED_OUT}
    } == {None}


@given(st.sampled_from(State), st.sampled_from(Event))
def test_what_the_table_does_not_list_cannot_happen(state: State, event: Event) -> None:
    if (state, event) in {(row.state, row.event) for row in TABLE}:
        row = next_state(state, event)
        assert (row.state, row.event) == (state, event)
    else:
        with pytest.raises(NotPossible, match=event):
            next_state(state, event)


# --- the plan


@pytest.mark.parametrize(
    ("placed", "active_until", "erase_on"),
    [
        (date(2026, 11, 23), date(2028, 11, 23), date(2031, 11, 23)),
        (date(2024, 2, 29), date(2026, 2, 28), date(2029, 2, 28)),
    ],
)
def test_the_terms_of_the_leaflet(placed: date, active_until: date, erase_on: date) -> None:
    ahead = plan(placed, BirthDate(2015, 3, 14), LEAFLET)
    assert ahead == Plan(active_until, erase_on, date(2038, 3, 14), active_until - timedelta(days=30))


def test_a_region_may_count_from_the_day_it_became_inactive() -> None:
    region = Terms(erase_from="inactive")
    placed, born = date(2026, 11, 23), BirthDate(2015, 3, 14)
    assert plan(placed, born, region).erase_on == date(2033, 11, 23)
    assert plan(placed, born, region, ended=date(2027, 1, 5)).erase_on == date(2032, 1, 5)
    assert plan(placed, born, LEAFLET, ended=date(2027, 1, 5)).erase_on == date(2031, 11, 23)


def test_never_kept_after_the_23rd_birthday() -> None:
    assert plan(date(2026, 11, 23), BirthDate(2004, 3, 14), LEAFLET).erase_on == date(2027, 3, 14)
    assert plan(date(2026, 11, 23), BirthDate(2004, 3), LEAFLET).erase_on == date(2027, 3, 1)
    assert plan(date(2026, 11, 23), BirthDate(2004), LEAFLET).erase_on == date(2027, 1, 1)
    assert plan(date(2026, 11, 23), BirthDate(2004, 2, 29), LEAFLET).erase_on == date(2027, 2, 28)


@given(days, births, terms, st.integers(0, 5000))
def test_ending_early_or_late_never_keeps_it_longer(placed: date, born: BirthDate, region: Terms, after: int) -> None:
    undisturbed, ended = plan(placed, born, region), plan(placed, born, region, placed + timedelta(days=after))
    assert ended.active_until <= undisturbed.active_until == add_years(placed, region.active_years)
    assert ended.erase_on <= undisturbed.erase_on <= undisturbed.adult_on == ended.adult_on


@given(days, births, terms, st.none() | st.integers(0, 5000))
def test_kept_for_the_term_that_the_region_chose_and_no_longer(
    placed: date, born: BirthDate, region: Terms, after: int | None
) -> None:
    ahead = plan(placed, born, region, placed + timedelta(days=after) if after is not None else None)
    since = placed if region.erase_from == "placed" else ahead.active_until
    assert ahead.erase_on == min(add_years(since, region.erase_years), born.adult_on)
    # The law's maximum, whichever the region chose within it.
    assert ahead.erase_on <= add_years(placed, region.active_years + region.erase_years)


@given(births, terms)
@example(BirthDate(2004, 2, 29), LEAFLET)
def test_placed_on_the_eve_of_the_23rd_birthday_it_is_gone_the_next_day(born: BirthDate, region: Terms) -> None:
    eve = born.adult_on - A_DAY
    ahead = plan(eve, born, region)
    assert ahead.erase_on == eve + A_DAY
    assert next_look(State.ACTIVE, ahead, eve, reminded=False) == ahead.erase_on
    assert due(State.ACTIVE, ahead, ahead.erase_on) is Event.ADULT
    assert outlived(ahead)


@given(full_births, terms)
def test_placed_on_the_day_of_birth_it_has_its_whole_term(born: BirthDate, region: Terms) -> None:
    ahead = plan(born.earliest, born, region)
    assert ahead.active_until == add_years(born.earliest, region.active_years)
    assert not outlived(ahead)


def test_nothing_of_a_child_in_a_repr() -> None:
    assert "2038" not in repr(plan(date(2026, 11, 23), BirthDate(2015, 3, 14), LEAFLET))


# --- what is due


def test_a_life() -> None:
    ahead = LIFE
    assert due(State.ACTIVE, ahead, date(2028, 11, 22)) is None
    assert due(State.ACTIVE, ahead, date(2028, 11, 23)) is Event.ENDED
    assert due(State.INACTIVE, ahead, date(2031, 11, 22)) is None
    assert due(State.INACTIVE, ahead, date(2031, 11, 23)) is Event.ARCHIVED_OUT


def test_a_late_sweep_does_the_gravest_first() -> None:
    ahead = LIFE
    assert due(State.ACTIVE, ahead, date(2031, 11, 23)) is Event.ARCHIVED_OUT
    assert due(State.ACTIVE, ahead, date(2040, 1, 1)) is Event.ADULT


def test_dates_run_on_while_frozen() -> None:
    ahead = LIFE
    assert due(State.FROZEN, ahead, date(2029, 1, 1)) is None
    assert due(State.FROZEN, ahead, date(2031, 11, 23)) is Event.ARCHIVED_OUT
    assert resumption(ahead, date(2028, 11, 22)) is Event.RESUMED
    assert resumption(ahead, date(2028, 11, 23)) is Event.RESUMED_ENDED


@given(st.sampled_from(State), lives(), days)
def test_what_is_due_is_possible(state: State, life: tuple[date, Plan], today: date) -> None:
    event = due(state, life[1], today)
    if event:
        next_state(state, event)
    if state is not State.ERASED:
        assert (event in {Event.ADULT, Event.ARCHIVED_OUT}) == (today >= life[1].erase_on)


# --- when to look


@given(alive, lives(), st.integers(0, 10_000), st.booleans())
def test_the_next_look_is_ahead_and_in_time(state: State, life: tuple[date, Plan], after: int, reminded: bool) -> None:  # noqa: FBT001 (drawn)
    placed, ahead = life
    today = placed + timedelta(days=after)
    look = next_look(state, ahead, today, reminded=reminded)
    if due(state, ahead, today):
        assert look == today
    else:
        assert today < look <= ahead.erase_on
        assert due(state, ahead, look - A_DAY) is None
        if not reminded and not to_remind(state, ahead, today):
            assert not to_remind(state, ahead, look - A_DAY)


@given(lives())
def test_who_looks_only_when_told_to_is_never_late(life: tuple[date, Plan]) -> None:
    today, ahead = life
    state, reminded_on, happened = State.ACTIVE, None, {}
    for _ in range(100):
        while event := due(state, ahead, today):
            state = next_state(state, event).to
            happened[event] = today
        if state is State.ERASED:
            break
        if reminded_on is None and to_remind(state, ahead, today):
            reminded_on = today
        today = next_look(state, ahead, today, reminded=reminded_on is not None)
    assert state is State.ERASED
    assert today == ahead.erase_on
    assert happened.get(Event.ENDED, ahead.active_until) == ahead.active_until
    assert reminded_on == (ahead.remind_on if ahead.remind_on < min(ahead.active_until, ahead.erase_on) else None)


@given(alive, lives(), st.integers(1, 28), st.integers(0, 10_000), st.booleans())
def test_the_day_of_the_birthday_cannot_be_told_from_the_look(
    state: State, life: tuple[date, Plan], day: int, after: int, reminded: bool  # noqa: FBT001 (drawn)
) -> None:  # fmt: skip
    placed, ahead = life
    today = placed + timedelta(days=after)
    birthday = ahead.adult_on.replace(day=day)
    other = replace(ahead, adult_on=birthday, erase_on=birthday if ahead.erase_on == ahead.adult_on else ahead.erase_on)
    assume(today < min(ahead.adult_on, other.adult_on) and other.erase_on <= birthday)
    assume(due(state, ahead, today) is due(state, other, today) is None)
    assert next_look(state, ahead, today, reminded=reminded) == next_look(state, other, today, reminded=reminded)


def test_in_the_month_of_the_23rd_birthday_it_looks_every_day() -> None:
    ahead = plan(date(2026, 11, 23), BirthDate(2004, 3, 14), LEAFLET)
    for today, look in (
        (date(2026, 11, 23), date(2027, 3, 1)),
        (date(2027, 2, 28), date(2027, 3, 1)),
        (date(2027, 3, 1), date(2027, 3, 2)),
        (date(2027, 3, 13), date(2027, 3, 14)),
    ):
        assert next_look(State.ACTIVE, ahead, today, reminded=False) == look


def test_nothing_is_looked_for_when_it_is_gone() -> None:
    ahead = plan(date(2026, 11, 23), BirthDate(2015), LEAFLET)
    with pytest.raises(ValueError, match="empty"):
        next_look(State.ERASED, ahead, date(2026, 11, 23), reminded=False)


# --- the reminder


@pytest.mark.parametrize(
    ("placed", "remind_on"),
    [
        (date(2026, 11, 23), date(2028, 10, 24)),
        (date(2024, 2, 29), date(2026, 1, 29)),  # ends on 28 February
        (date(2026, 3, 30), date(2028, 2, 29)),
        (date(2026, 4, 25), date(2028, 3, 26)),  # the clocks go forward that night
    ],
)
def test_the_reminder_is_so_many_days_before_the_end(placed: date, remind_on: date) -> None:
    ahead = plan(placed, BirthDate(2015, 3, 14), LEAFLET)
    assert ahead.remind_on == remind_on
    assert not to_remind(State.ACTIVE, ahead, remind_on - A_DAY)
    assert to_remind(State.ACTIVE, ahead, remind_on)
    assert to_remind(State.ACTIVE, ahead, ahead.active_until - A_DAY)
    assert not to_remind(State.ACTIVE, ahead, ahead.active_until)
    assert not to_remind(State.INACTIVE, ahead, remind_on)
    assert not to_remind(State.FROZEN, ahead, remind_on)


def test_a_reminder_that_could_not_be_heard_is_looked_for_every_day() -> None:
    for today in (LIFE.remind_on, LIFE.active_until - 2 * A_DAY):
        assert next_look(State.ACTIVE, LIFE, today, reminded=False) == today + A_DAY
    assert next_look(State.ACTIVE, LIFE, LIFE.remind_on, reminded=True) == LIFE.active_until


@given(days, births, terms)
def test_the_reminder_is_never_before_the_signal(placed: date, born: BirthDate, region: Terms) -> None:
    ahead = plan(placed, born, region)
    assert placed <= ahead.remind_on < ahead.active_until
    assert ahead.remind_on == placed or (ahead.active_until - ahead.remind_on).days == region.remind_days


def test_who_is_23_before_the_end_needs_no_renewal() -> None:
    placed = date(2026, 11, 23)
    assert outlived(plan(placed, BirthDate(2005, 11, 23), LEAFLET))
    assert outlived(plan(placed, BirthDate(2005, 11), LEAFLET))
    assert outlived(plan(placed, BirthDate(2005), LEAFLET))
    assert not outlived(plan(placed, BirthDate(2005, 11, 24), LEAFLET))
