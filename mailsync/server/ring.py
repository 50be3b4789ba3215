"""The key ring of a running server: its file, read again when it changes, so that keys come and go without a restart.

A file that cannot be read while it is being replaced leaves the ring as it was. A key that was made for an earlier
static key of the server goes on with that one; users that do not exist are made up from the newest.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from mailsync.config.keys import read_ring
from mailsync.core.errors import ConfigurationError
from mailsync.wire.keys import ANYBODY

Stamp = tuple[int, int, int]


class Entry(NamedTuple):
    """What a client's key opens a connection with: its secret, the server's private key for it, its users (empty: any).

    The secret of a key that the ring does not have (any more), or not for this client's address, is None.
    """

    secret: bytes | None
    static: bytes = b""
    users: tuple[str, ...] = ()


class RingFile:
    """The ring in a file. Raises ConfigurationError when it cannot be read at first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self._ring = read_ring(path)

    @property
    def static(self) -> bytes:
        """The server's newest private key."""
        return self._ring.static

    def find(self, key_id: str, address: str) -> Entry:
        """What the ring has, as of now, for a key id that is named from an address."""
        stamp = self._look()
        if stamp != self._stamp:
            self._read_again(stamp)
        users, networks, static = self._ring.terms.get(key_id, ANYBODY)
        if networks and not _is_within(address, networks):
            return Entry(None)
        return Entry(self._ring.secrets.get(key_id), static or self._ring.static, users)

    def _read_again(self, stamp: Stamp | None) -> None:
        try:
            self._ring = read_ring(self._path)
        except ConfigurationError:
            return
        self._stamp = stamp

    def _look(self) -> Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        client = ip_address(address.partition("%")[0])
    except ValueError:
        return False  # it was gone before it could be asked about
    if isinstance(client, IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return any(client in ip_network(one) for one in networks)
