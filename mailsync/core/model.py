"""The nouns: identifiers, places in a report, volumes, records, snapshots.

NamedTuples and tuples throughout, because a frozen dataclass costs start-up time that every mail pays. Rows of one
scope are kept as columns (`Records`): nothing is done per row that can be done per column. Limits of identifiers are
TapeTrack's published ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, NewType, Protocol

CustomerId = NewType("CustomerId", str)
MediaId = NewType("MediaId", str)
VolumeId = NewType("VolumeId", str)
RepositoryId = NewType("RepositoryId", str)
RunId = NewType("RunId", bytes)
BatchId = NewType("BatchId", bytes)

# ASCII only and anchored with \Z: Unicode digits and a trailing newline are refused.
CUSTOMER = MEDIA = REPOSITORY = re.compile(r"[A-Za-z0-9]{1,4}\Z", re.ASCII)
VOLUME = re.compile(r"[A-Z0-9][A-Z0-9-]{1,9}\Z", re.ASCII)
USER = re.compile(r"[A-Za-z0-9.][A-Za-z0-9.-]{0,15}\Z", re.ASCII)


class Scope(NamedTuple):
    """A customer and one of its media types: the unit of the cache and of a sync. `str()` is `US01.LTO`."""

    customer: CustomerId
    media: MediaId

    def __str__(self) -> str:
        return f"{self.customer}.{self.media}"


def parse_scope(text: str) -> Scope | None:
    """The scope written `CUST.MEDIA`, or None when the text is not one."""
    customer, dot, media = text.partition(".")
    if dot and CUSTOMER.match(customer) and MEDIA.match(media):
        return Scope(CustomerId(customer), MediaId(media))
    return None


class Origin(NamedTuple):
    """Where a value came from. `attachment` is a path such as `a.zip!/b.csv`; row and line count from 1, 0 = none."""

    mail: str = ""
    attachment: str = ""
    table: str = ""
    row: int = 0
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.attachment}!{self.table}" if self.table else self.attachment
        if self.line:
            return f"{place}:{self.line}"
        return f"{place} row {self.row}" if self.row else place


class Problem(NamedTuple):
    """Something wrong that stops nothing but itself: what, where, and what to do (`hint` may be empty)."""

    origin: Origin
    text: str
    hint: str = ""

    def __str__(self) -> str:
        place = str(self.origin)
        return f"{place}: {self.text}" if place else self.text


class Attachment(NamedTuple):
    """One decoded leaf of a mail. `path` names it for people; `depth` counts the enclosing forwarded mails.

    `html` belongs to a mail's own text: what the mail says in HTML beside it. The two are read as one (claim.py).
    `joined` counts the lines of it that were put to the one before (format=flowed).
    """

    path: str
    content: bytes
    content_type: str
    charset: str
    depth: int
    body: bool
    html: Attachment | None = None
    joined: int = 0


class Repository(NamedTuple):
    """A place volumes can be. `kind` is one of TapeTrack's types, such as Library or Vault."""

    id: RepositoryId
    description: str = ""
    kind: str = ""
    offsite: bool = False


class Volume(NamedTuple):
    """One volume as the server holds it, without its key: the fields of `fields.VOLUME_FIELDS`, in that order."""

    description: str = ""
    repository: str = ""
    current_repository: str = ""
    confirmed_repository: str = ""
    home_repository: str = ""
    container: str = ""
    slot: str = ""
    flags: str = ""
    data_cluster: str = ""
    system: str = ""
    move_date: str = ""
    write_time: str = ""
    expiry_date: str = ""
    scratch: str = ""
    encrypted: str = ""


Value = str | None  # None: the row does not speak of the field; "": it says the field is unset


class Place(NamedTuple):
    """Where rows come from: the mail's Message-ID (or run), the attachment's path, the table or sheet in it."""

    mail: str
    attachment: str
    table: str = ""


class Records(NamedTuple):
    """The rows of one or more attachments that speak of one scope, as columns of equal length.

    `fields` names what every row may say, in the order of `fields.SYNC_FIELDS`; `values` holds one tuple a row,
    aligned with it (equal tuples may be shared); `rows` and `lines` count from 1; `which` indexes `places`.
    No volume occurs twice. A repository's value is the Repository-ID after the route's names were applied, or the
    report's own text where none matched: whether the scope has it is the plan's business.
    """

    scope: Scope
    fields: tuple[str, ...]
    volumes: Sequence[str]
    values: Sequence[tuple[Value, ...]]
    rows: Sequence[int]
    lines: Sequence[int]
    places: tuple[Place, ...]
    which: Sequence[int]

    def origin(self, index: int) -> Origin:
        """The place of row `index` of the columns."""
        mail, attachment, table = self.places[self.which[index]]
        return Origin(mail, attachment, table, self.rows[index], self.lines[index])


class Count(NamedTuple):
    """How many rows ended one way, and why: `reason` is a short phrase such as `cleaning tape`."""

    reason: str
    rows: int


class Gaps(NamedTuple):
    """What an inventory's records lack: the volumes that its refused rows name, and why more may be missing."""

    named: tuple[tuple[Scope, tuple[str, ...]], ...] = ()
    doubts: tuple[str, ...] = ()


class Mapped(NamedTuple):
    """What a definition made of one attachment. read = recorded + sum(skipped) + refused; nothing else is dropped.

    `problems` holds the first of them up to the caller's bound, `unlisted` counts those beyond it; `refused` counts all
    refused rows, and one problem may refuse them all. `notes` are things worth telling that refused nothing (a charset
    guessed, a duplicate row that agrees). `gaps` are of inventories only, and not kept.
    """

    attachment: str
    kind: str
    definition: str
    digest: str
    read: int
    refused: int
    skipped: tuple[Count, ...]
    records: tuple[Records, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    unlisted: int = 0
    gaps: Gaps = Gaps()


class Snapshot(Protocol):
    """A scope as the client last saw it: complete, at `version` of `epoch`. Reading it twice gives the same."""

    @property
    def scope(self) -> Scope:
        """The customer and media this is a snapshot of."""
        ...

    @property
    def epoch(self) -> bytes:
        """16 bytes: which life of the server's store `version` counts in."""
        ...

    @property
    def version(self) -> int:
        """The scope's version this snapshot is at."""
        ...

    @property
    def repositories(self) -> Mapping[str, Repository]:
        """The scope's repositories by Repository-ID."""
        ...

    @property
    def size(self) -> int:
        """How many volumes the scope has."""
        ...

    def rows(self, fields: Sequence[str]) -> Iterable[tuple[str, ...]]:
        """Every volume as (volume, *values of `fields`), ascending by volume."""
        ...

    def lookup(self, volumes: Iterable[str], fields: Sequence[str]) -> Iterable[tuple[str, ...]]:
        """The same of these volumes alone, as far as the scope has them, in their order."""
        ...

    def inside(self, container: str) -> Iterable[str]:
        """The scope's volumes that name this container, by its full barcode, ascending."""
        ...
