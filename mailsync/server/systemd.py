"""What systemd and a service say to each other: sockets it opened (LISTEN_FDS), and READY=1 (NOTIFY_SOCKET).

Both are a few lines of a documented protocol (sd_listen_fds(3), sd_notify(3)); without systemd nothing happens.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from mailsync.core.errors import MailsyncError

_FIRST = 3  # SD_LISTEN_FDS_START
_MOST = 16


def inherited_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets this process was started with; their variables are taken, so that no child sees them.

    Raises MailsyncError for one that is not TCP's.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return []
    sockets = []
    for number in range(_FIRST, _FIRST + min(int(count), _MOST)):
        os.set_inheritable(number, False)  # noqa: FBT003 - os's own signature
        sockets.append(socket.socket(fileno=number))
        if sockets[-1].family not in (socket.AF_INET, socket.AF_INET6) or sockets[-1].type != socket.SOCK_STREAM:
            raise MailsyncError("the socket from systemd is not TCP's", hint="ListenStream=PORT in the socket unit")
    return sockets


def notify(state: str, environ: MutableMapping[str, str]) -> None:
    """Tells systemd `READY=1` or `STOPPING=1`, if it wants to know."""
    path = environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
        try:
            told.sendto(state.encode(), b"\0" + path[1:].encode() if path[0] == "@" else path)
        except OSError:
            return  # who started this does not listen: nothing depends on it
