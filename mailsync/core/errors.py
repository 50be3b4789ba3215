"""What can go wrong with the world, as exceptions that know their exit status.

A bad row is a value (`model.Problem`); a bad world is one of these. There is no third kind. Each error says
operation, object and cause in its text, and what to do in its hint; `cli.main` prints both, `filter` turns every
one of them into 75.
"""

from __future__ import annotations

from typing import ClassVar


class MailsyncError(Exception):
    """A condition outside the mail. `hint` says what to do about it; it may be empty."""

    exit_status: ClassVar[int] = 1

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class UsageError(MailsyncError):
    """The command's words are off."""

    exit_status = 2


class ConfigurationError(MailsyncError):
    """The site's files are wrong: `faults` holds every fault found, each `file:line:column: message`."""

    exit_status = 2

    def __init__(self, faults: tuple[str, ...], *, hint: str = "run: mailsync check") -> None:
        super().__init__("\n".join(faults), hint=hint)
        self.faults = faults


class TemporaryError(MailsyncError):
    """Something outside the mail failed; nothing is lost, and the same run may be tried again."""

    exit_status = 75


class DeadlineError(TemporaryError):
    """The time an attempt may take is over."""


class UnreachableError(TemporaryError):
    """The server did not answer."""


class RefusedError(MailsyncError):
    """The server answered, and said no (key, login or grant)."""

    exit_status = 77


class ForeignProtocolError(MailsyncError):
    """Something answered that does not speak the protocol."""

    exit_status = 76
