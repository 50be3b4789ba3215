"""What templates are given: a summary made harmless, short and ready to be shown.

Strategy: every text that came from a mail, a report or the server becomes one line without control characters and
without anything that reorders text, of bounded length; every list is bounded and says how many more there are. So a
description with a line break in it cannot forge a line of the reply, and a million problems cannot fill a mailbox.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from mailsync.core.model import Count, Mapped, Problem
from mailsync.core.summarise import MOST_NAMED, named
from mailsync.core.summary import Leg, Move, Setting, Summary, Verdict
from mailsync.core.tally import NOWHERE
from mailsync.mail.shown import one_line, plural
from mailsync.mail.wording import advice, headline, moves_in, subject_line

MAX_MOVES, MAX_PROBLEMS, MAX_CHANGES, MAX_NOTES, MAX_STATES = 200, 50, 100, 20, 100


class ReplyFacts(NamedTuple):
    """What a reply says about the mail it answers; times are seconds since 1970. Texts have no token in them.

    `method` is how the mail was authenticated (`token nightly`), `kept` the name its file in the audit Maildir begins
    with; both may be empty.
    """

    message_id: str
    subject: str
    sender: str
    received: int
    answered: int
    method: str = ""
    kept: str = ""


class Figure(NamedTuple):
    """How many rows, and which; `depth` 1 is a part of the last figure of depth 0 before it."""

    rows: int
    label: str
    depth: int


class Finding(NamedTuple):
    """A problem, alert or note for people: its place, what it is, and what to do (both may be empty)."""

    place: str
    text: str
    hint: str


class Findings(NamedTuple):
    """The first findings, and how many there are in all."""

    items: tuple[Finding, ...]
    total: int

    @property
    def more(self) -> int:
        """How many are not listed."""
        return self.total - len(self.items)


class Listed(NamedTuple):
    """A move of summary.Move; `inside` says what is in a container and goes along, empty where nothing does."""

    volume: str
    description: str
    origin: str
    move_date: str
    inside: str


class Route(NamedTuple):
    """A from -> to pair as in summary.Leg: `action` is `Send`, `Bring back` or `Move`; the first moves are listed.

    `total` counts the pieces to carry: a container is one. `along` counts the volumes in containers.
    """

    scope: str
    action: str
    start: str
    end: str
    moves: tuple[Listed, ...]
    total: int
    along: int = 0

    @property
    def more(self) -> int:
        """How many are not listed."""
        return self.total - len(self.moves)


class Added(NamedTuple):
    """An added volume; `text` says its fields."""

    volume: str
    text: str
    origin: str


class Changes(NamedTuple):
    """Changed settings and added volumes: the first of each, and how many there are in all."""

    settings: tuple[Setting, ...]
    settings_total: int
    additions: tuple[Added, ...]
    additions_total: int

    @property
    def settings_more(self) -> int:
        """How many settings are not listed."""
        return self.settings_total - len(self.settings)

    @property
    def additions_more(self) -> int:
        """How many additions are not listed."""
        return self.additions_total - len(self.additions)


class State(NamedTuple):
    """A scope, `done` or why not, and the versions its changes were given (empty when there are none)."""

    scope: str
    done: bool
    text: str
    versions: str


class Source(NamedTuple):
    """An attachment, what it was read as, and how its rows were counted."""

    name: str
    kind: str
    definition: str
    digest: str
    read: int
    refused: int
    skipped: tuple[Count, ...]


class View(NamedTuple):
    """Everything a template may show; `csv`: the move list is attached.

    `tone` is the verdict's name in lower case, of what was refused in part also `refused`.
    """

    subject: str
    tone: str
    headline: str
    route: str
    run: str
    plan: str
    states: tuple[State, ...]
    figures: tuple[Figure, ...]
    objections: tuple[str, ...]
    moved: int
    routes: tuple[Route, ...]
    cancelled: tuple[Route, ...]
    seen: tuple[Route, ...]
    waiting: int
    pending: tuple[Route, ...]
    changes: Changes
    problems: Findings
    alerts: Findings
    notes: Findings
    sources: tuple[Source, ...]
    advice: tuple[str, ...]
    mail: ReplyFacts
    received: str
    answered: str
    csv: bool


def view_of(summary: Summary, facts: ReplyFacts) -> View:
    """The summary as templates are given it."""
    moved, waiting = moves_in(summary.legs), moves_in(summary.pending)
    return View(
        subject=subject_line(summary),
        tone=_tone(summary.verdict),
        headline=headline(summary),
        route=one_line(summary.route),
        run=one_line(summary.run),
        plan=one_line(summary.plan),
        states=_states(summary),
        figures=_figures(summary),
        objections=tuple(one_line(one.text) for one in summary.objections),
        moved=moved,
        routes=_routes(summary.legs),
        cancelled=_routes(summary.cancelled),
        seen=_routes(summary.seen),
        waiting=waiting,
        pending=_routes(summary.pending),
        changes=_changes(summary),
        problems=_findings(summary.problems, MAX_PROBLEMS, summary.unlisted),
        alerts=_findings(summary.alerts, MAX_PROBLEMS, summary.more_alerts),
        notes=_findings(summary.notes, MAX_NOTES),
        sources=tuple(_source(one) for one in summary.attachments),
        advice=advice(summary),
        mail=facts._replace(
            message_id=one_line(facts.message_id),
            subject=one_line(facts.subject),
            sender=one_line(facts.sender),
            method=one_line(facts.method),
            kept=one_line(facts.kept),
        ),
        received=_time(facts.received),
        answered=_time(facts.answered),
        csv=_has_csv(summary),
    )


def _tone(verdict: Verdict) -> str:
    return (Verdict.REFUSED if verdict is Verdict.PARTLY else verdict).name.lower()


def _states(summary: Summary) -> tuple[State, ...]:
    """Every scope; of too many, those not done first, and one line for the others."""
    ordered = summary.states if len(summary.states) <= MAX_STATES else sorted(summary.states, key=lambda one: one.done)
    listed = [
        State(str(one.scope), one.done, one_line(one.reason) or "done", _versions(one.first, one.last))
        for one in ordered[:MAX_STATES]
    ]
    others = ordered[MAX_STATES:]
    if others:
        undone = sum(not one.done for one in others)
        text = f"{len(others)} more, {undone} of them not done" if undone else f"{len(others)} more, done"
        listed.append(State("others", not undone, text, ""))
    return tuple(listed)


def _figures(summary: Summary) -> tuple[Figure, ...]:
    counts = summary.counts
    reasons: dict[str, int] = {}
    for one in summary.attachments:
        for reason, rows in one.skipped:
            reasons[one_line(reason)] = reasons.get(one_line(reason), 0) + rows
    figures = (
        Figure(counts.read, f"rows read in {plural(len(summary.attachments), 'attachment')}", 0),
        Figure(counts.matched, "match a volume", 0),
        Figure(counts.moved, "moved", 1),
        Figure(counts.cancelled, "cancelled: to stay where they are", 1),
        Figure(counts.seen, "seen elsewhere than expected", 1),
        Figure(counts.changed, "changed otherwise", 1),
        Figure(counts.confirmed, "confirmed where they are", 1),
        Figure(counts.unchanged, "unchanged", 1),
        Figure(counts.blocked, "not changed: locked or refused by the server", 1),
        Figure(counts.pending, "not applied", 1),
        Figure(counts.added, "added to the server", 0),
        Figure(counts.unknown, "unknown to the server", 0),
        Figure(counts.refused, "cannot be used", 0),
        *(Figure(rows, f"skipped: {reason}", 0) for reason, rows in sorted(reasons.items())),
        Figure(counts.repeated, "said by another attachment too", 0),
        Figure(counts.unplanned, "of a scope that was not reached", 0),
    )
    return (figures[0], *(figure for figure in figures[1:] if figure.rows))


def _routes(legs: Iterable[Leg]) -> tuple[Route, ...]:
    """Every leg with its count; the moves themselves only up to the bound on all of them together.

    Legs beyond as many have no room for a move: then the whole list is attached.
    """
    room = MAX_MOVES
    routes = []
    for leg in islice(legs, MAX_MOVES):
        moves = tuple(
            Listed(
                one_line(move.volume),
                one_line(move.description),
                one_line(move.origin),
                one_line(move.move_date),
                _inside(move),
            )
            for move in leg.moves[:room]
        )
        room -= len(moves)
        action = (leg.direction or "move").capitalize()
        start, end = _place(leg.before, leg.before_name), _place(leg.after, leg.after_name)
        along = sum(len(move.along) for move in leg.moves)
        routes.append(Route(leg.scope, action, start, end, moves, len(leg.moves), along))
    return tuple(routes)


def _inside(move: Move) -> str:
    return one_line(f"with {plural(len(move.along), 'volume')} in it: {named(move.along)}") if move.along else ""


def _has_csv(summary: Summary) -> bool:
    """True when the reply cannot list all that moves."""
    lists = (summary.legs, summary.cancelled, summary.seen, summary.pending)
    inside = (len(move.along) for legs in lists for leg in legs for move in leg.moves)
    return max(map(moves_in, lists)) > MAX_MOVES or max(inside, default=0) > MOST_NAMED


def _place(repository: str, name: str) -> str:
    return one_line(f"{repository} {name}".strip()) or NOWHERE


def _changes(summary: Summary) -> Changes:
    settings = tuple(
        Setting(one.volume, one.field, _value(one.before), _value(one.after), one_line(one.origin))
        for one in summary.settings[:MAX_CHANGES]
    )
    additions = tuple(
        Added(
            one.volume,
            ", ".join(f"{name} {_value(value)}" for name, value in one.values if value),
            one_line(one.origin),
        )
        for one in summary.additions[:MAX_CHANGES]
    )
    return Changes(settings, len(summary.settings), additions, len(summary.additions))


def _value(text: str) -> str:
    return one_line(text) or "(unset)"


def _findings(problems: Sequence[Problem], limit: int, unlisted: int = 0) -> Findings:
    items = tuple(
        Finding(one_line(str(one.origin)), one_line(one.text), one_line(one.hint)) for one in problems[:limit]
    )
    return Findings(items, len(problems) + unlisted)


def _source(one: Mapped) -> Source:
    skipped = tuple(Count(one_line(reason), rows) for reason, rows in one.skipped)
    name, kind, definition = one_line(one.attachment), one_line(one.kind), one_line(one.definition)
    return Source(name, kind, definition, one_line(one.digest), one.read, one.refused, skipped)


def _versions(first: int, last: int) -> str:
    if not last:
        return ""
    return f"version {last}" if first == last else f"versions {first} to {last}"


def _time(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
