"""Handing a finished message to the outside: a sendmail program, or a Maildir that files it instead.

Strategy: the program reads the kept file itself. Through a pipe, a filter killed half way would end the message there,
and the program would send what it has. The envelope sender is `<>` (RFC 3834: nothing answers an answer) unless the
configured words set one. A program that does not accept the message is a condition outside the mail: the reply is
kept, and sent again.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from mailsync.client.archive import deliver, make_maildir
from mailsync.core.errors import TemporaryError

_SECONDS = 60
_HINT = "the reply is kept in the audit Maildir and sent again with the next attempt"


def send(program: tuple[str, ...] | Path, message: Path, *, name: str) -> None:
    """Hands the message in a file over; returns when it was accepted, raises TemporaryError when not.

    A program that is a Path is a Maildir; `name` names the file in it: a message handed over twice is filed once.
    """
    if isinstance(program, Path):
        _file(program, message, name)
    else:
        _run(program, message)


def _file(folder: Path, message: Path, name: str) -> None:
    try:
        make_maildir(folder)
        deliver(folder, "new", name, message.read_bytes())
    except OSError as error:
        raise TemporaryError(f"cannot file the reply in {folder}: {error.strerror or error}", hint=_HINT) from error


def _run(program: tuple[str, ...], message: Path) -> None:
    sender = () if any(word.startswith("-f") for word in program[1:]) else ("-f", "<>")
    try:
        with message.open("rb") as file:
            done = subprocess.run(  # noqa: S603 - an argv of the site's own, no shell
                [*program, *sender], stdin=file, capture_output=True, timeout=_SECONDS, check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TemporaryError(f"sendmail {program[0]}: {error}", hint=_HINT) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[:1]
        text = f"sendmail {program[0]} ended with status {done.returncode}" + "".join(f": {line}" for line in said)
        raise TemporaryError(text, hint=_HINT)
