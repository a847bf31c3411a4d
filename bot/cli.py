"""The command line: `wenk`, also `python -m bot`."""

import argparse
import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from sqlalchemy.exc import DBAPIError

from bot.admin import AdminFault
from bot.app import run
from bot.config import Config, ConfigFault, load
from bot.crosssigning import ForeignIdentity, SignatureRefused
from bot.doctor import examine
from bot.evaluate import EvaluateFault, evaluate
from bot.http import LoggedOut, MatrixError, Unreachable
from bot.init import init
from bot.keys import destroy, rotate
from bot.login import SessionFault
from bot.restore import restore
from bot.store import StoreFailed, StoreInUse, StoreSealed, StoreSetBack
from handlers.sweep import count_due
from storage.alone import AlreadyRunning
from storage.backup import BackupFault, back_up, back_up_keys
from storage.database import Storage, system_clock
from storage.engine import DatabaseFault
from storage.journal import JournalFault
from storage.keys import Keys, KeysFault
from storage.trouble import explain
from storage.vault import Vault

FAULTS = (
    AdminFault, AlreadyRunning, BackupFault, ConfigFault, DBAPIError, DatabaseFault, EvaluateFault, ForeignIdentity,
    JournalFault, KeysFault, MatrixError, OSError, SessionFault, SignatureRefused, StoreFailed, StoreInUse, StoreSealed,
    Unreachable,
)  # fmt: skip
"""What an administrator can do something about: one line, no trace."""
EXIT_FAULT = 1
EXIT_INTERNAL = 70
EXIT_INIT_FIRST = 78
"""EX_CONFIG: a supervisor must not start it again; `wenk init` must be run first."""


def main() -> None:
    """Read the arguments, do it, and exit with 0, or with another number and a line on stderr."""
    # The database and the crypto store are nobody else's to read.
    os.umask(0o077)
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # nio and APScheduler tell of every session and tick; peewee of every statement.
    for chatty in ("nio", "apscheduler", "peewee", "alembic"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        sys.exit(asyncio.run(arguments.act(arguments)))
    except (LoggedOut, StoreSetBack) as fault:
        print(f"wenk: {fault}", file=sys.stderr)
        sys.exit(EXIT_INIT_FIRST)
    except FAULTS as fault:
        print(f"wenk: {_in_words(fault)}", file=sys.stderr)
        sys.exit(EXIT_FAULT)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as fault:  # noqa: BLE001 (the last resort: where it happened, never the text, which may hold a name)
        print(f"wenk: internal fault: {type(fault).__name__}", file=sys.stderr)
        print("".join(traceback.format_tb(fault.__traceback__)), file=sys.stderr, end="")
        sys.exit(EXIT_INTERNAL)


def _in_words(fault: BaseException) -> str:
    if isinstance(fault, DBAPIError):
        # The statement and its values are nobody's business.
        return f"the database: {explain(fault)}"
    return str(fault)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wenk", description="The Verwijsindex in a secure chat.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, help_text: str, act: Callable[[argparse.Namespace], Awaitable[int]]
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text, description=help_text)
        added.set_defaults(act=act)
        return added

    def with_config(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("-c", "--config", type=Path, required=True, metavar="FILE", help="the config file (TOML)")
        return added

    shown = command("demo", "play the whole story on a homeserver of its own", _demo)
    shown.add_argument("--keep", action="store_true", help="leave it running, and print the URL and the passwords")
    with_config(command("init", "make keys, database, login and cross-signing; safe to run again", _init))
    with_config(command("run", "run the bot", _run))
    with_config(command("doctor", "check everything; exit 1 with what to do", _doctor))
    sweep = with_config(command("sweep", "show what is due now, as counts", _sweep))
    sweep.add_argument(
        "--dry-run", action="store_true", required=True, help="change nothing (a running bot does what is due)"
    )
    saved = with_config(command("backup", "copy the database, or the keys, while the bot runs", _backup))
    saved.add_argument("--keys", action="store_true", help="the keys file only, to be kept apart from the database")
    saved.add_argument("destination", type=Path, metavar="DEST", help="a file that is not there yet")
    _keys_commands(command("keys", "new keys instead of the old ones", _keys), with_config)
    brought = with_config(
        command("restore", "load a backup of the database, erase again what was erased since; a new device", _restore)
    )
    brought.add_argument("backup", type=Path, metavar="BACKUP", help="what `wenk backup` made")
    tried = command("evaluate", "try the matcher on two CSV files: which rows are about one child", _evaluate)
    tried.add_argument("register", type=Path, metavar="REGISTER.csv", help="whom is known")
    tried.add_argument("new", type=Path, metavar="NEW.csv", help="whom to find among them; the same columns")
    tried.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.csv", help="the matches")
    tried.add_argument(
        "--without-twin-guard", action="store_true", help="lift every guard: score and threshold alone, to compare"
    )
    return parser


def _keys_commands(
    keys: argparse.ArgumentParser, with_config: Callable[[argparse.ArgumentParser], argparse.ArgumentParser]
) -> None:
    whats = keys.add_subparsers(required=True, metavar="WHAT", dest="what")
    text = "make new keys, and bring everything under them while the bot runs; run again, it goes on where it was"
    rotated = with_config(whats.add_parser("rotate", help=text, description=text))
    which = rotated.add_mutually_exclusive_group()
    which.add_argument("--master", action="store_true", help="the master key only")
    which.add_argument("--tag", action="store_true", help="the tag key only")
    text = "destroy an old master key, and with it all backups from before it was replaced"
    ended = with_config(whats.add_parser("destroy", help=text, description=text))
    ended.add_argument("version", type=int, metavar="VERSION", help="its number; `wenk doctor` names those there are")


async def _keys(arguments: argparse.Namespace) -> int:
    config, console = load(arguments.config), Console(highlight=False, soft_wrap=True)
    if arguments.what == "rotate":
        await rotate(config, console, master=not arguments.tag, tag=not arguments.master)
    else:
        await destroy(config, console, arguments.version)
    return 0


async def _demo(arguments: argparse.Namespace) -> int:
    # Whoever runs the bot needs nothing of the demo.
    from bot.demo.stage import BotFailed  # noqa: PLC0415 (as said)
    from bot.demo.story import demo  # noqa: PLC0415
    from bot.demo.synapse import SynapseFailed, SynapseMissing  # noqa: PLC0415

    try:
        return await demo(keep=arguments.keep)
    except (BotFailed, SynapseFailed, SynapseMissing) as fault:
        print(f"wenk: {fault}", file=sys.stderr)
        return EXIT_FAULT


async def _init(arguments: argparse.Namespace) -> int:
    await init(load(arguments.config), print)
    return 0


async def _run(arguments: argparse.Namespace) -> int:
    await run(load(arguments.config))
    return 0


async def _doctor(arguments: argparse.Namespace) -> int:
    return await examine(arguments.config)


async def _backup(arguments: argparse.Namespace) -> int:
    store = load(arguments.config).storage
    if arguments.keys:
        back_up_keys(store.keys_file, arguments.destination)
        print(f"the keys are in {arguments.destination}: keep them apart from every copy of the database")
    else:
        await back_up(store.url, arguments.destination, system_clock())
        print(f"the database is in {arguments.destination}: destroy it after {store.backup_days} days")
    return 0


async def _restore(arguments: argparse.Namespace) -> int:
    await restore(load(arguments.config), arguments.backup, print)
    return 0


async def _evaluate(arguments: argparse.Namespace) -> int:
    evaluate(
        arguments.register,
        arguments.new,
        arguments.output,
        guarded=not arguments.without_twin_guard,
        console=Console(stderr=True),
    )
    return 0


async def _sweep(arguments: argparse.Namespace) -> int:
    config: Config = load(arguments.config)
    storage = await Storage.open(config.storage.url, Vault(Keys.load(config.storage.keys_file)))
    try:
        for what, count in (await count_due(storage)).items():
            print(f"{what} {count}")
    finally:
        await storage.close()
    return 0
