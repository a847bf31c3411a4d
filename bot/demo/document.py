"""A document that came with a card, as whoever opens it has it: downloaded, checked, decrypted, read."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import aiohttp
from nio.crypto.attachments import decrypt_attachment

from bot.demo.person import Person

_DOWNLOAD: Final = "/_matrix/client/v1/media/download/"
_MXC: Final = "mxc://"


@dataclass(frozen=True, slots=True)
class Printed:
    """What stands in a PDF: its words with single spaces between them, and the language that it says it is in."""

    pages: int
    language: str
    text: str

    @classmethod
    def of(cls, pdf: bytes) -> Self:
        """Read it; raises pypdf's errors for what is no PDF."""
        from pypdf import PdfReader  # noqa: PLC0415 (of wenk[demo], whose absence is told when the stage is made)

        reader = PdfReader(io.BytesIO(pdf))
        root: Any = reader.trailer["/Root"]
        text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
        return cls(len(reader.pages), str(root["/Lang"]), text)


async def download(person: Person, file: Mapping[str, Any]) -> tuple[int, bytes]:
    """What the homeserver has of a card's `file`: the status of its answer, and ciphertext."""
    address = person.url + _DOWNLOAD + file["url"].removeprefix(_MXC)
    headers = {"Authorization": f"Bearer {person.http.access_token}"}
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        return answer.status, await answer.read()


def decrypt(file: Mapping[str, Any], ciphertext: bytes) -> bytes:
    """As a client does it, by the specification; raises nio.EncryptionError if it is not what was put there."""
    opened: bytes = decrypt_attachment(ciphertext, file["key"]["k"], file["hashes"]["sha256"], file["iv"])
    return opened
