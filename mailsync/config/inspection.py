"""What can be wrong with a site's files before a mail arrives: faults, permissions, keys, definitions, time zones.

Strategy: every question is asked, whatever the answer to the others was; each answer is a `Finding` with its file and
line. Problems must be mended before mail can be trusted to the site; notes are for a person to judge.
"""

from __future__ import annotations

import hmac
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from mailsync.config.definitions import Definitions, read_definitions, unknown_names
from mailsync.config.keys import read_client_key, read_ring, read_token
from mailsync.config.ownership import require_owner, user_name
from mailsync.config.site import Listen, Site
from mailsync.core.errors import ConfigurationError, UsageError
from mailsync.definition.document import Fault
from mailsync.definition.model import Definition
from mailsync.wire.keys import ClientKey, public_key

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
    for path in (site.path, *sorted(site.definitions.glob("*.yaml"))):
        yield from _mode(path, _OTHERS_WRITE, "lets others change it")
    for folder in dict.fromkeys((site.state, site.audit.maildir)):
        try:
            require_owner(folder)
        except UsageError as error:
            yield Finding(PROBLEM, "permissions", str(folder), str(error), error.hint)
        if not folder.exists():
            continue
        yield from _mode(folder, _OTHERS, "lets others at mails and databases")
        yield from _strangers(folder)


def inspect_keys(site: Site) -> Iterator[Finding]:
    """The key, the login and the ring: readable, by nobody else, well-formed, and fitting each other."""
    key, findings = _read(read_client_key, site.server.key)
    yield from findings
    yield from _read(read_token, site.server.login)[1]
    if site.listen is not None:
        yield from _ring(site.listen, key)


def inspect_definitions(site: Site | None, folder: Path) -> Iterator[Finding]:
    """The definitions of the folder, the names that routes ask for, and the samples beside the definitions."""
    definitions, faults = read_definitions(folder)
    yield from from_faults("definitions", faults)
    if site is not None and not faults:
        yield from from_faults("definitions", unknown_names(site, definitions))
    for definition in definitions.by_name.values():
        yield from _samples(definition, definitions)


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


def _read(read: Callable[[Path], T], path: Path) -> tuple[T | None, tuple[Finding, ...]]:
    try:
        return read(path), ()
    except ConfigurationError as error:
        return None, tuple(from_error("keys", error))


def _ring(listen: Listen, key: ClientKey | None) -> Iterator[Finding]:
    ring, findings = _read(read_ring, listen.keys)
    yield from findings
    if ring is None or key is None:
        return
    held = ring.secrets.get(key.id)
    if held is None or not hmac.compare_digest(held, key.secret):
        text = f'the ring does not have the key "{key.id}" that this host connects with'
        yield Finding(PROBLEM, "keys", str(listen.keys), text, "mailsync server key new writes one that it has")
    if key.server and key.server != public_key(ring.static):
        text = f'the key "{key.id}" is for a server with another static key'
        yield Finding(PROBLEM, "keys", str(listen.keys), text, "mailsync server key new writes one for this server")


def _samples(definition: Definition, definitions: Definitions) -> Iterator[Finding]:
    """NAME.sample.* beside NAME.yaml, each compared with NAME.expected.json."""
    from mailsync.definition.samples import sample_differences
    from mailsync.tables.reader import read_table

    file = definitions.files[definition.name]
    expected = file.with_name(f"{file.stem}.expected.json")
    for sample in sorted(file.parent.glob(f"{file.stem}.sample.*")):
        if not expected.exists():
            yield Finding(PROBLEM, "samples", str(sample), f"there is no {expected.name} to compare with")
        elif sample.stat().st_size > MAX_SAMPLE:
            yield Finding(PROBLEM, "samples", str(sample), f"larger than {MAX_SAMPLE} bytes")
        else:
            wanted = expected.read_text(encoding="utf-8")
            content = sample.read_bytes()
            for text in sample_differences(definition, sample.name, content, wanted, read=read_table):
                yield Finding(PROBLEM, "samples", str(sample), text, f"mend {file.name}, or {expected.name}")
