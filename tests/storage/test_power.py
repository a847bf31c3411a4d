"""The power goes, at any moment: what a professional was told is so, and what was said is answered, once."""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from storage import engine
from storage.backup import back_up, reading_backup
from storage.durable import make_directory, write_durably
from storage.journal import Journal, JournalFault
from storage.keys import Keys
from storage.schema import introduction
from storage.vault import Vault
from tests.power.disk import Disk, Luck, anywhere, cuts, unlucky
from tests.power.watch import watched
from tests.storage.archive import open_archive
from tests.storage.house import ANNA, FATIMA, JOOST, LIN, START
from tests.storage.ledger import kept, rows, told
from tests.storage.wire import Event, Server, Wire, open_wire

BOT: Final = "@wenk:localhost"
BO: Final = "Bo; Achterberg; 01-05-2016; geen"
ISA: Final = "Isa; Achterberg; 02-05-2016; geen"
MANY: Final = 40
"""So many cards at least are handed over; at each of them the power goes once, besides anywhere else."""


@dataclass(kw_only=True)
class Watched(Server):
    """A server that knows at which moment of the disk it was told what."""

    disk: Disk
    moments: list[int] = field(default_factory=list)
    memberships: list[dict[tuple[str, str], str]] = field(default_factory=list)

    def add(self, room: str, sender: str, **more: Any) -> Event:  # noqa: ANN401 (fields of Event)
        event = super().add(room, sender, **more)
        self.moments.append(self.disk.now)
        self.memberships.append(dict(self.present))
        return event

    def at(self, moment: int) -> Server:
        """What it remembers when this has happened and no more."""
        count = bisect_right(self.moments, moment)
        timeline = self.timeline[:count]
        sent = {event.card: event.id for event in timeline if event.card is not None}
        return Server(timeline, sent, dict(self.memberships[count - 1]))


@dataclass
class Run:
    """What was done, by a process that had power."""

    wire: Wire
    server: Watched
    disk: Disk
    began: int
    """The first moment at which people could say something."""
    clock: list[tuple[int, datetime]] = field(default_factory=lambda: [(0, START)])

    async def pass_time(self, days: int) -> None:
        self.wire.now += timedelta(days=days)
        self.clock.append((self.disk.now, self.wire.now))
        await self.wire.sweep()
        await self.wire.work()

    async def place(self, who: str, child: str) -> str:
        await self.wire.ask(who, f"signaal {child}")
        placed = await self.wire.ask(who, "ja")
        assert placed["kind"] == "signal.placed", placed
        return str(placed["ref"])

    @property
    def told(self) -> Iterator[int]:
        """The moments at which the server was handed a card."""
        pairs = zip(self.server.moments, self.server.timeline, strict=True)
        return (moment for moment, event in pairs if event.card is not None and moment >= self.began)


async def one_run(directory: Path) -> Run:
    """Signals are placed, matched, withdrawn, erased, and end; between them a checkpoint, and a restart."""
    directory.mkdir()
    with watched(directory) as disk:
        server = Watched(disk=disk)
        url = f"sqlite+aiosqlite:///{directory / 'wenk.db'}"
        async with open_wire(url, directory, [ANNA], server=server) as wire:
            run = Run(wire, server, disk, disk.now)
            for who, organisation in ((FATIMA, "De Wilgen"), (JOOST, "Halt"), (LIN, "Noord")):
                await wire.admit(who, organisation, who[1:].partition(":")[0].title())
            await run.place(FATIMA, BO)
            mistaken = await run.place(JOOST, BO)
            await wire.ask(JOOST, f"intrekken {mistaken} fout")
            assert await wire.storage.scrub()
            done = await run.place(LIN, BO)
            await wire.ask(LIN, f"intrekken {done} klaar")
            await wire.restart()
            await wire.storage.begin()
            await run.place(JOOST, ISA)
            dead = await run.place(FATIMA, ISA)
            await wire.ask(FATIMA, f"intrekken {dead} overleden")
            await run.pass_time(days=731)
            await run.place(JOOST, BO)
            await run.pass_time(days=366 * 3)
    return run


class Restarted:
    """Wenk is started again on what the power cut left, and goes on until nothing is left to do."""

    def __init__(self, run: Run, moment: int, directory: Path) -> None:
        vault = Vault(Keys.load(directory / "keys.json"))
        server = run.server.at(moment)
        cards = sum(event.card is not None for event in server.timeline)
        self.wire = Wire(
            f"sqlite+aiosqlite:///{directory / 'wenk.db'}", vault, directory / "erased.journal", run.wire.region, server
        )
        self.wire.now = [now for at, now in run.clock if at <= moment][-1]
        self.wire.cards = run.wire.cards[:cards]
        self._file = directory / "wenk.db"

    async def check(self) -> None:
        await self.wire.start()
        try:
            with closing(sqlite3.connect(self._file)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            await self.wire.storage.begin()
            if self.wire.now > START:
                await self.wire.sweep()
            await self.wire.work()
            await self._what_was_told_is_so()
            async with self.wire.storage.reading() as uow:
                await uow.audit.verify()
        finally:
            await self.wire.storage.close()

    async def _what_was_told_is_so(self) -> None:
        said = {event.id: event.body for event in self.wire.server.timeline if event.body and event.sender != BOT}
        assert [len(self.wire.answers(event)) for event in said] == [1] * len(said)
        state: dict[str, str] = {}
        for _room, card in self.wire.cards:
            told(state, card, said.get(card.get("re", ""), ""))
        assert await kept(self.wire) == state
        placed = {card["ref"] for _room, card in self.wire.cards if card["kind"] == "signal.placed"}
        assert Journal.open(self.wire.journal_file).erased() == placed - state.keys()
        matches = {card["ref"] for _room, card in self.wire.cards if card["kind"] == "match.notice"}
        assert matches <= {row.ref for row in await rows(self.wire, select(introduction.c.ref))}


@contextmanager
def synchronous(how: str) -> Iterator[None]:
    """Every connection made from now on syncs as it should not."""
    prepare = engine._prepare_sqlite

    def careless(connection: Any, record: object) -> None:  # noqa: ANN401 (the driver's own type)
        prepare(connection, record)
        connection.execute(f"PRAGMA synchronous={how}").close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_prepare_sqlite", careless)
        yield


async def cut(run: Run, when: Iterable[tuple[int, Luck]], directory: Path) -> None:
    """The power goes at each of these moments, and comes back."""
    with synchronous("OFF"):  # it does not go again, and this saves half of the time
        for moment in cuts(run.disk, when, directory):
            await Restarted(run, moment, directory).check()


async def test_what_was_told_survives_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    run = await one_run(tmp_path / "with-power")
    cards = [(moment, unlucky) for moment in run.told]
    assert len(cards) > MANY, "too little was told: the test shows nothing"
    await cut(run, [*cards, *anywhere(run.disk, run.began)], tmp_path / "cut")


@pytest.mark.parametrize("how", ["OFF", "NORMAL"])
async def test_what_was_not_synced_is_missed(tmp_path: Path, how: str) -> None:
    """Else the test above shows nothing."""
    with synchronous(how):
        run = await one_run(tmp_path / "with-power")
    some = list(run.told)[::5]
    missed = 0
    for moment in some:
        try:
            await cut(run, [(moment, unlucky)], tmp_path / str(moment))
        except (AssertionError, DBAPIError, JournalFault, KeyError):
            missed += 1
    assert missed == len(some)


@pytest.mark.parametrize("new", [False, True])
def test_a_file_that_is_written_durably_is_there_with_its_directory_or_the_old_one_is(
    tmp_path: Path, *, new: bool
) -> None:
    root, old, young = tmp_path / "with-power", b"old" * 999, b"young" * 999
    root.mkdir()
    with watched(root) as disk:
        file = root / "some" / "where" / "file"
        make_directory(file.parent)
        made = disk.now
        if not new:
            write_durably(file, old)
        before = disk.now
        write_durably(file, young, new=new)
        after = disk.now
    found = set()
    for moment in cuts(disk, anywhere(disk, made), tmp_path / "cut"):
        left = tmp_path / "cut" / file.relative_to(root)
        assert left.parent.is_dir()
        content = left.read_bytes() if left.exists() else None
        found.add(content)
        assert content in (None, old, young)
        assert moment < after or content == young
        assert moment < before or new or content is not None
    assert found == ({None, young} if new else {None, old, young})


async def test_a_backup_that_was_made_is_there(tmp_path: Path) -> None:
    root = tmp_path / "with-power"
    root.mkdir()
    async with open_archive(f"sqlite+aiosqlite:///{tmp_path / 'wenk.db'}", tmp_path) as archive:
        with watched(root) as disk:
            await back_up(archive.url, root / "backup", archive.now)
    backups = 0
    for moment in cuts(disk, anywhere(disk, disk.now - 12, 50), tmp_path / "cut"):
        file = tmp_path / "cut" / "backup"
        if file.exists():
            backups += 1
            with reading_backup(file):
                pass
        assert moment < disk.now or file.exists()
    assert backups > 1
