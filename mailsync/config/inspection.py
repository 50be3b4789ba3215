"""What can be wrong with a site's files before a mail arrives: faults, permissions, keys, databases, definitions.

Strategy: every question is asked, whatever the answer to the others was; each answer is a `Finding` with its file and
line. Problems must be mended before mail can be trusted to the site; notes are for a person to judge.

the same claim twice     in the first tier that has definitions    in a later tier
                         problem                                   note: few mails come that far
  silenced by a tier above that has that claim too                 nothing
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

from mailsync.config.definitions import ENDINGS, Definitions, read_definitions, unknown_names
from mailsync.config.keys import read_client_key, read_login, read_ring
from mailsync.config.ownership import as_owner, other_owner, secret_complaint, secret_hint, user_name
from mailsync.config.route import SENDER
from mailsync.config.site import Listen, Site
from mailsync.core.errors import ConfigurationError
from mailsync.definition.document import Fault
from mailsync.definition.model import Claim, Definition
from mailsync.wire.keys import ANYBODY, ClientKey, public_key

PROBLEM, NOTE = "problem", "note"
MAX_SAMPLE = 10_000_000
T = TypeVar("T")
_OTHERS, _OTHERS_WRITE = 0o077, 0o022


class Finding(NamedTuple):
    """One answer: how bad, about what, where (`file:line:column`, or empty), what, and what to do (may be empty)."""

    level: str
    area: str
    place: str
    text: str
    hint: str = ""


def from_faults(area: str, faults: Iterable[Fault]) -> Iterator[Finding]:
    """Faults as findings."""
    for fault in faults:
        place = f"{fault.file}:{fault.line}:{fault.column}" if fault.line else fault.file
        yield Finding(PROBLEM, area, place, fault.text, fault.hint)


def from_error(area: str, error: ConfigurationError) -> Iterator[Finding]:
    """An error's faults, each `place: text`, as findings."""
    hint = "" if "mailsync check" in error.hint else error.hint
    for fault in error.faults:
        place, colon, text = fault.partition(": ")
        known = bool(colon) and " " not in place
        yield Finding(PROBLEM, area, place if known else "", text if known else fault, hint)


def inspect_permissions(site: Site) -> Iterator[Finding]:
    """Who can read or change what is the site's own; what a wrong owner would break."""
    definitions = (path for ending in ENDINGS for path in site.definitions.glob(f"*{ending}"))
    for path in (site.path, *sorted(definitions)):
        yield from _mode(path, _OTHERS_WRITE, "lets others change it")
    if "@" in site.server.proxy:
        yield from _mode(site.path, _OTHERS, "lets others at the proxy's password")
    for folder in dict.fromkeys((site.state, site.audit.maildir)):
        owner = other_owner(folder)
        if owner:
            hint = as_owner(owner, ("check", "--config", str(site.path)))
            yield Finding(PROBLEM, "permissions", str(folder), f"belongs to {owner}: run this as {owner}", hint)
        if not folder.exists():
            continue
        yield from _mode(folder, _OTHERS, "lets others at mails and databases")
        yield from _strangers(folder)


def inspect_keys(site: Site) -> Iterator[Finding]:
    """The key, the login and the ring: readable, by nobody else, well-formed, and fitting each other."""
    key, findings = _read(read_client_key, site, "server.key", site.server.key)
    yield from findings
    yield from _read(lambda _: read_login(site.server), site, "server.login", site.server.login)[1]
    if site.listen is not None:
        yield from _ring(site, site.listen, key)
    yield from _certificates(site)


def inspect_databases(site: Site) -> Iterator[Finding]:
    """The journal, and the store where this host serves one: with another file in its place, every mail is queued."""
    scheme, _, place = site.listen.store.partition(":") if site.listen is not None else ("", "", "")
    for path in (site.audit.journal, *([Path(place)] if scheme == "sqlite" else [])):
        if path.exists():
            yield from _database(path)


def inspect_audiences(site: Site) -> Iterator[Finding]:
    """The audiences that nothing is ever sent to."""
    for route in site.routes:
        for audience in route.audiences:
            # Every way to authenticate that this version has is a token, which proves no address.
            if audience.name == SENDER and audience.when != "never":
                line, column = route.places[f"audiences.{SENDER}"]
                text = f'route "{route.name}": the sender is never written to, a token does not prove the From address'
                hint = "remove the audience, or name it otherwise and say who: to: [ops@example.com]"
                yield Finding(NOTE, "configuration", f"{site.path}:{line}:{column}", text, hint)


def inspect_definitions(site: Site | None, folder: Path) -> Iterator[Finding]:
    """The definitions of the folder, the names that routes ask for, and the samples beside the definitions."""
    definitions, faults = read_definitions(folder)
    yield from from_faults("definitions", faults)
    if site is not None and not faults:
        unknown = unknown_names(site, definitions)
        yield from from_faults("definitions", unknown)
        yield from () if unknown else _same_claims(site, definitions)
        yield from _built_in(site, definitions)
    for name, definition in definitions.by_name.items():
        yield from _samples(definition, definitions.files[name])
    yield from _left_alone(folder)


def inspect_time_zones(site: Site) -> Iterator[Finding]:
    """The time zones of the routes that this machine does not know."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    for route in site.routes:
        try:
            ZoneInfo(route.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            line, column = route.places["timezone"]
            text = f'route "{route.name}": time zone "{route.timezone}" is unknown on this machine'
            hint = "a name such as Europe/Berlin; Debian: apt install tzdata"
            yield Finding(PROBLEM, "configuration", f"{site.path}:{line}:{column}", text, hint)


def _mode(path: Path, forbidden: int, why: str) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & forbidden:
        wanted = mode & ~forbidden
        yield Finding(PROBLEM, "permissions", str(path), f"mode {mode:04o} {why}", f"chmod {wanted:o} {path}")


def _strangers(folder: Path) -> Iterator[Finding]:
    """Files directly in the folder that its owner may not be able to write: root ran something here."""
    owner = folder.stat().st_uid
    for path in sorted(folder.iterdir()):
        found = path.lstat().st_uid
        if found != owner:
            text = f"belongs to {user_name(found)}, not to {user_name(owner)} as its folder"
            yield Finding(PROBLEM, "permissions", str(path), text, f"chown {user_name(owner)} {path}")


def _read(read: Callable[[Path], T], site: Site, setting: str, path: Path) -> tuple[T | None, tuple[Finding, ...]]:
    """What a secret's file holds, None when it cannot be read; a missing one is cited where it is named."""
    try:
        return read(path), ()
    except ConfigurationError as error:
        if os.path.lexists(path):
            return None, tuple(from_error("keys", error))
        line, column = site.places[setting]
        return None, (Finding(PROBLEM, "keys", f"{site.path}:{line}:{column}", str(error), error.hint),)


def _database(path: Path) -> Iterator[Finding]:
    import sqlite3

    try:
        # Immutable: no file is made beside a database that may be somebody else's.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        hint = "put it back from a backup, as docs/operations.md says"
        yield Finding(PROBLEM, "databases", str(path), f"cannot be opened: {error}", hint)


def _same_claims(site: Site, definitions: Definitions) -> Iterator[Finding]:
    """Definitions that claim the very same attachments, for the routes that ask them together."""
    levels: dict[tuple[str, str], str] = {}
    for route in site.routes:
        claimed: dict[Claim, str] = {}
        level = PROBLEM
        for tier in definitions.tiers(route):
            here: dict[Claim, str] = {}
            for one in tier:
                first = here.setdefault(one.claim, one.name)
                if first != one.name and one.claim not in claimed:
                    levels[first, one.name] = PROBLEM if PROBLEM in (level, levels.get((first, one.name))) else NOTE
            claimed |= here
            level = NOTE if tier else level
    for (first, second), level in levels.items():
        text = f'claims what "{first}" claims: an attachment that both claim is read by neither'
        hint = "make the claim of one of them more precise"
        yield Finding(level, "definitions", str(definitions.file(second)), text, hint)


def _built_in(site: Site, definitions: Definitions) -> Iterator[Finding]:
    """Which routes read with a built-in definition: an upgrade may change it, and none of the site's stands for it."""
    for route in site.routes:
        names = [name for name in route.definitions if name not in definitions.by_name and definitions.has(name)]
        if names:
            line, column = route.places["definitions"]
            text = f'route "{route.name}" names built-in definitions: {", ".join(names)}'
            hint = f"to keep one as it is now: mailsync definitions show {names[0]} > definitions/{names[0]}.yaml"
            yield Finding(NOTE, "definitions", f"{site.path}:{line}:{column}", text, hint)


def _ring(site: Site, listen: Listen, key: ClientKey | None) -> Iterator[Finding]:
    ring, findings = _read(read_ring, site, "listen.keys", listen.keys)
    yield from findings
    if ring is None or key is None:
        return
    held = ring.secrets.get(key.id)
    if held is None or not hmac.compare_digest(held, key.secret):
        text = f'the ring does not have the key "{key.id}" that this host connects with'
        yield Finding(PROBLEM, "keys", str(listen.keys), text, "mailsync server key new writes one that it has")
    if key.server and key.server != public_key(ring.terms.get(key.id, ANYBODY).static or ring.static):
        text = f'the key "{key.id}" is for a server with another static key'
        yield Finding(PROBLEM, "keys", str(listen.keys), text, "mailsync server key new writes one for this server")


def _certificates(site: Site) -> Iterator[Finding]:
    """TLS: the server's certificate and its key, and whom a client believes."""
    import ssl

    offered = site.listen.tls if site.listen is not None else None
    if offered is not None:
        complaint = secret_complaint(offered.key)
        if complaint:
            yield Finding(PROBLEM, "keys", str(offered.key), complaint, secret_hint(offered.key))
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(offered.certificate, offered.key)
        except OSError as error:  # ssl's own errors are OSErrors
            text = f"not a certificate that {offered.key} belongs to: {error.strerror or error}"
            yield Finding(PROBLEM, "keys", str(offered.certificate), text, "both in PEM, the server's own one first")
    authority = site.server.tls.authority if site.server.tls is not None else None
    if authority is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(authority)
        except OSError as error:
            text = f"not certificates in PEM: {error.strerror or error}"
            yield Finding(PROBLEM, "keys", str(authority), text, "server.tls.ca in mailsync.yaml")


def _left_alone(folder: Path) -> Iterator[Finding]:
    """The samples in the folder whose definition is not there any more: nothing is compared with them."""
    from mailsync.definition.samples import unpaired_names

    try:
        files = list(folder.iterdir())
    except OSError:
        return  # which is told where the definitions are read
    stems = [file.stem for file in files if file.suffix in ENDINGS]
    for name, stem in unpaired_names(stems, (file.name for file in files if file.suffix not in ENDINGS)):
        text = f"there is no definition {stem} beside it, so it is compared with nothing"
        yield Finding(PROBLEM, "samples", str(folder / name), text, f"remove it, or put {stem}.yaml beside it")


def _samples(definition: Definition, file: Path) -> Iterator[Finding]:
    """The samples beside the file, each compared with its expected JSON."""
    from mailsync.definition.samples import pair_samples, sample_differences
    from mailsync.tables.reader import read_table

    paired = pair_samples(file.stem, (one.name for one in file.parent.iterdir()))
    for name in paired.alone:
        text = "there is no sample to compare with it"
        yield Finding(PROBLEM, "samples", str(file.with_name(name)), text, "remove it, or put the sample beside it")
    for name, expected in paired.samples:
        sample, wanted = file.with_name(name), file.with_name(expected)
        if not wanted.exists():
            hint = f"mailsync definitions test {definition.name} {sample} prints what it would hold"
            yield Finding(PROBLEM, "samples", str(sample), f"there is no {expected} to compare with", hint)
        elif sample.stat().st_size > MAX_SAMPLE:
            yield Finding(PROBLEM, "samples", str(sample), f"larger than {MAX_SAMPLE} bytes")
        else:
            text = wanted.read_text(encoding="utf-8")
            for said in sample_differences(definition, name, sample.read_bytes(), text, read=read_table):
                yield Finding(PROBLEM, "samples", str(sample), said, f"mend {file.name}, or {expected}")
