"""The one place that puts the parts together."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from bot.admin import purge
from bot.audience import Audience
from bot.clocks import Clocks
from bot.config import Config, Store
from bot.crypto import Machine
from bot.delivery import Delivery
from bot.enclosing import Enclosing, Purge, keep
from bot.http import Homeserver, LoggedOut
from bot.identities import Identities, StoredPins
from bot.live import Lookout
from bot.login import Account, stay_logged_in
from bot.metrics import Metrics
from bot.reception import Reception
from bot.recovery import Recovery
from bot.rooms import Reconciler
from bot.rotation import Rotation
from bot.running import Wenk
from bot.schedule import Schedule
from bot.session import Session
from bot.store import StoreFailed, refuse_set_back
from bot.trust import Trust
from bot.watch import Watch
from bot.workers import Crew, Step, Workers
from storage.alone import Keep, alone, locked
from storage.database import Storage
from storage.durable import make_directory
from storage.journal import Journal
from storage.keys import Keys
from storage.vault import Vault

_FATAL = (LoggedOut, StoreFailed)


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
        machine = await _own_device(config, keys, account, storage)
        stack.callback(machine.close)
        identities = Identities(http, machine, StoredPins(storage))
        session = Session(http, machine, identities, storage, region, account, metrics)
        lookout = Lookout(http, own_user)
        trust = Trust(lookout, identities)
        clocks = Clocks(http, storage.clock, metrics)
        handling = Reception(storage, trust, clocks, region, metrics)
        audience = Audience(lookout, identities, storage, region, metrics)
        enclosing = Enclosing(http, storage, purging(config))
        sending = Delivery(http, machine, audience, enclosing, storage, region, metrics)
        making = Reconciler(http, storage, region, own_user, metrics)
        recovery = Recovery(http, storage, making, region, own_user, metrics)
        rotation = Rotation(storage, config.storage.keys_file, metrics)
        schedule = Schedule(clocks, storage, region, metrics, timedelta(days=config.storage.backup_days))

        def workers(name: str, step: Step) -> Workers:
            return Workers(name, step, fatal=_FATAL, on_fault=lambda part: metrics.faults.labels(part=part).inc())

        crew = Crew(
            workers("reception", handling.step), workers("delivery", sending.step), workers("rooms", making.step)
        )
        sending.wake_reconciler = crew.rooms.wake
        sending.heard_until = lambda: session.heard_until
        sending.quiet_s = lambda: crew.quiet_s
        schedule.daily = machine.forget_old_keys
        session.after_batch, session.answered = schedule.nudge, crew.idle
        session.server_is_silent, session.server_answers = crew.hold, crew.go_on
        session.heard, session.moved = trust.heard, lookout.forget

        def recovered() -> None:
            session.again()
            schedule.at_once()

        watch.on_recovery = recovered
        yield Wenk(
            keep_alone, storage, watch, region, http, session, recovery, rotation, schedule, metrics, crew,
            config.web.address,
        )  # fmt: skip


async def _own_device(config: Config, keys: Keys, account: Account, storage: Storage) -> Machine:
    """Our device; raises StoreSetBack if its store is an old copy, before that does any harm."""
    async with storage.reading() as uow:
        mark = await uow.inbox.store_mark()
    directory = config.storage.data_dir
    refuse_set_back(account.user_id, account.device_id, directory, mark)
    return Machine.open(account.user_id, account.device_id, directory, keys.crypto_store)


async def run(config: Config) -> None:
    """The bot, until SIGTERM or SIGINT; raises LoggedOut when the homeserver has ended its session."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with compose(config) as wenk:
        await wenk.run(stop)


def purging(config: Config) -> Purge:
    """Documents whose card is redacted are deleted on the homeserver, where an administrator's token is to be had."""
    token_file = config.matrix.admin_token_file
    return keep if token_file is None else partial(purge, config, token_file)


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
