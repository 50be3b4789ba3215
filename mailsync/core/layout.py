"""How a table is written: what a definition says of it, and what every kind of table reads of that.

One value for all kinds, because definitions and tables do not know each other; each kind reads what it needs. Every
entry has a default that means "not so", so that a definition's digest (definition.model) does not change when there
are new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

HIDDEN_ROW = "hidden row"  # why a workbook's row is left out, of which an inventory must know


class Matcher(Protocol):
    """A filter: matches whole texts, in time linear in them."""

    def matches(self, text: str) -> bool:
        """True when the whole text is what the filter says."""
        ...


class Expression(Protocol):
    """A regular expression that is linear in the text; compiled once."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its groups, in their order; empty for one without a name."""
        ...

    def find(self, text: str) -> tuple[str, ...] | None:
        """The texts of its groups where it is found first (empty for one that takes no part), None without."""
        ...

    def found_among(self, texts: Sequence[str]) -> dict[int, tuple[str, ...]]:
        """What `find` gives, by index, for the texts it is found in."""
        ...

    def beginning(self, text: str) -> int:
        """How many characters it takes at the beginning of the text."""
        ...


class Total(NamedTuple):
    """A line that says how many rows there are: the expression's one group is the number.

    `counts` is section (the rows since the total before it) or report (all so far); `wrong` is problem or note.
    """

    line: Expression
    counts: str = "section"
    wrong: str = "problem"


class PrintedTwice(NamedTuple):
    """Lists that say what others of the report say: those under a section's title that `title` is found in, where
    `where` is found in any line of the report.
    """

    title: Expression
    where: Expression


class Split(NamedTuple):
    """The column (by number from 1, or by caption) whose cells hold several values with `at` between them."""

    column: int
    caption: str
    at: str


class Layout(NamedTuple):
    """How the table is written. An empty delimiter is found out, an empty quote quotes nothing; `header` in rows.

    Lines: `prefix` is taken off every one, then with `control` its first character is ANSI carriage control;
    `page_lines` are left out on top of every page; `sections` are titles whose named groups are sources of the rows
    that follow; lists that are `printed_twice` are left out; `totals` are checked. Kinds: `until` ends a ruled table,
    whose rows begin in lines that fill the column `wrapped`, and whose volumes are in one of the columns `keys`;
    records have `label: value` lines around `separator`, or `patterns`, and begin at `begins` or take `lines`; `others`
    is what lines without a pattern are. `title` and `number` choose among several tables; `empty` is what a page of
    HTML says instead of a table without rows. `path` leads to the rows of JSON. `wanted` captions are those without
    which a table is another one, `welcome` ones may be missing.
    """

    kind: str = "delimited"
    delimiter: str = ""
    quote: str = '"'
    header: int = 0
    encoding: str = ""
    prefix: Expression | None = None
    control: bool = False
    page_lines: int = 0
    sections: tuple[Expression, ...] = ()
    totals: tuple[Total, ...] = ()
    split: Split | None = None
    until: tuple[Matcher, ...] = ()
    wrapped: str = ""
    separator: str = ":"
    begins: tuple[Matcher, ...] = ()
    lines: int = 0
    patterns: tuple[Expression, ...] = ()
    others: str = "skip"
    title: tuple[Matcher, ...] = ()
    number: int = 0
    path: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    welcome: tuple[str, ...] = ()
    printed_twice: PrintedTwice | None = None
    empty: tuple[Matcher, ...] = ()
    keys: tuple[str, ...] = ()
