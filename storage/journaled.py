"""What the database knows of the journal of erasures: which one it is, and how far it was."""

from sqlalchemy import select

from storage.journal import Mark
from storage.schema import journal
from storage.session import Repository


class Journaled(Repository):
    """The journal's mark at the last commit that erased something."""

    async def mark(self) -> Mark | None:
        """None: there was never a journal."""
        row = await self._s.one(select(journal.c.journal, journal.c.seq, journal.c.link))
        return Mark(row.journal, row.seq, row.link) if row else None

    async def reached(self, mark: Mark) -> None:
        """From this commit on all lines up to the mark are settled."""
        await self._s.put(journal, {"id": 1, "journal": mark.journal, "seq": mark.seq, "link": mark.link})
