"""New keys instead of old ones, beside everything else: every signal opens and is found before, meanwhile and after."""

import asyncio
from collections.abc import Collection
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update

from domain.child import Child
from handlers.matching import tags_of
from handlers.sweep import count_due
from storage.approvals import Subject
from storage.inbox import Said
from storage.journal import Journal
from storage.keys import Keys
from storage.rotation import _MAIL, BATCH
from storage.schema import metadata, signal, tag
from storage.signals import generation
from storage.vault import Vault
from tests.storage.archive import OTHER, OWNER, Archive, a_child, place
from tests.storage.house import FATIMA, JOOST, LIN, House
from tests.storage.rekeying import (
    DAY,
    MANY,
    alarm,
    children,
    found,
    half,
    keys_file,
    look,
    newer,
    place_many,
    running,
    said_in_audit,
    sealed,
    until_all_is_done,
)
from tests.storage.wire import POINTS, Fragile, Fuse, Killed

ASKED = Subject("postpone", 1, "S-000001")


async def test_everything_opens_and_is_found_before_meanwhile_and_after(archive: Archive) -> None:
    expected = await place_many(archive.storage)
    assert await found(archive.storage, children()) == expected
    await archive.storage.take(newer(archive.keys))
    assert await found(archive.storage, children()) == expected, "nothing was done yet"
    await half(archive.storage)
    async with archive.storage.reading() as uow:
        left = await uow.rotation.left()
    assert (left.rewrap, left.retag) == (MANY - BATCH, MANY - BATCH)
    assert (await count_due(archive.storage))["retag"] == MANY - BATCH
    assert await found(archive.storage, children()) == expected, "half of it was done"
    rotation = running(archive)
    await look(rotation)
    async with archive.storage.reading() as uow:
        assert (await uow.rotation.left()).all == 0
        assert await uow.rotation.is_finished()
    assert await found(archive.storage, children()) == expected
    # Nothing hangs on the old keys any more.
    kept = archive.storage.keys.without_old_tags().without_master(1)
    await archive.storage.take(kept)
    assert await found(archive.storage, children()) == expected
    assert await said_in_audit(archive.storage) == ["keys.rotation.begun", "keys.rotation.finished"]


async def test_two_who_signal_one_child_while_half_is_done_are_matched(house: House) -> None:
    """One known under the old keys and one under the new: whoever comes meets either, and each other."""
    first = await house.place(FATIMA)
    await place_many(house.storage, FATIMA)
    last = await house.place(FATIMA, "signaal Tim; Jansen; 02-05-2016; 9203 ZX 12")
    await house.storage.take(newer(house.storage.keys))
    await half(house.storage)
    async with house.storage.reading() as uow:
        rows = await uow._session.all(select(signal.c.ref, signal.c.tag_generation))
    made = {row.ref: row.tag_generation for row in rows}
    assert (made[first], made[last]) == (generation(2), generation(1))
    await house.place(JOOST)
    await house.place(LIN, "signaal Tim; Jansen; 02-05-2016; 9203 ZX 12")
    for who in (JOOST, LIN):
        assert house.last(who, "match.notice")["participants"][0]["user_id"] == FATIMA
    await house.place(JOOST, "signaal Ada; Bos; 03-05-2016; 9203 ZX 12")
    await look(running(house))
    await house.place(LIN, "signaal Ada; Bos; 03-05-2016; 9203 ZX 12")
    assert house.kinds(LIN).count("match.notice") == 2


async def test_people_are_answered_and_matched_while_it_works(house: House) -> None:
    await house.place(FATIMA)
    await place_many(house.storage, FATIMA)
    newer(house.storage.keys)
    rotation = running(house)
    await rotation.look()
    assert rotation._working is not None
    assert not rotation._working.done()
    for who in (JOOST, LIN):
        await house.place(who)
        assert "match.notice" in house.kinds(who)
    await rotation._working
    async with house.storage.reading() as uow:
        assert await uow.rotation.is_settled()


async def test_a_new_master_key_wraps_keys_anew_and_touches_no_child(archive: Archive) -> None:
    await place_many(archive.storage)
    before, tags_before = await sealed(archive), await archive.raw(select(tag).order_by(tag.c.tag))
    newer(archive.keys, tag_key=False)
    await look(running(archive))
    after = await sealed(archive)
    assert {ref: row[0] for ref, row in after.items()} == {ref: row[0] for ref, row in before.items()}
    assert all(after[ref][1] != before[ref][1] and after[ref][2] == 2 for ref in before)
    assert await archive.raw(select(tag).order_by(tag.c.tag)) == tags_before


async def test_a_new_tag_key_changes_tags_only_and_leaves_none_of_the_old(archive: Archive) -> None:
    await place_many(archive.storage)
    before, tags_before = await sealed(archive), {row.tag for row in await archive.raw(select(tag))}
    newer(archive.keys, master=False)
    await look(running(archive))
    assert await sealed(archive) == before
    tags_after = {row.tag for row in await archive.raw(select(tag))}
    assert len(tags_after) == len(tags_before)
    assert not tags_after & tags_before


async def test_what_is_on_its_way_is_sealed_anew_and_arrives(archive: Archive) -> None:
    """A card may wait for months for somebody to read it: it must not need the old key for so long."""
    desk = await archive.desk()
    async with archive.storage.unit() as uow:
        for at in range(MANY):
            await uow.outbox.post(desk, "help", {"body": f"{at}", "wenk": {"kind": "help"}})
        await uow.inbox.add(1, "$one", "!room", OWNER, Said(kind="text", body="hulp"))
        await uow.inbox.add(2, "$two", "!room", OWNER, Said(kind="undecryptable", raw={"body": "?"}), "session")
        for slot in ("question", "family"):
            await uow.questions.put(OWNER, slot, "card", slot.encode())
            await uow.questions.put(OTHER, slot, "card", slot.encode())
        await uow.approvals.open("A-000001", OWNER, ASKED)
        await uow.audit.write(OWNER, "notice.postponing")
    newer(archive.keys)
    rotation = running(archive)
    await rotation._take()
    async with archive.storage.reading() as uow:
        assert (await uow.rotation.left()).reseal == MANY + 2 + 4 + 1
        assert await uow.rotation.under(1) == MANY + 2 + 4 + 1
    await look(rotation)
    await archive.storage.take(archive.storage.keys.without_master(1))
    async with archive.storage.unit() as uow:
        bodies = []
        while letter := await uow.outbox.next(desk):
            bodies.append((letter.content or {})["body"])
            await uow.outbox.sent(letter.id, f"${letter.id}")
        assert bodies == [f"{at}" for at in range(MANY)]
        received, _more = await uow.inbox.next("!room")
        assert received is not None
        assert received.said == Said(kind="text", body="hulp")
        (waiting,) = await uow.inbox.waiting_for(["session"])
        assert waiting.said is not None
        for slot in ("question", "family"):
            for user_id in (OWNER, OTHER):
                kept = await uow.questions.get(user_id, slot)
                assert kept is not None
                assert kept.state == slot.encode()
        assert [each.subject for each in await uow.approvals.open_ones()] == [ASKED]


def test_everything_that_is_sealed_is_sealed_anew() -> None:
    """Under the key of a signal are its child and what its family was told; all else is mail."""
    theirs = {"signal.sealed_child", "notice.sealed"}
    columns = (f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.columns)
    found = {name for name in columns if name.partition(".")[2].startswith("sealed")}
    assert found == theirs | {f"{table.name}.sealed" for table, _name, _waits in _MAIL}


@pytest.mark.parametrize("point", POINTS)
async def test_killed_anywhere_it_goes_on_and_nothing_is_lost(archive: Archive, point: str) -> None:
    expected = await place_many(archive.storage)
    survived = False
    for units in count():
        newer(Keys.load(keys_file(archive)))
        process = await _another_process(archive, Fuse(units, point))
        try:
            await until_all_is_done(process)
            survived = True
        except Killed:
            pass
        await process.close()
        process = await _another_process(archive, Fuse())
        assert await found(process, children()) == expected, f"after {units} units"
        await until_all_is_done(process)
        assert await found(process, children()) == expected
        await process.close()
        if survived:
            break
    rotations = units + 1
    assert units > 4, "there was something to be killed in"
    assert await said_in_audit(archive.storage) == ["keys.rotation.begun", "keys.rotation.finished"] * rotations


async def _another_process(archive: Archive, fuse: Fuse) -> Fragile:
    vault = Vault(Keys.load(keys_file(archive)))
    process = await Fragile.open(archive.url, vault, lambda: archive.now, Journal.open(archive.journal_file))
    assert isinstance(process, Fragile)
    process.fuse = fuse
    return process


async def test_stopped_in_the_middle_it_goes_on(archive: Archive) -> None:
    expected = await place_many(archive.storage)
    newer(archive.keys)
    for turns in range(0, 60, 3):
        rotation = running(archive)
        await rotation.look()
        for _ in range(turns):
            await asyncio.sleep(0)
        await rotation.stop()
        assert await found(archive.storage, children()) == expected
    rotation = running(archive)
    await look(rotation)
    async with archive.storage.reading() as uow:
        assert await uow.rotation.is_settled()
    assert await found(archive.storage, children()) == expected


async def test_a_row_that_does_not_open_keeps_nothing_else_back(archive: Archive) -> None:
    expected = await place_many(archive.storage)
    await archive.raw(update(signal).where(signal.c.ref == "S-000003").values(wrapped_key=b"damaged" * 9))
    newer(archive.keys)
    rotation = running(archive)
    await look(rotation)
    assert alarm(rotation)
    async with archive.storage.reading() as uow:
        left = await uow.rotation.left()
        assert (left.rewrap, left.retag) == (1, 1)
        assert await uow.rotation.is_finished() is False
    whole = [at for at in range(MANY) if at != 3]
    those = [children()[at] for at in whole]
    assert await found(archive.storage, those) == [expected[at] for at in whole]
    async with archive.storage.unit() as uow:
        await uow._session.run(delete(signal).where(signal.c.ref == "S-000003"))
    await look(rotation)
    assert not alarm(rotation)


async def test_a_child_that_the_new_tags_cannot_cope_with_keeps_no_other_back(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody in the region would be answered until Wenk is mended."""
    expected = await place_many(archive.storage)
    await archive.raw(update(signal).values(tag_generation=0))
    odd = children()[3]

    def faulty(child: Child) -> Collection[str]:
        return tags_of(child) if child != odd else (str(1 / 0),)

    monkeypatch.setattr("handlers.rotation.tags_of", faulty)
    rotation = running(archive)
    await rotation.catch_up()
    await look(rotation)
    assert alarm(rotation)
    async with archive.storage.reading() as uow:
        assert (await uow.rotation.left()).retag == 1
    monkeypatch.undo()
    await look(rotation)
    assert not alarm(rotation)
    assert await found(archive.storage, children()) == expected


async def test_a_running_bot_takes_a_new_file_into_use_and_no_other(archive: Archive) -> None:
    await place_many(archive.storage)
    file, rotation = keys_file(archive), running(archive)
    first = Keys.load(file)
    second = newer(first)
    await look(rotation)
    assert archive.storage.keys == second
    for bad in (
        b"damaged",
        None,
        first,  # an old copy: it lacks what everything is under now
        Keys.generate(file).with_new_master(2, DAY).with_new_tag(2),  # those of another database
    ):
        if isinstance(bad, Keys):
            bad.save()
        elif bad is None:
            file.unlink()
        else:
            file.write_bytes(bad)
        await look(rotation)
        assert archive.storage.keys == second, bad
        assert alarm(rotation), bad
    second.save()
    await look(rotation)
    assert not alarm(rotation)
    async with archive.storage.unit() as uow:
        await place(uow, "S-999999", a_child("Nieuw"))
    assert (await sealed(archive))["S-999999"][2] == 2


async def test_a_file_that_lacks_the_tag_key_in_use_is_not_taken(archive: Archive) -> None:
    await place_many(archive.storage)
    newer(archive.keys).without_old_tags().save()
    rotation = running(archive)
    await look(rotation)
    assert alarm(rotation)
    assert archive.storage.keys == archive.keys
    assert await found(archive.storage, children()) == [[f"S-{at:06}"] for at in range(MANY)]


async def test_who_reads_while_new_keys_are_taken_reads_on(archive: Archive) -> None:
    await place_many(archive.storage)
    async with archive.storage.reading() as uow:
        await archive.storage.take(newer(archive.keys))
        await until_all_is_done(archive.storage)
        async with archive.storage.unit() as writing:
            await place(writing, "S-999999", a_child("Nieuw"))
        assert [each.ref for each in await uow.signals.of_owner(OWNER)][:MANY] == [f"S-{at:06}" for at in range(MANY)]


async def test_keys_never_change_within_a_unit_of_work(archive: Archive) -> None:
    async with archive.storage.unit() as uow:
        taking = asyncio.ensure_future(archive.storage.take(newer(archive.keys)))
        done, _waiting = await asyncio.wait({taking}, timeout=0.2)
        assert not done
        await place(uow, "S-000001")
    await taking
    assert archive.storage.keys.current_master == 2


async def test_after_an_upgrade_that_makes_other_tags_all_are_made_anew_before_anything_is_looked_up(
    house: House,
) -> None:
    await house.place(FATIMA)
    async with house.storage.unit() as uow:
        # As a migration leaves them: of an unknown generation, without what this version looks for.
        await uow._session.run(update(signal).values(tag_generation=0))
        await uow._session.run(delete(tag))
    await running(house).catch_up()
    await house.place(JOOST)
    assert "match.notice" in house.kinds(JOOST)


async def test_at_an_ordinary_start_nothing_is_made_anew(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    await place_many(archive.storage)
    await archive.storage.take(newer(archive.keys))
    monkeypatch.setattr("bot.rotation.bring_under_current_keys", None)
    await running(archive).catch_up()


async def test_what_is_left_is_found_by_an_index(sqlite_archive: Archive) -> None:
    """What is done costs nothing, however much it is."""
    await place_many(sqlite_archive.storage)
    await sqlite_archive.storage.take(newer(sqlite_archive.keys))
    asked: list[tuple[str, Any]] = []
    engine = sqlite_archive.storage._engine
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *of: asked.append((of[2], of[3])))
    await until_all_is_done(sqlite_archive.storage)
    plans = []
    async with engine.connect() as connection:
        for statement, values in [each for each in asked if "FROM signal" in each[0]]:
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)).all()
            plans += [row.detail for row in plan]
    assert [plan for plan in plans if "ix_signal_key_version_id" in plan]
    assert [plan for plan in plans if "ix_signal_tag_generation_id" in plan]
    assert not [plan for plan in plans if plan.startswith("SCAN signal") or "TEMP B-TREE" in plan]


async def test_a_running_bot_notes_that_a_key_was_destroyed(archive: Archive) -> None:
    await place_many(archive.storage)
    rotation = running(archive)
    second = newer(archive.keys)
    await look(rotation)
    second.without_master(1).save()
    await look(rotation)
    await look(rotation)
    assert archive.storage.keys.master.keys() == {2}
    assert (await said_in_audit(archive.storage)).count("keys.destroyed") == 1
