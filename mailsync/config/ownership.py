"""Who may touch a site's files: state/ and audit/ belong to one user, secrets to nobody else.

Strategy: look before writing. A database that root once wrote would turn every later mail into 75, so a command run by
somebody other than the folder's owner refuses with the command that works. A secret others can read is refused too.

secret file          owner is the user or root      owner is somebody else
mode 0600, 0400      read                           refused (root may read it)
group or others      refused                        refused
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mailsync.core.errors import ConfigurationError, UsageError


def require_owner(path: Path) -> None:
    """Returns when the effective user owns `path` (or, while it does not exist, the folder it will be made in).

    Raises UsageError with the `sudo -u USER` that works; `filter` turns it into 75 as everything else.
    """
    existing = nearest_existing(path)
    owner = existing.stat().st_uid
    if owner != os.geteuid():
        name = user_name(owner)
        raise UsageError(
            f"{existing} belongs to {name}; {user_name(os.geteuid())} would leave files in it that {name} cannot use",
            hint=f"sudo -u {name} mailsync ...",
        )


def read_secret(path: Path) -> str:
    """The text of a file that holds a secret. Raises ConfigurationError when it is missing, or open to others."""
    complaint = secret_complaint(path)
    if complaint:
        raise ConfigurationError((f"{path}: {complaint}",), hint=secret_hint(path))
    try:
        return path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise ConfigurationError((f"{path}: not plain ASCII text",)) from error
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
    return f"chmod 600 {path}" if path.exists() else "mailsync init makes a site with its keys"


def nearest_existing(path: Path) -> Path:
    """The path itself, or the closest folder above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def user_name(number: int) -> str:
    """The login name of a user id; the number as text when it has none."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
