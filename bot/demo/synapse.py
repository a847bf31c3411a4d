"""A real homeserver on loopback: Synapse from PyPI with SQLite, for the demo, the tests and the bench."""

import asyncio
import hashlib
import hmac
import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiohttp

SERVER_NAME: Final = "localhost"
HOST: Final = "127.0.0.1"

READY_WITHIN_S: Final = 120  # 3 to 4 s on an idle machine; a busy one gets its time
STOPPED_WITHIN_S: Final = 20
POLL_S: Final = 0.05

# Synapse lives no longer than the process that started it, however that one ends: its standard input closes then.
GUARDED: Final = """
import os, runpy, signal, threading

def watch():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=watch, daemon=True).start()
runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)
"""

_UNLIMITED: Final = {"per_second": 10_000, "burst_count": 10_000}
_GENEROUS: Final[Mapping[str, Any]] = {
    "rc_message": _UNLIMITED,
    "rc_registration": _UNLIMITED,
    "rc_login": {"address": _UNLIMITED, "account": _UNLIMITED, "failed_attempts": _UNLIMITED},
    "rc_admin_redaction": _UNLIMITED,
    "rc_joins": {"local": _UNLIMITED, "remote": _UNLIMITED},
    "rc_joins_per_room": _UNLIMITED,
    "rc_invites": {"per_room": _UNLIMITED, "per_user": _UNLIMITED, "per_issuer": _UNLIMITED},
    "rc_room_creation": _UNLIMITED,
}


class SynapseMissing(Exception):
    """Synapse is not installed here: pip install 'wenk[demo]'."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class SynapseFailed(Exception):
    """The homeserver ended or did not answer; its log says why."""

    def __init__(self, what: str, log_path: Path) -> None:
        super().__init__(f"{what}; see {log_path}")


class LocalSynapse:
    """One homeserver in one directory, without federation, presence and key servers.

    It belongs to no event loop: started in one, it can be used and stopped in another.

    Attributes:
        url: base URL for clients; the port is chosen once and survives `restart`.
        log_path: Synapse's own log (kept in the directory).
    """

    def __init__(
        self,
        directory: Path,
        *,
        limits: Literal["default", "generous"] = "default",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a homeserver.

        Args:
            directory: where everything it writes goes; made when missing.
            limits: `default` keeps Synapse's own rate limits, `generous` lifts them.
            env: added to the process's environment (LD_PRELOAD of an outside clock, say).
        """
        if importlib.util.find_spec("synapse") is None:
            raise SynapseMissing
        self.directory = directory.absolute()
        self.log_path = self.directory / "homeserver.log"
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._limits = limits
        self._env = dict(env or {})
        self._secret = secrets.token_urlsafe(32)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it is started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start and return when it answers; raises `SynapseFailed`, with nothing left running."""
        self._write_config()
        with (self.directory / "console.log").open("ab") as console:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - forking takes 1 ms; our own interpreter and code
                [sys.executable, "-c", GUARDED, "--config-path", "homeserver.yaml"],
                cwd=self.directory,
                env={**os.environ, **self._env},
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
        try:
            await self._ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop it with all of its children, gently first; harmless when it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process, signal.SIGTERM)
        try:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, STOPPED_WITHIN_S)
        finally:
            if process.poll() is None:
                _signal_group(process, signal.SIGKILL)
            process.wait()
            if process.stdin:
                process.stdin.close()

    async def restart(self, env: Mapping[str, str] | None = None) -> None:
        """Stop and start on the same port and data; `env` replaces the one given before."""
        await self.stop()
        if env is not None:
            self._env = dict(env)
        await self.start()

    async def register(self, localpart: str, password: str, *, admin: bool = False) -> str:
        """Make an account without any device and return its user id."""
        address = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as session:
            async with session.get(address) as answer:
                nonce = (await answer.json())["nonce"]
            said = "\0".join([nonce, localpart, password, "admin" if admin else "notadmin"])
            body = {
                "nonce": nonce,
                "username": localpart,
                "password": password,
                "admin": admin,
                "inhibit_login": True,
                "mac": hmac.new(self._secret.encode(), said.encode(), hashlib.sha1).hexdigest(),
            }
            async with session.post(address, json=body) as answer:
                result = await answer.json()
        if "user_id" not in result:
            raise SynapseFailed(f"registration answered {result.get('errcode')}", self.log_path)
        return str(result["user_id"])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _ready(self, process: subprocess.Popen[bytes]) -> None:
        async with asyncio.timeout(READY_WITHIN_S), aiohttp.ClientSession() as session:
            while process.poll() is None:
                try:
                    async with session.get(f"{self.url}/health") as answer:
                        if answer.ok:
                            return
                except aiohttp.ClientConnectionError:
                    pass  # not listening yet
                await asyncio.sleep(POLL_S)
        raise SynapseFailed(f"homeserver ended with {process.returncode}", self.directory / "console.log")

    def _write_config(self) -> None:
        """Write what Synapse reads at start; JSON is YAML."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = self.directory / "signing.key"
        if not key.exists():
            seed = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            _write_secret(key, f"ed25519 a_wenk {seed}\n")
        _write_secret(self.directory / "log.yaml", json.dumps(self._log_config()))
        _write_secret(self.directory / "homeserver.yaml", json.dumps(self._config(key), indent=1))

    def _config(self, key: Path) -> dict[str, Any]:
        listener = {
            "type": "http",
            "port": self.port,
            "bind_addresses": [HOST],
            "resources": [{"names": ["client"], "compress": False}],
        }
        return {
            "server_name": SERVER_NAME,
            "public_baseurl": f"{self.url}/",
            "listeners": [listener],
            "database": {"name": "sqlite3", "args": {"database": str(self.directory / "homeserver.db")}},
            "pid_file": str(self.directory / "homeserver.pid"),
            "log_config": str(self.directory / "log.yaml"),
            "media_store_path": str(self.directory / "media"),
            "signing_key_path": str(key),
            "registration_shared_secret": self._secret,
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "bcrypt_rounds": 4,  # accounts that live for minutes
            "report_stats": False,
            "presence": {"enabled": False},
            "federation_domain_whitelist": [],
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            **(_GENEROUS if self._limits == "generous" else {}),
        }

    def _log_config(self) -> dict[str, Any]:
        return {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(request)s %(message)s"}},
            "handlers": {"file": {"class": "logging.FileHandler", "filename": self.log_path.name, "formatter": "line"}},
            "root": {"level": "INFO", "handlers": ["file"]},
        }


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it and its children are gone
        os.killpg(process.pid, number)
