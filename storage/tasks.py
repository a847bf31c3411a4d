"""What is done once a day, and was done."""

from sqlalchemy import select

from storage.schema import daily
from storage.session import REGION, Repository


class Tasks(Repository):
    """Daily tasks, claimed in the unit of work that does them."""

    async def pending_today(self, task: str) -> bool:
        # Not "earlier than": a clock that was years ahead for a while would silence the task for so long.
        return bool(await self._s.value(select(daily.c.day).where(daily.c.task == task)) != self._s.today)

    async def claim_today(self, task: str) -> bool:
        """True once a day: do it in this unit of work."""
        if not await self.pending_today(task):
            return False
        await self._s.put(daily, {"region_id": REGION, "task": task, "day": self._s.today})
        return True
