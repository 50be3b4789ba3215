"""Who may do what: grants on customers by filter, and the filters themselves. Pure values.

grant    a user, or a group of users; a filter of customers; and one of three accesses, each with those before it
read     SYNC, SCOPES, STATS and LEDGER; without it a scope is as unknown as one that is not there
write    APPLY, new volumes included; and RUN, for whoever may write anywhere
alter    APPLY to what is locked, too (only an administrator may); the `server` command needs no grant,
         because whoever owns the store's file may do everything

That the accesses contain each other is ours. A filter has `*` for any characters and `?` for one; several are cut by
commas. Matching takes at most length of filter x length of name steps, both of which are bounded here.
"""

from __future__ import annotations

import re
from enum import Enum, IntEnum
from functools import lru_cache
from typing import NamedTuple

from mailsync.core.model import Scope

LONGEST_FILTER = 64
_FILTER = re.compile(r"[A-Za-z0-9*?,-]{1,64}\Z", re.ASCII)
USER_KIND, GROUP_KIND = "user", "group"


class Access(IntEnum):
    """What a grant allows; each includes those below it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ALTER = 3


class Grant(NamedTuple):
    """What a holder, a user or (`kind` is `group`) a group of users, may do with the customers a filter names."""

    kind: str
    holder: str
    customers: str
    access: Access

    def __str__(self) -> str:
        return f"{self.customers}:{self.access.name.lower()}"


class Rights(NamedTuple):
    """A live user's grants, its groups' among them, as of the request's transaction."""

    user: str
    grants: tuple[tuple[str, Access], ...]

    def on(self, scope: Scope) -> Access:
        """The highest access that any of the grants gives."""
        found = (access for customers, access in self.grants if matches(customers, scope.customer))
        return max(found, default=Access.NONE)

    @property
    def somewhere(self) -> Access:
        """The highest access to anything."""
        return max((access for _, access in self.grants), default=Access.NONE)


class Principal(NamedTuple):
    """Who logged on: the user, the id of the connection's key, and when the user was let in (Unix seconds).

    Whoever is let in again by the same name is another, and has another time, in the same second, too: a connection
    of the old one has no rights of the new.
    """

    user: str
    key_id: str
    created: int

    def __str__(self) -> str:
        return f"{self.user}/{self.key_id}"


class Administrator(Enum):
    """Whoever owns the store: the `server` command, and nobody who logged on."""

    ADMINISTRATOR = "administrator"


ADMINISTRATOR = Administrator.ADMINISTRATOR
Asker = Principal | Administrator  # who asks: somebody who logged on, or, said in so many words, the administrator
EVERYTHING = Rights("", (("*", Access.ALTER),))


def parse_grant(text: str) -> tuple[str, Access] | None:
    """The filter and the access of `US*:write`, None when the text is not one."""
    customers, _, access = text.rpartition(":")
    found = access_named(access)
    return (customers, found) if is_filter(customers) and found else None


def access_named(text: str) -> Access:
    """The access called read, write or alter; NONE for another text."""
    return {one.name.lower(): one for one in Access}.get(text, Access.NONE) if text != "none" else Access.NONE


def is_filter(text: str) -> bool:
    """True for 1 to 64 of letters, digits, hyphen, `*`, `?`, and commas between filters."""
    return _FILTER.match(text) is not None and all(text.split(","))


@lru_cache(maxsize=4096)
def matches(filters: str, name: str) -> bool:
    """True when one of the filters names the whole of `name`; letters differ in case."""
    return any(_matches(one, name) for one in filters.split(","))


def _matches(pattern: str, name: str) -> bool:
    # The last star takes one character more whenever the rest does not fit: no other choice need be undone.
    at = place = resumed = 0
    star = -1
    while place < len(name):
        sign = pattern[at] if at < len(pattern) else ""
        if sign == "*":
            star, resumed = at, place
            at += 1
        elif sign in ("?", name[place]):
            at += 1
            place += 1
        elif star >= 0:
            resumed += 1
            at, place = star + 1, resumed
        else:
            return False
    return not pattern[at:].strip("*")
