"""Who may touch a site's files: state/ and audit/ belong to one user, secrets to nobody else.

Strategy: look before writing. A database that root once wrote would turn every later mail into 75, so a command run by
somebody other than the folder's owner refuses with the command that works. A secret others can read is refused too.

A folder that hides its files tells its owner all the same: that is who may look.

secret file          owner is the user or root      owner is somebody else
mode 0600, 0400      read                           refused (root may read it)
group or others      refused                        refused
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from mailsync.core.errors import ConfigurationError, UsageError


class OwnerError(UsageError):
    """Somebody else's site: `owner` is the user whose command it would be. `cli.main` knows the whole command."""

    def __init__(self, text: str, owner: str) -> None:
        super().__init__(text, hint=as_owner(owner, ("...",)))
        self.owner = owner


def require_owner(path: Path) -> None:
    """Returns when the effective user owns `path` (or, while it does not exist, the folder it will be made in).

    Raises OwnerError with the `sudo -u USER` that works; `filter` turns it into 75 as everything else.
    """
    owner = other_owner(path)
    if owner:
        text = f"belongs to {owner}; {user_name(os.geteuid())} would leave files in it that {owner} cannot use"
        raise OwnerError(f"{nearest_existing(path)} {text}", owner)


def other_owner(path: Path) -> str:
    """The name of who owns `path`, or the closest folder above it that can be seen; empty when it is this user."""
    owner = nearest_existing(path).stat().st_uid
    return "" if owner == os.geteuid() else user_name(owner)


def as_owner(owner: str, words: Sequence[str]) -> str:
    """How to run `mailsync WORDS` as the owner, for a hint; not every host has sudo."""
    import shlex

    command = shlex.join(("mailsync", *words))
    return f"sudo -u {owner} {command} (or: runuser -u {owner} -- {command})"


def read_secret(path: Path, encoding: str = "ascii") -> str:
    """The text of a file that holds a secret. Raises ConfigurationError when it is missing, or open to others."""
    complaint = secret_complaint(path)
    if complaint:
        raise ConfigurationError((f"{path}: {complaint}",), hint=secret_hint(path))
    try:
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError:
        text = "not plain ASCII text" if encoding == "ascii" else "not UTF-8 text"
        # Without the cause: it holds what was read, and a traceback may show it.
        raise ConfigurationError((f"{path}: {text}",)) from None
    except OSError as error:
        raise ConfigurationError((f"{path}: cannot be read: {error.strerror}",)) from error


def secret_complaint(path: Path) -> str:
    """What is wrong with a secret's file, seen from outside; empty when it may be read."""
    try:
        found = path.stat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return "is not a file"
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return f"mode {mode:04o} lets others at a secret"
    user = os.geteuid()
    if user and found.st_uid not in (0, user):
        return f"belongs to {user_name(found.st_uid)}, not to {user_name(user)}"
    return ""


def secret_hint(path: Path) -> str:
    """What makes a complained-about secret usable."""
    try:
        mode = path.stat().st_mode
    except PermissionError:
        return f"run this as {other_owner(path) or 'root'}"
    except OSError:
        return "mailsync init makes a site with its keys"
    if not stat.S_ISREG(mode):
        return "name the file"
    return f"chmod 600 {path}" if mode & 0o077 else f"run this as {other_owner(path)}"


def nearest_existing(path: Path) -> Path:
    """The path itself, or the closest folder above it that exists and can be seen."""
    path = path.absolute()
    while not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a folder hides its files
        path = path.parent
    return path


def user_name(number: int) -> str:
    """The login name of a user id; the number as text when it has none."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
