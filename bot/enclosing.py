"""What goes with a card: the document is made, encrypted and put on the server before the card itself is sent.

From then on the card is one like others, with the document's address and key in it, kept sealed as they all are: so
however often the process ends, one document belongs to a card, and the card is sent once. What was uploaded and not
written down is ciphertext whose key is nowhere.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from nio.crypto.attachments import encrypt_attachment

from bot.http import Homeserver
from bot.leaflet import make_pdf
from handlers.leaflet import Leaflet
from storage.database import Storage
from storage.outbox import ENCLOSE, Letter

log = logging.getLogger(__name__)

_UPLOAD: Final = "/_matrix/media/v3/upload"

Purge = Callable[[str], Awaitable[None]]
"""Has the server delete what is at an address (`mxc://...`)."""


async def keep(_document: str) -> None:
    """Nobody may delete anything: it stays on the server, as ciphertext whose key is gone with its card."""


class Enclosing:
    """Makes what is to go with a card, and has it purged when its card is redacted."""

    def __init__(self, http: Homeserver, storage: Storage, purge: Purge) -> None:
        self._http = http
        self._storage = storage
        self.purge = purge

    async def enclose(self, letter: Letter) -> None:
        """Make the document of a card that waits. Raises CannotSet, or MatrixError if the server refuses it."""
        content = dict(letter.content or {})
        pdf = await asyncio.to_thread(make_pdf, msgspec.convert(content.pop(ENCLOSE), Leaflet))
        sealed, keys = encrypt_attachment(pdf)
        document = str((await self._http.request("POST", _UPLOAD, body=sealed))["content_uri"])
        file: dict[str, Any] = keys | {"url": document}
        content |= {"file": file, "info": {"mimetype": "application/pdf", "size": len(pdf)}}
        async with self._storage.unit() as uow:
            await uow.outbox.enclosed(letter.id, content, document)
