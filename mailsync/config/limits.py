"""The limits of a site: bounds on one mail, each a key under `limits`, each with the default of the part it bounds.

The parts declare their limits (mail/headers.py, mail/unpack.py, definition/mapping.py): a name, a default, a reason.
Strategy: every mail reads the site, most mails of a bad day are duplicates, and a duplicate unpacks nothing. So the
names of the later parts' limits are listed here (a test compares them), and their values are made when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from mailsync.definition.document import Section
from mailsync.mail.headers import HeaderLimits

if TYPE_CHECKING:
    from mailsync.definition.mapping import RowLimits
    from mailsync.mail.unpack import UnpackLimits

HEADER_KEYS = ("header_bytes", "header_fields")
UNPACK_KEYS = (
    "parts",
    "part_fields",
    "nesting",
    "depth",
    "mail_lines",
    "mail_unpacked",
    "archive_ratio",
    "archive_members",
    "archive_depth",
    "archive_memory",
)
ROW_KEYS = ("rows", "cells", "cell", "scopes", "problems")
_SIZES = ("header_bytes", "mail_unpacked", "archive_memory")
_MOST = 10**12


class Limits(NamedTuple):
    """Bounds of the work for one mail. `mail_size` is in bytes, `give_up` and `deadline` in seconds.

    `given` are those limits of the later parts that the site sets.
    """

    mail_size: int = 50_000_000
    give_up: int = 86_400  # below the MTA's queue life (Postfix: 5 days), so that somebody is told
    deadline: int = 100  # of one attempt: below procmail's TIMEOUT, and below the 120 s a run is leased for
    headers: HeaderLimits = HeaderLimits()
    given: Mapping[str, int] = {}

    @property
    def unpack(self) -> UnpackLimits:
        """How much a mail may unfold into."""
        from mailsync.mail.unpack import UnpackLimits

        return UnpackLimits(**{name: value for name, value in self.given.items() if name in UNPACK_KEYS})

    @property
    def rows(self) -> RowLimits:
        """How much of one attachment is read and told."""
        from mailsync.definition.mapping import RowLimits

        return RowLimits(**{name: value for name, value in self.given.items() if name in ROW_KEYS})


def read_limits(section: Section) -> Limits:
    """The limits a site sets, and the defaults of the others. Faults are noted in the section's list."""
    usual = Limits()
    limits = Limits(
        mail_size=section.size("mail_size", usual.mail_size),
        give_up=section.duration("give_up", usual.give_up),
        deadline=section.duration("deadline", usual.deadline),
        headers=HeaderLimits(**_given(section, HEADER_KEYS)),
        given=_given(section, UNPACK_KEYS + ROW_KEYS),
    )
    section.finish("limits")
    return limits


def _given(section: Section, names: tuple[str, ...]) -> dict[str, int]:
    return {
        name: section.size(name, 1) if name in _SIZES else section.number(name, 1, least=1, most=_MOST)
        for name in names
        if section.has(name)
    }
