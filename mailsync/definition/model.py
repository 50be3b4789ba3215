"""What a definition is once it is loaded: one frozen value, whatever notation it was written in.

Everything a field goes through is in its `FieldRule`, in the order of docs/definitions.md (evaluation order): 3
literal or extraction, 4 string functions, 5 translations, 8 dates; what crosses fields or rows is the definition's own:
2 headings, stretches and skips, 6 translations by another field, 10 rules by date, 13 changes to skip. A definition's
digest covers what it means and nothing else: not its name, its description, nor the words it gives as reasons, and no
value that is the default, so that a language that grows does not change it.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.fields import SYNC_FIELDS
from mailsync.core.layout import Layout
from mailsync.definition.expression import Expression
from mailsync.definition.filters import Filter

WORK_FIELDS = tuple(f"user{number}" for number in range(1, 10))
KEY_RULES = ("customer", "media", "volume", "barcode")
# What a definition may name: the fields of a volume, its key, a repository by its name, and fields to work with.
RULE_FIELDS = (*KEY_RULES, *SYNC_FIELDS, "repository_desc", *WORK_FIELDS)


class Claim(NamedTuple):
    """Which attachments a definition reads. All given criteria must match; one of the filters of each is enough.

    Without any criterion it reads what nothing else does, and only for a route that names it (claim.py).
    """

    attachment: tuple[Filter, ...] = ()
    type: tuple[Filter, ...] = ()
    subject: tuple[Filter, ...] = ()
    sender: tuple[Filter, ...] = ()
    content: tuple[Filter, ...] = ()


class Skip(NamedTuple):
    """Rows to leave out: those whose `field` (or raw text, when empty) matches one of the filters; `unless`: none."""

    field: str
    filters: tuple[Filter, ...]
    reason: str
    unless: bool = False


class Heading(NamedTuple):
    """A header that comes back in the list: a record that one of the filters matches, and those up to `rows` in all.

    Its records are no rows; a `Take` with `heading` reads a field from them, for the rows that follow.
    """

    filters: tuple[Filter, ...] = ()
    rows: int = 1


class Stretches(NamedTuple):
    """Which records are rows: from one that matches `start` up to one that matches `end`, none from `terminate` on.

    Without `start` the first record begins the first stretch. The records that match are no rows.
    """

    start: tuple[Filter, ...] = ()
    end: tuple[Filter, ...] = ()
    terminate: tuple[Filter, ...] = ()


class Take(NamedTuple):
    """The column a field is read from: by number from 1 (0 the whole record), by caption, or characters start..end.

    `start` counts from 0, `end` is the first character that does not belong. Without a caption in the table an
    `optional` field is silent. `heading` (from 1) takes the characters from that record of the last header instead.
    `source` takes what is said outside the row: by a group of its section's title, by the table's title, by the
    attachment's name or the mail's subject.
    """

    column: int = 0
    caption: str = ""
    start: int = 0
    end: int = 0
    optional: bool = False
    heading: int = 0
    source: str = ""


class Join(NamedTuple):
    """Columns that make one text together: those that are not empty, with the separator between them."""

    takes: tuple[Take, ...]
    separator: str = " "


class Function(NamedTuple):
    """One string function: its name and what it needs (`number` and `end`: characters from 0, the end excluded)."""

    name: str
    text: str = ""
    number: int = 0
    end: int = 0


class Translation(NamedTuple):
    """A value that matches becomes the result: `*` the value, `~` its character there, `^` dropped, else literal."""

    filter: Filter
    result: str


class CrossTranslation(NamedTuple):
    """Translations of `field` by what `source` says: the first that matches gives the field's new value."""

    field: str
    source: str
    table: tuple[Translation, ...]


class Adjustment(NamedTuple):
    """What is added to a date where `field` matches one of the filters (everywhere, when no field is given).

    A day that the month does not have becomes the month's last.
    """

    field: str = ""
    filters: tuple[Filter, ...] = ()
    years: int = 0
    months: int = 0
    days: int = 0


class DateRule(NamedTuple):
    """The repository of rows that a date decides: where `field` matches (everywhere, when none is given).

    The distance is how many days ago the `write_time` was, or how many days away the `move_date` is: at most `within`,
    more than `beyond`; -1: not asked. `move_after`: -1 leaves the move date, 0 unsets it, else it is the write date and
    so many days.
    """

    source: str
    repository: str
    field: str = ""
    filters: tuple[Filter, ...] = ()
    within: int = -1
    beyond: int = -1
    move_after: int = -1


class ChangeSkip(NamedTuple):
    """A change of repository to leave alone: all three match the proposed, the target and the current one."""

    proposed: tuple[Filter, ...]
    target: tuple[Filter, ...]
    current: tuple[Filter, ...]
    reason: str


class FieldRule(NamedTuple):
    """How one field is made. At most one of `literal`, `take` and `join` is given; without, it starts empty.

    `months` are the names of the months besides the English ones, twelve by twelve. `undecided` is not the file's
    word, but a report's: nobody can tell day and month of its dates (day_order.py), so that they say nothing. With
    `unlike` a row whose text is that of the other field too is a problem.
    """

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
    join: Join | None = None
    months: tuple[str, ...] = ()
    adjust: tuple[Adjustment, ...] = ()
    undecided: bool = False
    unlike: str = ""

    @property
    def takes(self) -> tuple[Take, ...]:
        """Every column the field is read from."""
        return self.join.takes if self.join else (self.take,) if self.take else ()


class Definition(NamedTuple):
    """Which attachment is read, how rows are found, and how fields are made from them.

    `customer` and `media` are empty when they come from the row or the route. `duplicates` is agree (identical ones
    are noted, contradictions refused), first, last or error. `overtaken` is hold or apply (exactly-once.md section 3).
    With fewer records than `min_rows` the attachment is refused whole.
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
    heading: Heading = Heading()
    stretches: Stretches = Stretches()
    by_date: tuple[DateRule, ...] = ()
    change_skips: tuple[ChangeSkip, ...] = ()
    min_rows: int = 0

    @property
    def digest(self) -> str:
        """SHA-256, as hex, of what the definition means, the same in every notation."""
        import hashlib
        import json

        meaning = self._replace(
            name="",
            description="",
            skips=tuple(one._replace(reason="") for one in self.skips),
            change_skips=tuple(one._replace(reason="") for one in self.change_skips),
        )
        return hashlib.sha256(json.dumps(_plain(meaning), sort_keys=True).encode()).hexdigest()


class Settled(NamedTuple):
    """A definition whose dates are all in one order, and text and hint of a note on the fields that are left out."""

    definition: Definition
    note: tuple[str, str] | None = None


def _plain(value: object) -> object:
    """The value as JSON knows it: filters as their text, named tuples as objects without what is the default."""
    if isinstance(value, Filter):
        return {"filter": value.text, "fold": value.fold}
    if isinstance(value, Expression):
        return {"expression": value.text}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        defaults = getattr(value, "_field_defaults", {})
        pairs = zip(value._fields, value, strict=True)
        return {name: _plain(one) for name, one in pairs if name not in defaults or one != defaults[name]}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
