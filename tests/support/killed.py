"""Runs `mailsync` and kills it, with SIGKILL, just before its N-th effect; N = 0 counts the effects instead.

    python killed.py N WORDS...        the count goes to stderr, as `effects: N`

An effect is any call into C that changes the world or waits for it: files, folders, SQLite, sockets, programs. They
are seen by the interpreter's own profiling hook, so that no code of the program has to know of this.
"""

from __future__ import annotations

import io
import os
import signal
import sys

EFFECTS = {
    "commit",
    "connect",
    "execute",
    "executemany",
    "fork_exec",
    "fsync",
    "lockf",
    "mkdir",
    "recv",
    "recv_into",
    "rename",
    "replace",
    "send",
    "sendall",
    "unlink",
    "write",
}
IN_MEMORY = (str, bytes, io.StringIO, io.BytesIO)


def is_effect(function: object) -> bool:
    """True for a call that reaches outside the process; texts and buffers in memory have methods of these names too."""
    return getattr(function, "__name__", "") in EFFECTS and not isinstance(
        getattr(function, "__self__", None), IN_MEMORY
    )


def main() -> None:
    from mailsync.cli.main import main as mailsync

    target = int(sys.argv[1])
    seen = 0
    me = os.getpid()

    def watch(_frame: object, event: str, function: object) -> None:
        nonlocal seen
        if event == "c_call" and is_effect(function) and os.getpid() == me:
            seen += 1
            if seen == target:
                os.kill(me, signal.SIGKILL)

    sys.setprofile(watch)
    status = mailsync(sys.argv[2:])
    sys.setprofile(None)
    if not target:
        print(f"effects: {seen}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
