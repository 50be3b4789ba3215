"""The site: mailsync.yaml as one value, read whole or refused with everything that is wrong with it.

Strategy: this is on the path of every mail, duplicates too, so only YAML and the filters' matcher are imported. Key
and login files are named here and read where they are used; of the routes' tokens only digests exist, and those are
read at once. Relative paths are relative to the file. docs/configuration.md documents every key.

where the file is looked for, first one wins
1  --config FILE              4  $XDG_CONFIG_HOME/mailsync/mailsync.yaml (~/.config/...)
2  $MAILSYNC_CONFIG           5  /etc/mailsync/mailsync.yaml
3  ./mailsync.yaml
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mailsync.config.limits import Limits
from mailsync.config.route import Route
from mailsync.config.trees import remembering
from mailsync.core.errors import ConfigurationError
from mailsync.definition.document import Fault, read_document

FILE_NAME = "mailsync.yaml"
SYSTEM_FOLDER = Path("/etc/mailsync")


class ServerTls(NamedTuple):
    """TLS to the server. Who signs its certificate, or the SHA-256 of the one it has; neither: the system's list."""

    authority: Path | None
    pinned: str


class Server(NamedTuple):
    """How this host reaches the server: `HOST:PORT`, the client's key file, the login's file.

    That is a token or, with a `user` (a name or an e-mail address), the user's password. `proxy` is a URL,
    `environment`, or empty.
    """

    address: str
    key: Path
    login: Path
    tls: ServerTls | None = None
    proxy: str = ""
    user: str = ""


class ListenTls(NamedTuple):
    """TLS at the server: `allowed` or `required`, the certificate with its chain, its private key."""

    mode: str
    certificate: Path
    key: Path


class Listen(NamedTuple):
    """Where `server run` runs: `HOST:PORT`, `sqlite:/absolute/path` or `postgresql://...`, the key ring's file."""

    address: str
    store: str
    keys: Path
    tls: ListenTls | None = None


class Audit(NamedTuple):
    """Where mails, replies and the journal are kept, and for how many seconds."""

    maildir: Path
    journal: Path
    retention: int


class Site(NamedTuple):
    """A whole site. `tokens` maps a token's id to the SHA-256 (hex) of its live tokens; routes are in file order.

    `sendmail` is the argv of a program that reads a message on stdin, or the folder of a Maildir that files it.
    `places` has line and column of the names of files that are looked at later: `server.key`, `server.login` (the
    password's, where that is it) and, where there is a server, `listen.keys`.
    """

    path: Path
    folder: Path
    server: Server
    listen: Listen | None
    routes: tuple[Route, ...]
    tokens: Mapping[str, tuple[str, ...]]
    sendmail: tuple[str, ...] | Path
    audit: Audit
    limits: Limits
    places: Mapping[str, tuple[int, int]]

    @property
    def state(self) -> Path:
        """The folder of this host's own databases: the journal's."""
        return self.audit.journal.parent

    @property
    def definitions(self) -> Path:
        """The folder of the site's definitions."""
        return self.folder / "definitions"

    @property
    def templates(self) -> Path:
        """The folder of the site's own templates; it need not exist."""
        return self.folder / "templates"


def find_config(option: str | None, environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Path:
    """The site's file: the option, `$MAILSYNC_CONFIG`, or the first place that has one. Raises ConfigurationError.

    `environ` and `cwd` are the process's own unless given.
    """
    environ = os.environ if environ is None else environ
    here = Path.cwd() if cwd is None else cwd
    named = option or environ.get("MAILSYNC_CONFIG")
    if named:
        return here / named
    places = (here / FILE_NAME, _user_folder(environ) / FILE_NAME, SYSTEM_FOLDER / FILE_NAME)
    for place in places:
        if os.path.isfile(place):  # noqa: PTH113 - Path.is_file raises where a folder hides its files
            return place
    looked = ", ".join(str(place) for place in places)
    hint = "name it with --config FILE or $MAILSYNC_CONFIG, or make a site: mailsync init DIR"
    raise ConfigurationError((f"no configuration found (looked for {looked})",), hint=hint)


def load_site(path: Path) -> Site:
    """The site of a file. Raises ConfigurationError with every fault found, each with file, line and column."""
    site, faults = read_site(path)
    if site is None or faults:
        raise ConfigurationError(tuple(str(fault) for fault in faults))
    return site


def read_site(path: Path) -> tuple[Site | None, tuple[Fault, ...]]:
    """The site of a file as far as it can be read (None when it is not YAML), and every fault found, in file order."""
    from mailsync.config.reading import site_of

    faults: list[Fault] = []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None, (Fault(str(path), 0, 0, "cannot be read: not UTF-8 text", "save it as UTF-8"),)
    except OSError as error:
        return None, (Fault(str(path), 0, 0, f"cannot be read: {error.strerror}", _readable(path, error)),)
    document = read_document(str(path), text, faults, compose=remembering(path.parent / "state", path.name))
    site = site_of(document, path) if document else None
    return site, tuple(sorted(faults, key=lambda fault: (fault.file != str(path), *fault)))


def _readable(path: Path, error: OSError) -> str:
    """What to do about a file that cannot be read."""
    from mailsync.config.ownership import other_owner

    if not isinstance(error, PermissionError):
        return "mailsync init DIR makes a site"
    owner = other_owner(path)
    return f"run this as {owner}" if owner else f"chmod u+r {path}"


def _user_folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or "/nonexistent") / ".config"
    return Path(base) / "mailsync"
