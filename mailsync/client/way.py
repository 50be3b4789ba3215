"""The way to the server: through a proxy or not, inside TLS or not. Values only; this host's own file decides both.

proxy in the file     what is used
absent                none, whatever the environment says
http://...            that one
environment           https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, the first that is set; none for a host that
                      no_proxy names: itself, a domain it ends with, or *
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.errors import UsageError

if TYPE_CHECKING:
    from mailsync.config.site import Server

_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")


class Tls(NamedTuple):
    """TLS on the way: who signs the server's certificate, or the SHA-256 it has (32 bytes); neither: the system's."""

    authority: Path | None = None
    pinned: bytes = b""


class Proxy(NamedTuple):
    """A proxy that does CONNECT. `credentials` is `USER:PASSWORD` in the URL's own escapes, and never shown."""

    host: str
    port: int
    credentials: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


class Way(NamedTuple):
    """What lies between this host and the server."""

    tls: Tls | None = None
    proxy: Proxy | None = None


DIRECT = Way()


def way_of(server: Server, environ: Mapping[str, str]) -> Way:
    """The way that the site's file describes. Raises UsageError for a variable that is no proxy's URL."""
    if server.tls is None and not server.proxy:
        return DIRECT
    tls = Tls(server.tls.authority, bytes.fromhex(server.tls.pinned)) if server.tls else None
    return Way(tls, _proxy(server.proxy, server.address, environ))


def _proxy(configured: str, address: str, environ: Mapping[str, str]) -> Proxy | None:
    from mailsync.config.outside import ENVIRONMENT, split_proxy

    url, source = configured, "server.proxy"
    if configured == ENVIRONMENT:
        source = next((name for name in _VARIABLES if environ.get(name)), "")
        exceptions = next((environ[name] for name in _EXCEPTIONS if environ.get(name)), "")
        url = "" if _excepted(address.rpartition(":")[0], exceptions) else environ.get(source, "")
    if not url:
        return None
    found = split_proxy(url)
    if found is None:
        raise UsageError(f"{source} is not http://HOST:PORT", hint="such as http://proxy.example.com:3128")
    host, _, port = found[0].rpartition(":")
    return Proxy(host.removeprefix("[").removesuffix("]"), int(port), found[1])


def _excepted(host: str, exceptions: str) -> bool:
    host = host.strip("[]").lower()
    for entry in exceptions.lower().replace(",", " ").split():
        name = entry.lstrip(".")
        if entry == "*" or host == name or host.endswith(f".{name}"):
            return True
    return False
