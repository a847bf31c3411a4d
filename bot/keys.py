"""`wenk keys`: new keys in the place of old ones, and old ones destroyed.

It writes the keys file. To the database writes who holds it: the running bot, which takes the file into use within a
minute (bot/rotation.py), or, if none runs, this process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bot.app import only_one
from bot.config import Config
from domain.calendar import day_of
from handlers.rotation import bring_under_current_keys
from storage.alone import AlreadyRunning
from storage.database import Storage, system_clock
from storage.journal import Journal
from storage.keys import Keys, KeysFault, changing
from storage.vault import Vault

_LOOK_EVERY_S: Final = 1.0


async def rotate(config: Config, console: Console, *, master: bool, tag: bool) -> None:
    """New keys, and everything under them when this returns; or go on with what is not finished.

    Ended at any moment it may be run again. Raises KeysFault, DatabaseFault, JournalFault.
    """
    path = config.storage.keys_file
    with changing(path):
        keys = Keys.load(path)
        async with _reading(config, keys) as storage:
            is_new = not await _is_under_way(storage)
            if is_new:
                keys = _with_new(keys, master=master, tag=tag)
                keys.save()
    if is_new:
        console.print(f"new keys are in {path}: back that file up now, for without it the database cannot be read:")
        console.print("    wenk backup --keys -c FILE DEST")
    else:
        console.print("what is under older keys is not all under the current ones yet: this goes on, without new keys")
    await _finish(config, console)
    with changing(path):
        keys = Keys.load(path).without_old_tags()
        keys.save()
    console.print("finished: everything is under the current keys")
    if not is_new:
        console.print("run this again if you want new keys as well")
    if old := _old_masters(keys):
        console.print(
            f"older master keys are kept ({old}), so that older backups can be restored; once they need not be:"
        )
        console.print("    wenk keys destroy -c FILE VERSION")


async def destroy(config: Config, console: Console, version: int) -> None:
    """Take an old master key out of the keys file. Raises KeysFault while anything needs it."""
    path = config.storage.keys_file
    with changing(path):
        keys = Keys.load(path)
        if version not in keys.master:
            there = ", ".join(map(str, sorted(keys.master)))
            raise KeysFault(f"there is no master key {version}; there are: {there}")
        if version == keys.current_master:
            raise KeysFault(f"master key {version} is the current one: first `wenk keys rotate`")
        # If no bot runs: none starts meanwhile, and we write the audit log.
        async with _holding(config, keys) as held:
            async with _reading(config, keys) as storage, storage.reading() as uow:
                under, finished = await uow.rotation.under(version), await uow.rotation.is_finished()
            if under:
                msg = f"{under} rows can be read with master key {version} only: run `wenk keys rotate` to its end"
                raise KeysFault(msg)
            if not finished:
                raise KeysFault("the current keys are not in use for everything yet: run `wenk keys rotate` first")
            rest = keys.without_master(version)
            rest.save()
            if held is not None:
                await held.take(rest)
                async with held.unit() as uow:
                    await uow.rotation.begin()
    console.print(f"master key {version} is destroyed here: no backup from its time can be restored any more")
    console.print(f"destroy it also in all copies of {path}, and back that file up anew:")
    console.print("    wenk backup --keys -c FILE DEST")


def _old_masters(keys: Keys) -> str:
    return ", ".join(f"version {version}" for version in sorted(keys.master) if version != keys.current_master)


async def _is_under_way(storage: Storage) -> bool:
    """Whether something is to be brought to its end before there are new keys again."""
    if len(storage.keys.tag) > 1:
        return True
    async with storage.reading() as uow:
        finished = await uow.rotation.is_finished()
        return bool((await uow.rotation.left()).all) if finished is None else not finished


def _with_new(keys: Keys, *, master: bool, tag: bool) -> Keys:
    if master:
        keys = keys.with_new_master(max(keys.master) + 1, day_of(system_clock()))
    if tag:
        keys = keys.with_new_tag(max(keys.tag) + 1)
    return keys


async def _finish(config: Config, console: Console) -> None:
    """Until everything is under the current keys: we do it, or we watch who does."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    keys = Keys.load(config.storage.keys_file)
    with Progress(*columns, console=console) as progress:
        shown = progress.add_task("under the new keys", total=None)
        async with _reading(config, keys) as storage:
            total = 0
            while True:
                async with storage.reading() as uow:
                    left, finished = await uow.rotation.left(), await uow.rotation.is_finished()
                total = max(total, left.all)
                progress.update(shown, total=total, completed=total - left.all)
                if finished:
                    return
                async with _holding(config, keys) as held:
                    if held is None:
                        await asyncio.sleep(_LOOK_EVERY_S)
                    else:
                        await _do_it(held, progress, shown)


async def _do_it(storage: Storage, progress: Progress, shown: TaskID) -> None:
    async with storage.unit() as uow:
        await uow.rotation.begin()
    damaged = 0
    async for batch in bring_under_current_keys(storage):
        progress.advance(shown, batch.done)
        damaged += batch.damaged
    async with storage.unit() as uow:
        finished = await uow.rotation.finish()
    if not finished:
        msg = f"{damaged} rows do not open, and stay under older keys; everything else is under the current ones"
        raise KeysFault(msg)


@asynccontextmanager
async def _reading(config: Config, keys: Keys) -> AsyncIterator[Storage]:
    """The database beside whoever writes to it."""
    storage = await Storage.open(config.storage.url, Vault(keys))
    try:
        yield storage
    finally:
        await storage.close()


@asynccontextmanager
async def _holding(config: Config, keys: Keys) -> AsyncIterator[Storage | None]:
    """The database to write to, if nobody else holds it; else None."""
    async with AsyncExitStack() as stack:
        held: Storage | None = None
        with suppress(AlreadyRunning):
            await stack.enter_async_context(only_one(config.storage))
            journal = Journal.open(config.storage.journal_file)
            held = await Storage.open(config.storage.url, Vault(keys), journal=journal)
            stack.push_async_callback(held.close)
            await held.begin()
        yield held
