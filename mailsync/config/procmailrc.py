"""A .procmailrc looked through for the traps that lose mail or time (docs/mail.md; each was measured with 3.22).

Strategy: the file is cut into assignments and recipes, blocks inside their recipe, without running anything. Only what
leads to `mailsync filter` is judged.

trap                                              what procmail would do
no `w` flag                                       ignore the filter's status: a failed mail counts as delivered
flag `f`                                          replace the mail by what the filter prints
a local lockfile (second colon)                   poll every 8 s while another mail is worked on
a shell metacharacter on the action line          run a shell, and on a time-out end the shell only
no `:0 e` block with EXITCODE=75 and HOST next    file the mail, and exit 0: the MTA does not try again
FROM_DAEMON, FROM_MAILER                          pass over mail from root@, ops@, backup-server@
formail -D before the filter                      discard the MTA's second attempt as a duplicate
SHELL not set                                     use the account's login shell, which may refuse to run anything
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mailsync.definition.document import Fault

_HEAD = re.compile(r":\d*\s*(?P<flags>[A-Za-z]*)\s*(?P<lock>:?)", re.ASCII)
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)\Z", re.ASCII)
_FILTER = re.compile(r"\|.*\bmailsync\s+filter\b", re.ASCII)
_DAEMON = re.compile(r"\^FROM_(DAEMON|MAILER)\b", re.ASCII)
_FORMAIL = re.compile(r"\bformail\b.*\s-\w*D", re.ASCII)
MAX_PROCMAILRC = 1_000_000
_SHELLMETAS = "&|<>~;?*["
_RECIPE = "see the procmailrc that mailsync init wrote into the site"


class _Line(NamedTuple):
    number: int
    text: str


class _Item(NamedTuple):
    """An assignment (`head` is empty) or a recipe: where it begins, its conditions, its action, its block."""

    number: int
    head: str
    conditions: tuple[_Line, ...]
    action: _Line
    block: tuple[_Item, ...]


class _Seen(NamedTuple):
    """What the lines above a recipe have set."""

    shell_set: bool
    metas: str


def lint_procmailrc(file: str, text: str) -> tuple[Fault, ...]:
    """Every trap of the file, in file order, each with its line."""
    lines = _Lines(text)
    items = tuple(_items(lines))
    faults: list[Fault] = []
    if not any(_runs_filter(item) for item in _flat(items)):
        faults.append(Fault(file, 1, 1, "no recipe runs mailsync filter", _RECIPE))
    else:
        _judge(file, items, _Seen(shell_set=False, metas=_SHELLMETAS), faults)
    return tuple(sorted(faults, key=lambda fault: fault.line))


class _Lines:
    """The file's lines without comments and blank ones, continued lines joined; one line can be put back."""

    def __init__(self, text: str) -> None:
        self._lines = list(_logical(text))
        self._next = 0

    def take(self) -> _Line | None:
        """The next line, or None at the end."""
        if self._next == len(self._lines):
            return None
        self._next += 1
        return self._lines[self._next - 1]

    def put_back(self, line: _Line) -> None:
        """Makes `line` the next one."""
        self._next -= 1
        self._lines[self._next] = line


def _logical(text: str) -> Iterator[_Line]:
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not parts and (not line or line.startswith("#")):
            continue
        start = start if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        yield _Line(start, "".join([*parts, line]))
        parts = []
    if parts:
        yield _Line(start, "".join(parts))


def _items(lines: _Lines) -> Iterator[_Item]:
    """The items up to the end of the block (or file)."""
    while (line := lines.take()) is not None:
        if line.text.startswith("}"):
            return
        if line.text.startswith(":"):
            yield _recipe(line, lines)
            continue
        first, brace, rest = line.text.partition("}")
        if brace:
            lines.put_back(_Line(line.number, brace + rest))
        yield _Item(line.number, "", (), _Line(line.number, first.strip()), ())


def _recipe(head: _Line, lines: _Lines) -> _Item:
    conditions = []
    action = lines.take()
    while action is not None and action.text.startswith("*"):
        conditions.append(action)
        action = lines.take()
    block: tuple[_Item, ...] = ()
    if action is None:
        action = _Line(head.number, "")
    elif action.text.startswith("{"):
        if action.text[1:].strip():
            lines.put_back(_Line(action.number, action.text[1:].strip()))
        block = tuple(_items(lines))
    return _Item(head.number, head.text, tuple(conditions), action, block)


def _flat(items: tuple[_Item, ...]) -> Iterator[_Item]:
    for item in items:
        yield item
        yield from _flat(item.block)


def _runs_filter(item: _Item) -> bool:
    return bool(item.head and _FILTER.match(item.action.text))


def _judge(file: str, items: tuple[_Item, ...], seen: _Seen, faults: list[Fault]) -> _Seen:
    """Notes the faults of the items, given what was set above them; what is set below them."""
    for index, item in enumerate(items):
        if not item.head:
            seen = _assigned(item.action.text, seen)
            continue
        faults += _everywhere(file, item)
        if _runs_filter(item):
            faults += _filter_recipe(file, item, seen)
            following = next((after for after in items[index + 1 :] if after.head), None)
            if following is None or not _keeps_queued(following):
                text = "no :0 e block with EXITCODE=75 and HOST follows: a failed mail would not stay queued"
                faults.append(Fault(file, item.number, 1, text, _RECIPE))
        seen = _judge(file, item.block, seen, faults)
    return seen


def _assigned(text: str, seen: _Seen) -> _Seen:
    found = _ASSIGNMENT.match(text)
    if found and found["name"] == "SHELL":
        return seen._replace(shell_set=True)
    if found and found["name"] == "SHELLMETAS":
        return seen._replace(metas=found["value"].strip("\"'"))
    return seen


def _everywhere(file: str, item: _Item) -> Iterator[Fault]:
    for number, text in (*item.conditions, item.action):
        if daemon := _DAEMON.search(text):
            hint = "mailsync recognises loops itself: remove the condition"
            trap = f"FROM_{daemon[1]} passes over mail from root@, ops@ and the like, which send extracts"
            yield Fault(file, number, 1, trap, hint)
        if _FORMAIL.search(text):
            hint = "mailsync recognises duplicates itself: remove the recipe"
            yield Fault(file, number, 1, "formail -D discards the second attempt of a mail that failed", hint)


def _filter_recipe(file: str, item: _Item, seen: _Seen) -> Iterator[Fault]:
    head = _HEAD.match(item.head)
    flags, locked = (head["flags"], bool(head["lock"])) if head else ("", False)
    if not {"w", "W"} & set(flags):
        yield Fault(file, item.number, 1, "without the flag w procmail ignores the filter's status", "write :0 w")
    if "f" in flags:
        yield Fault(file, item.number, 1, "the flag f replaces the mail by what the filter prints", "write :0 w")
    if locked:
        yield Fault(file, item.number, 1, "a local lockfile polls every 8 s; mailsync locks by itself", "write :0 w")
    used = sorted({sign for sign in item.action.text[1:] if sign in seen.metas})
    if used:
        text = f"{' '.join(used)} on the action line makes procmail run a shell, which a time-out ends alone"
        yield Fault(file, item.action.number, 1, text, _RECIPE)
    if not seen.shell_set:
        hint = "write SHELL=/bin/sh above the recipes"
        yield Fault(file, item.number, 1, "SHELL is not set: a service account's login shell may run nothing", hint)


def _keeps_queued(item: _Item) -> bool:
    """True for a recipe without conditions that runs when the one above failed, and ends with 75."""
    head = _HEAD.match(item.head)
    if not head or "e" not in head["flags"] or item.conditions:
        return False
    words = [word for inner in item.block if not inner.head for word in re.sub("[\"']", "", inner.action.text).split()]
    return "EXITCODE=75" in words and any(word == "HOST" or word.startswith("HOST=") for word in words)
