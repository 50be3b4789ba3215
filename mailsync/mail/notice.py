"""The plain mails of a site to its operator: a run was given up, the program crashed, the server lost mails.

They are short, because they may be sent when nothing else works: no template, no HTML, no server. Tokens in them are
hidden (`redact`), texts from the mail are one line each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailsync.mail.sender import redact
from mailsync.mail.shown import one_line

MAX_TRACEBACK = 8_000
MAX_LOST = 200  # mails listed in one notice


class Notice(NamedTuple):
    """A notice's subject, one line, and its text."""

    subject: str
    text: str


class HeldMail(NamedTuple):
    """What a notice says about a mail; `run` is its id as hex, `attempts` how often it was tried."""

    run: str
    sender: str
    subject: str
    reason: str
    attempts: int = 0


class LostMail(NamedTuple):
    """A mail that was applied and is lost: `run` as hex, when it was received, and the scopes it is lost in."""

    run: str
    sender: str
    subject: str
    received: int
    scopes: tuple[str, ...]


def lost_notice(mails: Sequence[LostMail]) -> Notice:
    """Says which mails were applied and are not in the server any more."""
    listed = "".join(
        f"  {one.run[:16]}  {', '.join(one.scopes)}  {_safe(one.sender) or '(nobody)'}\n"
        f"    {_safe(one.subject) or '(no subject)'}\n"
        for one in mails[:MAX_LOST]
    )
    more = f"  and {len(mails) - MAX_LOST} more: mailsync audit lost\n" if len(mails) > MAX_LOST else ""
    noun = "1 mail was" if len(mails) == 1 else f"{len(mails)} mails were"
    said = (
        f"{noun} applied, and the server does not have what was done any more: it was restored from a\n"
        "backup, or another one took its place. Nothing was done about it by itself.\n\n"
    )
    advice = (
        "\nThe next reports set right what they speak of. What only these mails said is to be sent again, as new\n"
        "mails. To see the list: mailsync audit lost. When all is dealt with: mailsync audit lost --clear\n"
    )
    return Notice(_subject("lost", f"{noun} applied and lost by the server"), f"{said}{listed}{more}{advice}")


def given_up_notice(mail: HeldMail, states: tuple[str, ...]) -> Notice:
    """Says that a run was given up, and which scopes are done; `states` are lines such as `US01.LTO: done`."""
    listed = "".join(f"  {_safe(state)}\n" for state in states) or "  none was reached\n"
    said = f"A mail was given up: {_safe(mail.reason)}.\n\nScopes:\n{listed}"
    advice = "When the cause is gone, send the report again, as a new mail: what is done is not done twice.\n"
    return Notice(_subject("failed", mail.reason), f"{said}\n{_about(mail)}\n{advice}")


def crash_alert(mail: HeldMail, traceback: str) -> Notice:
    """Says that the program failed on a mail until it was held, with the end of its traceback, tokens hidden."""
    lines = redact(traceback[-MAX_TRACEBACK:]).splitlines()
    quoted = "\n".join(f"  {one_line(line)}" for line in lines)
    said = (
        f"mailsync failed {mail.attempts} times on the same mail, which is now held: {_safe(mail.reason)}.\n\n"
        "Other mails are not affected. This is a fault of mailsync or of its site: please report it with the\n"
        "traceback below."
    )
    return Notice(_subject("crashed", mail.reason), f"{said}\n\n{_about(mail)}\n{quoted}\n")


def _subject(word: str, reason: str) -> str:
    return one_line(f"[mailsync] {word}: {_safe(reason)}", 160)


def _about(mail: HeldMail) -> str:
    return (
        f"  from     {_safe(mail.sender) or '(nobody)'}\n"
        f"  subject  {_safe(mail.subject) or '(none)'}\n"
        f"  run      {mail.run}\n\n"
        f"To look at it: mailsync held show {mail.run[:16]}\n"
    )


def _safe(text: str) -> str:
    return one_line(redact(text))
