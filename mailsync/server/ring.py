"""The key ring of a running server: its file, read again when it changes, so that keys come and go without a restart.

A file that cannot be read while it is being replaced leaves the ring as it was. The server's own static key is the
one it started with: a new one means new client keys anyway.
"""

from __future__ import annotations

from pathlib import Path

from mailsync.config.keys import read_ring
from mailsync.core.errors import ConfigurationError

Stamp = tuple[int, int, int]


class RingFile:
    """The ring in a file. Raises ConfigurationError when it cannot be read at first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self._ring = read_ring(path)

    @property
    def static(self) -> bytes:
        """The server's private key."""
        return self._ring.static

    def secret(self, key_id: str) -> bytes | None:
        """The secret of a client's key, None when the ring does not have it (any more)."""
        stamp = self._look()
        if stamp != self._stamp:
            self._read_again(stamp)
        return self._ring.secrets.get(key_id)

    def _read_again(self, stamp: Stamp | None) -> None:
        try:
            ring = read_ring(self._path)
        except ConfigurationError:
            return
        self._ring = ring._replace(static=self._ring.static)
        self._stamp = stamp

    def _look(self) -> Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
