"""What a definition is once it is loaded: one frozen value, whatever notation it was written in.

Everything a field goes through is in its `FieldRule`, in the order of docs/definitions.md (evaluation order): 3
literal or extraction, 4 string functions, 5 translations; 6 translations by another field are the definition's own,
because their order crosses fields; 8 dates. A definition's digest covers what it means and nothing else: not its
name, its description, nor the words it gives as reasons, and no value that is the default, so that a language that
grows does not change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from mailsync.core.fields import SYNC_FIELDS
from mailsync.core.model import Attachment
from mailsync.definition.filters import Filter

WORK_FIELDS = tuple(f"user{number}" for number in range(1, 10))
KEY_RULES = ("customer", "media", "volume", "barcode")
# What a definition may name: the fields of a volume, its key, a repository by its name, and fields to work with.
RULE_FIELDS = (*KEY_RULES, *SYNC_FIELDS, "repository_desc", *WORK_FIELDS)


class Claim(NamedTuple):
    """Which attachments a definition reads. All given criteria must match; one of the filters of each is enough."""

    attachment: tuple[Filter, ...] = ()
    type: tuple[Filter, ...] = ()
    subject: tuple[Filter, ...] = ()
    sender: tuple[Filter, ...] = ()
    content: tuple[Filter, ...] = ()


class Layout(NamedTuple):
    """How the table is written. An empty delimiter is found out, an empty quote quotes nothing; `header` in rows."""

    kind: str = "delimited"
    delimiter: str = ""
    quote: str = '"'
    header: int = 0
    encoding: str = ""


class Skip(NamedTuple):
    """Rows to leave out: those whose `field` (or raw text, when empty) matches one of the filters."""

    field: str
    filters: tuple[Filter, ...]
    reason: str


class Take(NamedTuple):
    """The column a field is read from: by number from 1 (0 the whole record), by caption, or characters start..end.

    `start` counts from 0, `end` is the first character that does not belong. Without a caption in the table an
    `optional` field is silent.
    """

    column: int = 0
    caption: str = ""
    start: int = 0
    end: int = 0
    optional: bool = False


class Function(NamedTuple):
    """One string function: its name and what it needs."""

    name: str
    text: str = ""
    number: int = 0


class Translation(NamedTuple):
    """A value that matches becomes the result: `*` the value, `~` its character there, `^` dropped, else literal."""

    filter: Filter
    result: str


class CrossTranslation(NamedTuple):
    """Translations of `field` by what `source` says: the first that matches gives the field's new value."""

    field: str
    source: str
    table: tuple[Translation, ...]


class FieldRule(NamedTuple):
    """How one field is made. Exactly one of `literal` and `take` is given, or neither (then it starts empty)."""

    name: str
    literal: str | None = None
    take: Take | None = None
    regex: str = ""
    part: tuple[int, int] = (0, 0)
    strip: bool = True
    functions: tuple[Function, ...] = ()
    translations: tuple[Translation, ...] = ()
    dates: tuple[str, ...] = ()
    never: tuple[Filter, ...] = ()
    required: bool = False
    empty: str = "silent"


class Definition(NamedTuple):
    """Which attachment is read, how rows are found, and how fields are made from them.

    `customer` and `media` are empty when they come from the row or the route. `duplicates` is agree (identical ones
    are noted, contradictions refused), first, last or error. `overtaken` is hold or apply (exactly-once.md section 3).
    """

    name: str
    claim: Claim
    layout: Layout
    fields: tuple[FieldRule, ...]
    skips: tuple[Skip, ...] = ()
    cross: tuple[CrossTranslation, ...] = ()
    customer: str = ""
    media: str = ""
    duplicates: str = "agree"
    inventory_of: str = ""
    confirms: bool = False
    overtaken: str = "hold"
    description: str = ""

    @property
    def digest(self) -> str:
        """SHA-256, as hex, of what the definition means, the same in every notation."""
        import hashlib
        import json

        meaning = self._replace(name="", description="", skips=tuple(one._replace(reason="") for one in self.skips))
        return hashlib.sha256(json.dumps(_plain(meaning), sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    """The value as JSON knows it: filters as their text, named tuples as objects without what is the default."""
    if isinstance(value, Filter):
        return {"filter": value.text, "fold": value.fold}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        defaults = getattr(value, "_field_defaults", {})
        pairs = zip(value._fields, value, strict=True)
        return {name: _plain(one) for name, one in pairs if name not in defaults or one != defaults[name]}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


class Chunk(Protocol):
    """Some rows of a table in file order: cells, raw text and first line of each; `broken` are (index, reason)."""

    @property
    def cells(self) -> Sequence[Sequence[str]]:
        """The cells of each row; a row of a fixed table is its line."""
        ...

    @property
    def raw(self) -> Sequence[str]:
        """The raw text of each row."""
        ...

    @property
    def lines(self) -> Sequence[int]:
        """The line each row starts on, from 1."""
        ...

    @property
    def broken(self) -> tuple[tuple[int, str], ...]:
        """The rows that could not be read, by index, and why."""
        ...


class Table(Protocol):
    """A table as tables.reader reads it; `definition` and `tables` do not know each other."""

    @property
    def captions(self) -> tuple[str, ...]:
        """The captions, none when the table has no header."""
        ...

    @property
    def chunks(self) -> Iterator[Chunk]:
        """The rows, to be read once."""
        ...

    @property
    def padding(self) -> str:
        """Every character a blank row may consist of."""
        ...

    @property
    def guess(self) -> str:
        """How the bytes were read, when that was a guess."""
        ...

    @property
    def fault(self) -> str:
        """Why there are no rows although there are bytes."""
        ...


ReadTable = Callable[[Attachment, Layout], Table]
