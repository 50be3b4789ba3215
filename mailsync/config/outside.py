"""What lies around the protocol: TLS on either side, and a proxy on the client's, read from their sections.

The client's own file decides whether it speaks TLS; nothing a server says can talk it out of it.
"""

from __future__ import annotations

from pathlib import Path

from mailsync.config.site import ListenTls, ServerTls
from mailsync.definition.document import Section

LISTEN_MODES = ("off", "allowed", "required")
SERVER_MODES = ("off", "required")
ENVIRONMENT = "environment"
_HEX = frozenset("0123456789abcdef")
_PIN_HINT = "openssl x509 -in CERTIFICATE -noout -fingerprint -sha256"


def read_listen_tls(section: Section, folder: Path) -> ListenTls | None:
    """How `server run` offers TLS; None when it does not."""
    if not section.has("tls"):
        return None
    tls = section.section("tls")
    mode = tls.choice("mode", LISTEN_MODES, "off", required=True)
    needed = mode != "off"
    chain, key = tls.text("certificate", required=needed), tls.text("key", required=needed)
    tls.finish("tls")
    return ListenTls(mode, folder / chain, folder / key) if needed else None


def read_server_tls(section: Section, folder: Path) -> ServerTls | None:
    """How this host insists on TLS; None when it does not speak it."""
    if not section.has("tls"):
        return None
    tls = section.section("tls")
    mode = tls.choice("mode", SERVER_MODES, "off", required=True)
    authority, pinned = tls.text("ca"), tls.text("pinned").replace(":", "").lower()
    if pinned and (len(pinned) != 64 or not _HEX.issuperset(pinned)):
        tls.fault("pinned", "not the SHA-256 of a certificate: 64 hexadecimal digits", _PIN_HINT)
        pinned = ""
    if pinned and authority:
        tls.fault("pinned", '"pinned" and "ca" exclude each other', "a pinned certificate needs no authority")
    tls.finish("tls")
    return ServerTls(folder / authority if authority else None, pinned) if mode == "required" else None


def read_proxy(section: Section) -> str:
    """`http://[USER:PASSWORD@]HOST:PORT`, `environment`, or nothing. A fault never cites it: it may hold a password."""
    text = section.text("proxy")
    if text and text != ENVIRONMENT and split_proxy(text) is None:
        section.fault("proxy", '"proxy" is neither http://HOST:PORT nor environment', "http://proxy.example.com:3128")
    return text


def split_proxy(url: str) -> tuple[str, str] | None:
    """`HOST:PORT` and `USER:PASSWORD` (as it stands, empty without one) of a proxy's URL; None for another URL."""
    from mailsync.config.reading import valid_address

    scheme, _, rest = url.partition("://")
    credentials, _, address = rest.removesuffix("/").rpartition("@")
    if scheme.lower() != "http" or not valid_address(address):
        return None
    return address, credentials
