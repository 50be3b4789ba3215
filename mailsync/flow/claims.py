"""Who reads each attachment of a mail. Lower tiers are asked, and what they need is loaded, only for what is left.

    tier   asked                                              of the mail's own text
    1, 2   the definitions of the route and of the site       always
    3      the built-in definitions                           only where nothing that is attached is claimed
    4      the captions of its table (by_captions.py)         only where nothing is attached

An attachment nobody claims is a note with the nearest miss: of the site's definitions, which somebody wrote for such
mails, never of the built-in ones. Two claims are a problem that names both. What a table was read as by its captions
is a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailsync.config.definitions import Definitions
from mailsync.config.route import Route
from mailsync.core.model import Attachment, Origin, Problem
from mailsync.definition.claim import Ambiguous, Claimed, MailFacts, Unclaimed, claim, form_for
from mailsync.definition.mapping import RowLimits
from mailsync.definition.model import Definition
from mailsync.mail.verdict import Verdict
from mailsync.tables.reader import first_lines, read_table

_Found = Claimed | Unclaimed | Ambiguous
_LEARN = "to have it read otherwise, or at all, write a definition: mailsync definitions learn FILE"


class Claims(NamedTuple):
    """Who reads which attachment, and what is to be said of the others."""

    claimed: tuple[tuple[Attachment, Definition], ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def claims_of(
    attachments: Sequence[Attachment], definitions: Definitions, route: Route, verdict: Verdict, *, limits: RowLimits
) -> Claims:
    """Who reads each of a mail's attachments. Raises ConfigurationError when a built-in definition is damaged."""
    attached = any(not one.body for one in attachments)
    facts = MailFacts(verdict.subject, verdict.from_address, attached)
    tiers = definitions.tiers(route)
    found: list[_Found] = [claim(one, facts, tiers, first_lines=first_lines) for one in attachments]
    draft = _Draft(route)

    def ask_below(places: Sequence[int]) -> None:
        for place in places:
            if isinstance(found[place], Unclaimed):
                one = attachments[place]
                below = claim(one, facts, (definitions.built_in(route),), first_lines=first_lines)
                if isinstance(below, Claimed):
                    found[place] = Claimed(definitions.find(below.definition.name))
                elif isinstance(below, Ambiguous):
                    found[place] = below
                elif not (one.body and attached):
                    found[place] = draft.by_captions(one, limits) or found[place]

    ask_below([place for place, one in enumerate(attachments) if not one.body])
    if all(isinstance(one, Unclaimed) for one in found):
        ask_below([place for place, one in enumerate(attachments) if one.body])
    for attachment, one in zip(attachments, found, strict=True):
        draft.add(attachment, one)
    return Claims(tuple(draft.claimed), tuple(draft.problems), tuple(draft.notes))


class _Draft:
    """Claims in the making."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self.claimed: list[tuple[Attachment, Definition]] = []
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._missed: dict[str, str] = {}

    def by_captions(self, attachment: Attachment, limits: RowLimits) -> Claimed | None:
        """The definition that the captions of the attachment's table make; None, and why not, when they do not."""
        from mailsync.definition.by_captions import Undecided, by_captions

        decided = by_captions(attachment, read=read_table, cells=limits.cells)
        if isinstance(decided, Undecided) and attachment.html and not decided.why:
            decided = by_captions(attachment.html, read=read_table, cells=limits.cells)
        if isinstance(decided, Undecided):
            self._missed[attachment.path] = decided.why
            return None
        self.notes.append(Problem(Origin(attachment=attachment.path), decided.told, _LEARN))
        return Claimed(decided.definition)

    def add(self, attachment: Attachment, found: _Found) -> None:
        """Adds what was found out about an attachment."""
        origin = Origin(attachment=attachment.path)
        if isinstance(found, Claimed):
            if attachment.depth and self._route.forwarded == "refuse":
                self._refuse(origin)
                return
            self.claimed.append((form_for(found.definition, attachment), found.definition))
        elif isinstance(found, Ambiguous):
            text = f"claimed by {' and '.join(found.names)}: nobody reads it"
            self.problems.append(Problem(origin, text, "make the claim of one of them more precise"))
        elif not attachment.body:
            # The covering words of a mail are no extract, and nobody expects to hear of them.
            text = f"ignored, no definition claims it; {_nearest(found)}"
            missed = self._missed.get(attachment.path, "")
            self.notes.append(Problem(origin, f"{text}; {missed}" if missed else text, _LEARN if missed else ""))

    def _refuse(self, origin: Origin) -> None:
        """A report that lies in a forwarded mail, where the route reads none of these."""
        self.notes = [one for one in self.notes if one.origin != origin]
        text = f"it is in a forwarded mail, which route {self._route.name} refuses"
        hint = "send the report itself, or let the route say forwarded: read"
        self.problems.append(Problem(origin, text, hint))


def _nearest(found: Unclaimed) -> str:
    if not found.nearest:
        return "the site has no definition of its own, and no built-in one knows it"
    return f"nearest: {found.nearest}, but {found.why}"
