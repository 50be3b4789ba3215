"""Certificates for the tests of TLS: self-signed, or signed by an authority that was made the same way."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = dt.timedelta(days=1)


class Signed(NamedTuple):
    """A certificate's files, and what signs others with it."""

    chain: Path
    key: Path
    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @property
    def pin(self) -> bytes:
        """The SHA-256 of the certificate."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).digest()


def certify(folder: Path, name: str, *, by: Signed | None = None, days: int = 2, host: str = "127.0.0.1") -> Signed:
    """A new certificate for an address, valid for so many days; the files are made, mode 0600."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY * 10)
        .not_valid_after(now + DAY * days)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
    )
    certificate = builder.sign(by.private if by else private, hashes.SHA256())
    made = Signed(folder / f"{name}.pem", folder / f"{name}.key", certificate, private)
    made.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    made.key.chmod(0o600)
    return made
