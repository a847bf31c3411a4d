"""The one place that puts the parts together, and the life of the process: start, run, stop."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.clocks import Clocks
from bot.config import Config, Store
from bot.crypto import Machine
from bot.delivery import Delivery
from bot.http import Homeserver, LoggedOut, backoff_s
from bot.identities import Identities
from bot.live import Lookout
from bot.login import Account, stay_logged_in
from bot.metrics import Metrics
from bot.reception import Reception
from bot.recovery import Recovery
from bot.rooms import Reconciler
from bot.schedule import Schedule
from bot.session import Session
from bot.store import StoreFailed, refuse_set_back
from bot.trust import Trust
from bot.watch import Watch
from bot.web import serve
from bot.workers import STOP_WITHIN_S, Workers
from domain.region import Region
from handlers.office import Office
from handlers.people import admit_coordinators
from storage.alone import Keep, alone, locked
from storage.database import Storage
from storage.durable import make_directory
from storage.journal import Journal
from storage.keys import Keys
from storage.trouble import is_trouble
from storage.unit import UnitOfWork
from storage.vault import Vault

log = logging.getLogger(__name__)

_AGAIN_S = 10.0
_FATAL = (LoggedOut, StoreFailed)


class StoredPins:
    """Pinned identities, kept in the database."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def get(self, user_id: str) -> str | None:
        async with self._storage.reading() as uow:
            return await uow.people.pinned(user_id)

    async def pin(self, user_id: str, master: str) -> None:
        async with self._storage.unit() as uow:
            if await uow.people.pinned(user_id) is None:
                await uow.people.pin(user_id, master)


@dataclass(frozen=True, slots=True)
class Wenk:
    """The parts of a running bot."""

    keep_alone: Keep
    storage: Storage
    watch: Watch
    region: Region
    http: Homeserver
    session: Session
    recovery: Recovery
    schedule: Schedule
    metrics: Metrics
    reception: Workers
    delivery: Workers
    rooms: Workers
    address: tuple[str, int]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set or a part fails for good; what is in hand is finished first.

        Raises the exception of the part that failed.
        """
        due_work_done = asyncio.Event()
        runner = await serve(self.address, self.metrics, lambda: self._ready(due_work_done), self._measure)
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self.keep_alone(), name="alone"),
            asyncio.create_task(self.session.run(), name="session"),
            asyncio.create_task(self._begin(due_work_done), name="begin"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        pending: set[asyncio.Future[Any]] = {*tasks, self.reception.failed, self.delivery.failed, self.rooms.failed}
        try:
            while not stop.is_set():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    part.result()
        finally:
            await self._stop(tasks)
            await runner.cleanup()

    async def _begin(self, due_work_done: asyncio.Event) -> None:
        """What is due goes first, then what was left undone, then the minute hand begins to tick."""
        await self.session.first_sync.wait()
        is_done = await self._try_to_begin()
        while is_done is None:
            await asyncio.sleep(_AGAIN_S)
            is_done = await self._try_to_begin()
        self.schedule.after_tick = self._resume
        self.schedule.start()
        for attempt in count():
            if is_done:
                break
            await asyncio.sleep(backoff_s(attempt))
            is_done = await self.schedule.tick()
        due_work_done.set()

    async def _try_to_begin(self) -> bool | None:
        """Whether all that is due is done; None if the database is in trouble: all of it may be done again."""
        try:
            # After a restore nobody says anything before this.
            await self.recovery.run()
            self.storage.wake, self.storage.settle = self._wake, self._settle
            async with self.storage.unit() as uow:
                await admit_coordinators(Office(uow, self.region))
            is_done = await self.schedule.tick()
            self.session.wake_reception = self.reception.wake
            await self._resume()
        except Exception as fault:
            if not is_trouble(fault):
                raise
            return None
        return is_done

    async def _resume(self) -> None:
        """Wake whatever has work in the database: left by a process that ended, or woken for in vain."""
        async with self.storage.reading() as uow:
            handling, working = await uow.inbox.rooms_with_work(), await uow.rooms.unsettled()
        for matrix_id in handling:
            self.reception.wake(matrix_id)
        self._settle(frozenset(working))
        self._wake(frozenset(working))

    def _settle(self, rooms: frozenset[str]) -> None:
        for room_id in rooms:
            self.rooms.wake(room_id)

    def _wake(self, rooms: frozenset[str]) -> None:
        for room_id in rooms:
            self.delivery.wake(room_id)

    async def _stop(self, tasks: Sequence[asyncio.Task[object]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_WITHIN_S)
        await self.schedule.stop()
        await self.reception.stop()
        await self.rooms.stop()
        await self.delivery.stop()

    async def _ready(self, due_work_done: asyncio.Event) -> bool:
        if not due_work_done.is_set() or not self.watch.is_well:
            return False
        try:
            async with self.storage.reading() as uow:
                return all([await self._has_desk(uow, user_id) for user_id in self.region.coordinators])
        except Exception as fault:
            if not is_trouble(fault):
                raise
            return False

    async def _has_desk(self, uow: UnitOfWork, user_id: str) -> bool:
        desk = await uow.rooms.desk_of(user_id)
        return desk is not None and any(who.user_id == user_id and who.membership != "none" for who in desk.members)

    async def _measure(self) -> None:
        self.metrics.requests.set(self.http.requests)
        if not self.watch.is_well:
            return  # who asks for the alarm must not wait for a database that hangs
        try:
            async with self.storage.reading() as uow:
                self.metrics.inbox.set(await uow.inbox.backlog())
                self.metrics.outbox.set(await uow.outbox.backlog())
        except Exception as fault:
            if not is_trouble(fault):
                raise


@asynccontextmanager
async def compose(config: Config) -> AsyncIterator[Wenk]:
    """All parts, wired; raises the fault of what is missing or wrong: KeysFault, SessionFault, StoreSetBack ..."""
    async with AsyncExitStack() as stack:
        keep_alone = await stack.enter_async_context(only_one(config.storage))
        keys = Keys.load(config.storage.keys_file)
        account = Account.load(session_file(config))
        journal = Journal.open(config.storage.journal_file)
        storage = await Storage.open(config.storage.url, Vault(keys), journal=journal)
        stack.push_async_callback(storage.close)
        await storage.begin()
        # Nobody holds a slot while the server is silent, or says to wait: Workers and Session come back to it.
        http = Homeserver(config.matrix.homeserver, account.access_token, patience_s=0)
        stack.push_async_callback(http.close)
        http.on_soft_logout = stay_logged_in(http, account, session_file(config), lambda: password(config))
        own_user, region, metrics = account.user_id, config.region, Metrics()
        watch = Watch(storage, region, metrics)
        stack.push_async_callback(watch.stop)
        async with storage.reading() as uow:
            mark = await uow.inbox.store_mark()
        refuse_set_back(own_user, account.device_id, config.storage.data_dir, mark)
        machine = Machine.open(own_user, account.device_id, config.storage.data_dir, keys.crypto_store)
        stack.callback(machine.close)
        identities = Identities(http, machine, StoredPins(storage))
        session = Session(http, machine, identities, storage, region, account, metrics)
        lookout = Lookout(http, own_user)
        trust = Trust(lookout, identities)
        clocks = Clocks(http, storage.clock, metrics)
        handling = Reception(storage, trust, clocks, region, metrics)
        sending = Delivery(http, lookout, machine, identities, storage, region, metrics)
        making = Reconciler(http, storage, region, own_user, metrics)
        recovery = Recovery(http, storage, making, region, own_user, metrics)

        def fault(part: str) -> None:
            metrics.faults.labels(part=part).inc()

        reception = Workers("reception", handling.step, fatal=_FATAL, on_fault=fault)
        delivery = Workers("delivery", sending.step, fatal=_FATAL, on_fault=fault)
        rooms = Workers("rooms", making.step, fatal=_FATAL, on_fault=fault)
        sending.wake_reconciler = rooms.wake
        sending.heard_until = lambda: session.heard_until
        sending.quiet_s = lambda: min(reception.quiet_s, rooms.quiet_s)
        schedule = Schedule(clocks, storage, region, metrics, timedelta(days=config.storage.backup_days))
        schedule.daily = machine.forget_old_keys
        session.after_batch = schedule.nudge

        def hold() -> None:
            for part in (reception, delivery, rooms):
                part.hold()

        def go_on() -> None:
            for part in (reception, delivery, rooms):
                part.go_on()

        session.server_is_silent, session.server_answers = hold, go_on
        session.heard, session.moved = trust.heard, lookout.forget

        async def answered() -> None:
            await reception.idle()
            await delivery.idle()
            await rooms.idle()

        session.answered = answered

        def recovered() -> None:
            session.again()
            schedule.at_once()

        watch.on_recovery = recovered
        wenk = Wenk(
            keep_alone, storage, watch, region, http, session, recovery, schedule, metrics, reception, delivery, rooms,
            config.web.address,
        )  # fmt: skip
        yield wenk


async def run(config: Config) -> None:
    """The bot, until SIGTERM or SIGINT; raises LoggedOut when the homeserver has ended its session."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with compose(config) as wenk:
        await wenk.run(stop)


def session_file(config: Config) -> Path:
    """Where the login is kept."""
    return config.storage.data_dir / "session.json"


def password(config: Config) -> str:
    """The bot's password, as the administrator wrote it down."""
    return config.matrix.password_file.read_text(encoding="utf-8").strip()


@asynccontextmanager
async def only_one(store: Store) -> AsyncIterator[Keep]:
    """Hold the data directory and the database, as `alone` does; raises AlreadyRunning."""
    make_directory(store.data_dir)
    with locked(store.data_dir / "lock"):
        async with alone(store.url) as keep:
            yield keep
