"""TLS 1.3 around the protocol, from the client's side.

configured     the server's certificate must
pinned         have this SHA-256; its name, its dates and who signed it do not matter
ca             be signed by one of these, be valid today, and name the host
neither        the same, with the system's list of authorities
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl

from mailsync.client.way import Tls
from mailsync.core.errors import ConfigurationError, ForeignProtocolError, RefusedError, UnreachableError

_OFF = "is TLS on there, listen.tls? if not: server.tls: {mode: off} here"
_HINT = "server.tls in mailsync.yaml: ca or pinned; or something else answers in the server's place"


def inside_tls(connected: socket.socket, tls: Tls, address: str, host: str) -> ssl.SSLSocket:
    """The connection inside TLS 1.3, once the server's certificate is the right one.

    Raises RefusedError (the certificate), ForeignProtocolError (no TLS 1.3), ConfigurationError (ours), OSError.
    """
    context = _context(tls)
    try:
        wrapped = context.wrap_socket(connected, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(f"server {address}: its certificate: {error.verify_message}", hint=_HINT) from error
    except (ssl.SSLEOFError, ConnectionResetError) as error:
        raise UnreachableError(f"server {address} hung up on TLS", hint=_OFF) from error
    except TimeoutError:
        raise
    except ssl.SSLError as error:
        raise ForeignProtocolError(f"what answers at {address} does not speak TLS 1.3", hint=_OFF) from error
    if tls.pinned and not _is_pinned(wrapped, tls.pinned):
        wrapped.close()
        raise RefusedError(f"server {address}: its certificate is not the pinned one", hint=_HINT)
    return wrapped


def _is_pinned(wrapped: ssl.SSLSocket, pinned: bytes) -> bool:
    shown = wrapped.getpeercert(binary_form=True)
    return shown is not None and hmac.compare_digest(hashlib.sha256(shown).digest(), pinned)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if tls.pinned:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate itself is compared instead
    elif tls.authority is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(tls.authority)
        except OSError as error:
            text = f"{tls.authority}: not certificates in PEM: {error.strerror or error}"
            raise ConfigurationError((text,), hint="server.tls.ca in mailsync.yaml") from error
    return context
