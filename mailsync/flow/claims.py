"""Who reads each attachment of a mail. Lower tiers are asked, and what they need is loaded, only for what is left.

    tier   asked                                              of the mail's own text
    1, 2   the definitions of the route and of the site       always
    3      the built-in definitions                           only where nothing that is attached is claimed
    4      the captions of its table (by_captions.py)         only where nothing is attached

Beside an attachment that could not be read, the mail's own text is read by tiers 1 and 2 alone, and by criteria: what
is missing may be the list, and the text an extract of it.
An attachment nobody claims is a note with the nearest miss: of the site's definitions, which somebody wrote for such
mails, never of the built-in ones; so is the mail's own text where a built-in one would read it, were it alone. Two
claims are a problem that names both. What a table was read as by its captions is a note.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from mailsync.config.definitions import Definitions
from mailsync.config.route import Route
from mailsync.core.model import Attachment, Origin, Problem
from mailsync.definition.claim import Ambiguous, Claimed, MailFacts, Unclaimed, claim, form_for
from mailsync.definition.mapping import Context, RowLimits, map_attachment
from mailsync.definition.model import Definition
from mailsync.mail.unpack import Unpacked
from mailsync.mail.verdict import Verdict
from mailsync.tables.reader import first_lines, look_at, read_table

_MOST_ASKED = 20
_MOST_ASKED_BYTES = 5_000_000
_Found = Claimed | Unclaimed | Ambiguous
_BUILT_IN = "name only one of them in the route's definitions, or send two mails"
_DIGIT = re.compile(rb"[0-9]", re.ASCII)
_LEARN = "to have it read otherwise, or at all, write a definition: mailsync definitions learn FILE"


class Claims(NamedTuple):
    """Who reads which attachment, and what is to be said of the others."""

    claimed: tuple[tuple[Attachment, Definition], ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]


def claims_of(
    unpacked: Unpacked, definitions: Definitions, route: Route, verdict: Verdict, *, limits: RowLimits
) -> Claims:
    """Who reads each of a mail's attachments. Raises ConfigurationError when a built-in definition is damaged."""
    attachments = unpacked.attachments
    refused = bool(unpacked.problems)
    attached = refused or any(not one.body for one in attachments)
    facts = MailFacts(verdict.subject, verdict.from_address, attached)
    tiers = definitions.tiers(route)
    found = _first_asked(attachments, facts, tiers)
    draft = _Draft(route, verdict.subject, definitions)

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
    bodies = [place for place, one in enumerate(attachments) if one.body and isinstance(found[place], Unclaimed)]
    if not refused and all(isinstance(one, Unclaimed) for one in found):
        ask_below(bodies)
    else:
        for place in bodies:
            draft.leave(attachments[place], facts, refused=refused)
    for attachment, one in zip(attachments, found, strict=True):
        draft.add(attachment, one)
    return Claims(tuple(draft.claimed), tuple(draft.problems), tuple(draft.notes))


def _first_asked(
    attachments: Sequence[Attachment], facts: MailFacts, tiers: Sequence[Sequence[Definition]]
) -> list[_Found]:
    """What the site's tiers say of each, and of the mail's own text last: who reads what is attached may matter."""
    found: dict[int, _Found] = {}
    for place, one in sorted(enumerate(attachments), key=lambda numbered: numbered[1].body):
        found[place] = asked = claim(one, facts, tiers, first_lines=first_lines)
        if isinstance(asked, Claimed) and not one.body:
            facts = facts._replace(reading=facts.reading | {asked.definition.name})
    return [found[place] for place in range(len(attachments))]


class _Draft:
    """Claims in the making."""

    def __init__(self, route: Route, subject: str, definitions: Definitions) -> None:
        self._route = route
        self._definitions = definitions
        self._subject = subject
        self.claimed: list[tuple[Attachment, Definition]] = []
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._missed: dict[str, str] = {}
        self._asked = self._spent = 0

    def by_captions(self, attachment: Attachment, limits: RowLimits) -> Claimed | None:
        """The definition that the captions of the attachment's table make; None, and why not, when they do not."""
        from mailsync.definition.by_captions import Undecided, by_captions, cost

        if not self._affords(cost(attachment) + _unzipped(attachment) // 10):
            self._missed[attachment.path] = (
                f"its captions are not looked at: {_MOST_ASKED} attachments were, or {_MOST_ASKED_BYTES} bytes"
            )
            return None
        ask = partial(by_captions, read=read_table, look=look_at, cells=limits.cells, subject=self._subject)
        decided = ask(attachment)
        if attachment.html and not (isinstance(decided, Undecided) and decided.why):
            other = ask(attachment.html)
            if isinstance(decided, Undecided) or (isinstance(other, Undecided) and other.why):
                decided = other
            elif not isinstance(other, Undecided):
                said = [self._said(attachment, one.definition, limits) for one in (decided, other)]
                decided = decided if said[0] == said[1] else Undecided("its text and its HTML do not list the same")
        if isinstance(decided, Undecided):
            if attachment.body and decided.why:
                text = f"its table is not read: {decided.why}"
                self.notes.append(Problem(Origin(attachment=attachment.path), text, _LEARN))
            self._missed[attachment.path] = decided.why
            return None
        self.notes.append(Problem(Origin(attachment=attachment.path), decided.told, _LEARN))
        return Claimed(decided.definition)

    def _said(self, attachment: Attachment, definition: Definition, limits: RowLimits) -> dict[object, object]:
        """What the form of the attachment that the definition reads says of each volume."""
        route = self._route
        context = Context(read_table, "", route.scope, route.repositories, route.timezone, limits)
        mapped = map_attachment(form_for(definition, attachment), definition, context)
        return {
            (records.scope, volume): dict(zip(records.fields, values, strict=True))
            for records in mapped.records
            for volume, values in zip(records.volumes, records.values, strict=True)
        }

    def _affords(self, cost: int) -> bool:
        """True, and counted, while the mail's attachments may be asked for their captions; the first one always."""
        if self._asked == _MOST_ASKED or (self._asked and self._spent + cost > _MOST_ASKED_BYTES):
            return False
        self._asked, self._spent = self._asked + 1, self._spent + cost
        return True

    def add(self, attachment: Attachment, found: _Found) -> None:
        """Adds what was found out about an attachment."""
        origin = Origin(attachment=attachment.path)
        if isinstance(found, Claimed):
            if attachment.depth and self._route.forwarded == "refuse":
                self._refuse(origin)
                return
            form = form_for(found.definition, attachment)
            self.claimed.append((form, found.definition))
            if form.joined:
                text = f"lines joined to the one before, as format=flowed says: {form.joined}"
                self.notes.append(Problem(origin, text, "if they are rows, attach the list as a file"))
        elif isinstance(found, Ambiguous):
            text = f"claimed by {' and '.join(found.names)}: nobody reads it"
            own = any(name in self._definitions.by_name for name in found.names)
            hint = "make the claim of one of them more precise" if own else _BUILT_IN
            self.problems.append(Problem(origin, text, hint))
        elif not attachment.body:
            # The covering words of a mail are no extract, and nobody expects to hear of them.
            text = f"ignored, no definition claims it; {_nearest(found)}"
            missed = self._missed.get(attachment.path, "")
            self.notes.append(Problem(origin, f"{text}; {missed}" if missed else text, _LEARN))

    def leave(self, body: Attachment, facts: MailFacts, *, refused: bool) -> None:
        """Notes that the mail's own text is not read beside what is attached, where a built-in definition would.

        Without a digit there is no Volume-ID in it: covering words cost nothing of the catalogue.
        """
        if not _DIGIT.search(body.content):
            return
        found = claim(body, facts, (self._definitions.built_in(self._route),), first_lines=first_lines)
        if isinstance(found, Unclaimed):
            return
        names = found.names if isinstance(found, Ambiguous) else (found.definition.name,)
        why = "an attachment could not be read" if refused else "another part of the mail is claimed"
        text = f"not read, because {why}; it looks like a report that built-in {' or '.join(names)} reads"
        hint = f"to have it read too, name it in the route's definitions: {names[0]}"
        self.notes.append(Problem(Origin(attachment=body.path), text, hint))

    def _refuse(self, origin: Origin) -> None:
        """A report that lies in a forwarded mail, where the route reads none of these."""
        self.notes = [one for one in self.notes if one.origin != origin]
        text = f"it is in a forwarded mail, which route {self._route.name} refuses"
        hint = "send the report itself, or let the route say forwarded: read"
        self.problems.append(Problem(origin, text, hint))


def _unzipped(attachment: Attachment) -> int:
    """How many bytes of XML a workbook that is a zip holds."""
    if not attachment.content.startswith(b"PK\x03\x04"):
        return 0
    from mailsync.tables.package import unzipped_size

    return unzipped_size(attachment.content)


def _nearest(found: Unclaimed) -> str:
    if not found.nearest:
        return "the site has no definition of its own, and no built-in one knows it"
    return f"nearest: {found.nearest}, but {found.why}"
