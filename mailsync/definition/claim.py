"""Which definition reads an attachment: exactly one, or a reason why not.

    the first tier in which anything claims it    one definition claims it     Claimed
                                                  two or more claim it         Ambiguous, an error naming them
    no tier                                                                    Unclaimed, with the nearest miss

A definition claims an attachment when every criterion it gives matches. Names, types, subjects and senders are
compared without case; `content` matches any one of the first lines. One without any criterion, as every .ttidef is,
claims what the others of its tier leave; the mail's own text only where there is nothing beside it. One that asks for
the subject or sender alone, which is true of all that is in the mail, leaves the text alone where it reads an
attachment: that is the covering words. A mail's own text and the HTML beside it are one report in two forms: whoever
reads tables of HTML is asked about the HTML, everybody else about the text, and one of them reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mailsync.core.model import Attachment
from mailsync.definition.filters import Filter
from mailsync.definition.model import Definition
from mailsync.definition.shown import printable

FirstLines = Callable[[Attachment, str], Sequence[str]]


class MailFacts(NamedTuple):
    """What a claim may ask of the mail: its subject, its single From address, whether more than text is in it.

    `reading` are the definitions that read something attached.
    """

    subject: str = ""
    sender: str = ""
    attached: bool = False
    reading: frozenset[str] = frozenset()


class Claimed(NamedTuple):
    """This definition reads the attachment."""

    definition: Definition


class Unclaimed(NamedTuple):
    """No definition reads it. `nearest` names the one that came closest (may be empty), `why` what did not match."""

    nearest: str
    why: str


class Ambiguous(NamedTuple):
    """Two or more definitions of one tier would read it: nobody does until one of them is more precise."""

    names: tuple[str, ...]


def claim(
    attachment: Attachment, facts: MailFacts, tiers: Sequence[Sequence[Definition]], *, first_lines: FirstLines
) -> Claimed | Unclaimed | Ambiguous:
    """Who reads the attachment. `first_lines(attachment, encoding)` gives the text `content` filters look at."""
    nearest, why, most = "", "there is no definition", -1
    # All built-in definitions ask for the first lines of one text, nearly all in one encoding: it is decoded once.
    first_lines = _remembered(first_lines)
    for tier in tiers:
        claiming = []
        for definition in filter(has_criteria, tier):
            if attachment.body and definition.name in facts.reading and _asks_of_the_mail_alone(definition):
                continue
            matched, missed = _compare(definition, form_for(definition, attachment), facts, first_lines)
            if not missed:
                claiming.append(definition)
            elif matched > most:
                nearest, why, most = definition.name, missed, matched
        if len(claiming) > 1:
            return Ambiguous(tuple(sorted(one.name for one in claiming)))
        if claiming:
            return Claimed(claiming[0])
        left = [one for one in tier if not has_criteria(one)]
        if left and not (attachment.body and facts.attached):
            return Claimed(left[0]) if len(left) == 1 else Ambiguous(tuple(sorted(one.name for one in left)))
    return Unclaimed(nearest, why)


def form_for(definition: Definition, attachment: Attachment) -> Attachment:
    """What a definition reads of an attachment: of a mail's own text the HTML beside it, when its tables are HTML."""
    return attachment.html if attachment.html and definition.layout.kind == "html" else attachment


def has_criteria(definition: Definition) -> bool:
    """False for a definition that reads what nothing else does, where a route names it."""
    return any(definition.claim)


def _asks_of_the_mail_alone(definition: Definition) -> bool:
    """True for a claim that says nothing of an attachment itself."""
    return not any((definition.claim.attachment, definition.claim.type, definition.claim.content))


def _compare(
    definition: Definition, attachment: Attachment, facts: MailFacts, first_lines: FirstLines
) -> tuple[int, str]:
    """How many criteria match before the first that does not, and what that one says (empty: all match)."""
    wanted = definition.claim
    # A member of an archive goes by its own name as well as by its path, and a mail's own HTML is its body too.
    names: tuple[str, ...] = (attachment.path, attachment.path.rpartition("!/")[2])
    if attachment.body and attachment.content_type == "text/html":
        names += ("(body)",)
    criteria = (
        ("attachment", wanted.attachment, names),
        ("type", wanted.type, (attachment.content_type,)),
        ("subject", wanted.subject, (facts.subject,)),
        ("sender", wanted.sender, (facts.sender,)),
    )
    matched = 0
    for name, filters, values in criteria:
        if filters and not _any_match(filters, values):
            return matched, f'{name} "{_shown(values[0])}" does not match {_listed(filters)}'
        matched += bool(filters)
    if wanted.content and not _any_match(wanted.content, first_lines(attachment, definition.layout.encoding)):
        return matched, f"none of its first lines matches {_listed(wanted.content)}"
    return matched, ""


def _remembered(first_lines: FirstLines) -> FirstLines:
    """The first lines of one attachment, in each of its forms, decoded once for each encoding."""
    known: dict[tuple[str, str], Sequence[str]] = {}

    def remembered(attachment: Attachment, encoding: str) -> Sequence[str]:
        key = (attachment.path, encoding)
        if key not in known:
            known[key] = first_lines(attachment, encoding)
        return known[key]

    return remembered


def _any_match(filters: Sequence[Filter], values: Sequence[str]) -> bool:
    return any(one.matching(values) for one in filters)


def _listed(filters: Sequence[Filter]) -> str:
    return " or ".join(f'"{one.text}"' for one in filters)


def _shown(text: str) -> str:
    plain = printable(text)
    return plain if len(plain) <= 60 else plain[:57] + "..."
