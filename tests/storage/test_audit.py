"""The audit log: no row can be changed, taken out, put in or moved without being found."""

import hmac
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Executable, delete, insert, select, update

from storage.audit import BrokenChain
from storage.database import Storage
from storage.schema import audit, region
from storage.vault import Vault, _derive
from tests.storage.archive import OTHER, OWNER, Archive, place

ROWS = 6


@pytest.fixture
async def log(archive: Archive) -> Archive:
    """An archive whose audit log has ROWS rows, the third of them about a signal."""
    async with archive.storage.unit() as uow:
        await uow.audit.write(OWNER, "signal.listed")
        await place(uow, "S-000001")
        for _ in range(ROWS - 3):
            await uow.audit.write(OTHER, "match.listed")
    await archive.raw(insert(region).values(id=2, name="Elders"))
    return archive


async def verified(archive: Archive) -> int:
    async with archive.storage.reading() as uow:
        return await uow.audit.verify()


async def test_an_untouched_log_fits(log: Archive) -> None:
    assert await verified(log) == ROWS


async def test_the_log_is_walked_in_steps(log: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.audit._ROWS_AT_A_TIME", 4)
    assert await verified(log) == ROWS
    await log.raw(update(audit).where(audit.c.seq == 5).values(who=OWNER))
    with pytest.raises(BrokenChain) as broken:
        await verified(log)
    assert broken.value.seq == 5


def changed(column: str, value: object) -> Executable:
    return update(audit).where(audit.c.seq == 3).values({column: value})


@pytest.mark.parametrize(
    ("tampering", "found_at"),
    [
        (changed("who", OTHER), 3),
        (changed("what", "signal.renewed"), 3),
        (changed("at", 1), 3),
        (changed("subject", b""), 3),
        (changed("subject", bytes(32)), 3),
        (changed("mac", bytes(32)), 3),
        (changed("region_id", 2), 3),
        (changed("seq", 99), 3),
        (changed("seq", 0), 1),
        (delete(audit).where(audit.c.seq == 1), 1),
        (delete(audit).where(audit.c.seq == 4), 4),
        (delete(audit).where(audit.c.seq < 4), 1),
        (insert(audit).values(seq=7, region_id=1, at=1, who=OWNER, what="x", subject=b"", mac=bytes(32)), 7),
        (insert(audit).values(seq=0, region_id=1, at=1, who=OWNER, what="x", subject=b"", mac=bytes(32)), 1),
    ],
)
async def test_every_tampering_is_found(log: Archive, tampering: Executable, found_at: int) -> None:
    await log.raw(tampering)
    # A new row by Wenk itself does not cover it up.
    async with log.storage.unit() as uow:
        await uow.audit.write("wenk", "later")
    with pytest.raises(BrokenChain) as broken:
        await verified(log)
    assert broken.value.seq == found_at


async def renumber(log: Archive, new: dict[int, int]) -> None:
    for before, after in new.items():
        await log.raw(update(audit).where(audit.c.seq == before).values(seq=100 + after))
    for after in new.values():
        await log.raw(update(audit).where(audit.c.seq == 100 + after).values(seq=after))


async def test_rows_in_another_order_are_found(log: Archive) -> None:
    await renumber(log, {4: 5, 5: 4})
    with pytest.raises(BrokenChain):
        await verified(log)


async def test_a_gap_that_was_closed_is_found(log: Archive) -> None:
    await log.raw(delete(audit).where(audit.c.seq == 4))
    await renumber(log, {5: 4, 6: 5})
    with pytest.raises(BrokenChain):
        await verified(log)


async def test_a_log_cut_short_does_not_reach_the_head_that_was_posted(log: Archive) -> None:
    """By itself it fits: that is what the daily head is posted for."""
    posted = await log.head()
    await log.raw(delete(audit).where(audit.c.seq == ROWS))
    assert await verified(log) == ROWS - 1
    assert (await log.head()).seq < posted.seq
    async with log.storage.unit() as uow:
        await uow.audit.write("wenk", "signal.listed")
    assert (await log.head()).seq == posted.seq
    assert (await log.head()).mac != posted.mac


async def test_a_row_of_another_past_does_not_fit_in(log: Archive) -> None:
    """Wenk itself wrote it, under this number; but not after these rows."""
    last = audit.c.seq == ROWS
    (from_a_backup,) = await log.raw(select(audit).where(last))
    await log.raw(delete(audit).where(last))
    async with log.storage.unit() as uow:
        await uow.audit.write(OWNER, "signal.erased")
        await uow.audit.write("wenk", "later")
    assert await verified(log) == ROWS + 1
    await log.raw(update(audit).where(last).values(from_a_backup._asdict()))
    with pytest.raises(BrokenChain) as broken:
        await verified(log)
    assert broken.value.seq == ROWS + 1


async def test_a_chain_cannot_be_made_anew_without_its_key(log: Archive) -> None:
    rows = await log.raw(select(audit).order_by(audit.c.seq))
    await log.raw(delete(audit))
    forger = await Storage.open(log.url, Vault(replace(log.keys, audit=bytes(32))), lambda: log.now)
    async with forger.unit() as uow:
        for row in rows:
            await uow.audit.write(row.who, row.what)
    await forger.close()
    with pytest.raises(BrokenChain):
        await verified(log)


def links(archive: Archive, ref: str) -> Iterator[bytes]:
    """What the reference becomes under each key that outlives the signal."""
    for key in (*archive.keys.master.values(), *archive.keys.tag.values(), archive.keys.audit):
        for derived in (key, _derive(key, "audit"), _derive(key, "mail")):
            yield hmac.digest(derived, ref.encode(), "sha256")


async def test_whose_signal_a_line_is_about_cannot_be_told_once_it_is_erased(log: Archive) -> None:
    (line,) = await log.raw(select(audit.c.subject).where(audit.c.seq == 3))
    async with log.storage.unit() as uow:
        alive = await uow.signals.owned(OWNER, "S-000001")
        assert alive is not None
        assert line.subject == alive.key.audit_subject()
        await uow.signals.erase(alive)
        await uow.audit.write("wenk", "signal.erased", alive.key)
        again = await place(uow, "S-000001")
    assert again.key.audit_subject() != line.subject
    assert line.subject not in set(links(log, "S-000001"))
    (row,) = (await log.contents())["signal"]
    assert line.subject not in row
    assert await verified(log) == ROWS + 2
