"""What a region may choose, within the law; every default is the strictest reading (DOMAIN.md)."""

from dataclasses import dataclass
from typing import Literal

from domain.life import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The choices of one region.

    `coordinators` are the Matrix ids of the first ones; the reviews of shielded children are for
    `shielded_coordinator` alone, who is the first of them unless another is named. Terms in years or days; `daily_cap`
    in signals per professional and day; `card_minutes`: how long the bot's own cards that hold a child's data stay
    readable. After `notice_days` a family that was not told is asked about; telling it may be postponed for
    `postpone_days` at a time. `kindcheck`: the region's own questions, a line each.
    The leaflet says who is responsible (`controller`, empty: the executive of `name`) and, a line each, how to reach
    `contact` and the data protection officer; `leaflet_text` are the region's own words in it, a paragraph each.
    """

    name: str
    coordinators: tuple[str, ...]
    shielded_coordinator: str = ""
    language: Literal["nl", "en"] = "nl"
    index_name: str = "Verwijsindex"
    controller: str = ""
    contact: tuple[str, ...] = ()
    privacy_officer: tuple[str, ...] = ()
    leaflet_text: tuple[str, ...] = ()
    basis: Literal["jeugdwet", "toestemming"] = "jeugdwet"
    active_years: int = 2
    erase_years: int = 5
    erase_from: Literal["placed", "inactive"] = "placed"
    remind_days: int = 30
    contact_days: int = 10
    close_days: int = 30
    notice_days: tuple[int, ...] = (3, 14)
    postpone_days: int = 14
    daily_cap: int = 50
    different_organisations: bool = False
    card_minutes: int = 60
    kindcheck: tuple[str, ...] = ()

    @property
    def of_shielded(self) -> str:
        """Whose the reviews of shielded children are."""
        return self.shielded_coordinator or self.coordinators[0]

    @property
    def terms(self) -> Terms:
        return Terms(
            active_years=self.active_years, erase_years=self.erase_years, erase_from=self.erase_from,
            remind_days=self.remind_days,
        )  # fmt: skip
