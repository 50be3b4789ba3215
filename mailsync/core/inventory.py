"""Lists that say where volumes are: what is missing from them, what nobody expects in them, what may be believed.

An inventory lists everything in one repository; a list that confirms was made by scanning. Both say where a volume
*is*, which is no wish: such a row calls no move off. Per row, by where the server says the volume should be and is:

    it should be              it is held to be     the row means
    where it was seen         anywhere             nothing; confirmed there if the list confirms and it is not yet
    elsewhere                 where it was seen    it has not left yet: counted in a note
    elsewhere                 elsewhere            unexpected: an alert, which says where it should be

Per volume that should be in the inventory's repository, is there as far as the server knows, and is not listed:

    a row that is a problem names it                              nothing: it is listed
    the list may not be whole (a total that does not agree, ...)  counted in a note that says why, no alert
    otherwise                                                     missing: an alert

A volume that is still on its way to the repository, or to leave it, is neither missing nor unexpected. A scope of
which no row of the mail speaks is not looked at: nothing says that the list would have spoken of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mailsync.core.model import Origin, Place, Problem, Records, Value

MOST_ALERTS = 1_000


class Listing(NamedTuple):
    """What the rows of an attachment say beside their fields.

    `inventory_of` is the repository that they list everything in, `confirms` means that a listed volume was scanned.
    """

    inventory_of: str = ""
    confirms: bool = False

    def seen(self, said: Value) -> str:
        """Where a row that says this repository (or none) saw its volume; empty when it says no such thing."""
        if self.confirms:
            return said or self.inventory_of
        return self.inventory_of if not said or said == self.inventory_of else ""


class Lists(NamedTuple):
    """The lists of a mail, by attachment, and how far they are to be believed in one scope.

    `doubts` says, by repository, why its inventory may not be whole. `named` are volumes that no record is of, because
    their rows are problems.
    """

    by_attachment: Mapping[str, Listing] = {}
    doubts: Mapping[str, tuple[str, ...]] = {}
    named: frozenset[str] = frozenset()


class Watch:
    """The lists beside one scope's volumes: asked for each of them once, ascending."""

    def __init__(self, records: Records, repositories: Mapping[str, object], lists: Lists) -> None:
        self.alerts: list[Problem] = []
        self.more_alerts = 0
        self._scope = records.scope
        self._lists = lists
        self._unknown: dict[str, Place] = {}
        self._places: dict[str, Place] = {}
        self._unlisted: Counter[str] = Counter()
        self._leaving: Counter[tuple[str, str]] = Counter()
        self._listings = [self._known(lists.by_attachment, place, repositories) for place in records.places]

    @property
    def idle(self) -> bool:
        """True when no row says where its volume is."""
        return not any(map(any, self._listings))

    @property
    def inventories(self) -> bool:
        """True when what is not listed means something."""
        return bool(self._places)

    def listing(self, which: int) -> Listing:
        """What the rows of this place of the records say."""
        return self._listings[which]

    def leaves(self, seen: str, target: str) -> None:
        """Notes a volume that was seen where it is to leave."""
        self._leaving[seen, target] += 1

    def unexpected(self, volume: str, seen: str, target: str, origin: Origin) -> None:
        """Alerts of a volume that was seen where it should not be."""
        should = f"it should be in {target}" if target else "it should be nowhere"
        self._alert(Problem(origin, f"volume {self._scope}.{volume} is unexpected in {seen}: {should}"))

    def unlisted(self, volume: str, *, target: str, current: str) -> None:
        """Alerts of a volume that no row speaks of, if it should be in an inventory."""
        place = self._places.get(target)
        if place is None or (current or target) != target or volume in self._lists.named:
            return
        if self._lists.doubts.get(target):
            self._unlisted[target] += 1
            return
        text = f"volume {self._scope}.{volume} is missing: it should be in {target} and is not listed"
        self._alert(Problem(Origin(*place), text))

    def notes(self) -> Iterable[Problem]:
        """What is to be known of the lists beside the alerts."""
        for repository, place in sorted(self._unknown.items()):
            text = (
                f"{self._scope} has no repository {repository}, which the list is an inventory of: it is not one there"
            )
            yield Problem(Origin(*place), text, "correct inventory_of in the definition")
        for repository, count in sorted(self._unlisted.items()):
            why = "; ".join(self._lists.doubts[repository])
            text = f"{count} of {self._scope} should be in {repository} and are not listed, which is no alert: {why}"
            yield Problem(Origin(*self._places[repository]), text, "send the whole list again")
        for (seen, target), count in sorted(self._leaving.items()):
            yield Problem(
                Origin(), f"{count} of {self._scope} listed in {seen} are yet to move to {target or 'nowhere'}"
            )

    def _alert(self, alert: Problem) -> None:
        if len(self.alerts) < MOST_ALERTS:
            self.alerts.append(alert)
        else:
            self.more_alerts += 1

    def _known(self, listings: Mapping[str, Listing], place: Place, repositories: Mapping[str, object]) -> Listing:
        """The place's listing, without an inventory of a repository that the scope does not have."""
        listing = listings.get(place.attachment, Listing())
        if listing.inventory_of and listing.inventory_of not in repositories:
            self._unknown.setdefault(listing.inventory_of, place)
            return listing._replace(inventory_of="")
        if listing.inventory_of:
            self._places.setdefault(listing.inventory_of, place)
        return listing


def joined_doubts(reasons: Sequence[str]) -> tuple[str, ...]:
    """The first reasons, and how many more there are: a note is to be read."""
    return (*reasons[:3], *([f"and {len(reasons) - 3} more"] if len(reasons) > 3 else []))
