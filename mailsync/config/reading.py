"""The top level of mailsync.yaml read into a `Site`: sections, paths, addresses, and the digests of the tokens.

Strategy: everything is read, nothing is raised; what is wrong goes to the list the sections share, and a faulty value
stands as its default until the caller refuses the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mailsync.config.later import SERVER, SITE, refuse_later
from mailsync.config.limits import read_limits
from mailsync.config.outside import read_listen_tls, read_proxy, read_server_tls
from mailsync.config.routes import read_routes
from mailsync.config.site import Audit, Listen, Server, Site
from mailsync.definition.document import Fault, Section

SENDMAIL = ("/usr/sbin/sendmail", "-t", "-i")
RETENTION = 7 * 365 * 86_400
MAX_LIVE = 2  # an old and a new token, while senders change over
MAX_TOKEN_FILE = 65_536
# Sets of characters rather than patterns: every mail reads the site, and compiling patterns costs it milliseconds.
_HEX = frozenset("0123456789abcdef")
_TOKEN_ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_.-")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
_IPV6 = frozenset("0123456789abcdefABCDEF:.")
_LOGIN = "login: keys/filter.token, or user: NAME and password_file: FILE"
_USERS = "as mailsync server user list has it"
_MAILDIR, _SQLITE, _POSTGRESQL = "maildir:", "sqlite:", "postgresql://"


def site_of(document: Section, path: Path) -> Site:
    """The site a file's top section describes. Faults are noted in the section's list."""
    folder = path.absolute().parent
    refuse_later(document, SITE)
    tokens = _tokens(document.section("tokens"), folder)
    server, listen = document.section("server", required=True), document.section("listen")
    site = Site(
        path=path,
        folder=folder,
        server=_server(server, folder),
        listen=_listen(listen, folder) if document.has("listen") else None,
        routes=read_routes(document.section("routes"), tokens),
        tokens=tokens,
        sendmail=_sendmail(document, folder),
        audit=_audit(document.section("audit"), folder),
        limits=read_limits(document.section("limits")),
        places={
            "server.key": server.place("key"),
            "server.login": server.place("password_file" if server.has("password_file") else "login"),
            "listen.keys": listen.place("keys"),
        },
    )
    document.finish()
    return site


def valid_address(text: str, *, least_port: int = 1) -> bool:
    """True for `HOST:PORT`; HOST is a name, an IPv4 address, or an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and least_port <= int(port) <= 65_535):
        return False
    if host.startswith("[") and host.endswith("]"):
        return len(host) > 3 and _IPV6.issuperset(host[1:-1])
    return 0 < len(host) <= 253 and _NAME.issuperset(host) and host[0] not in ".-"


def _server(section: Section, folder: Path) -> Server:
    if not list(section.keys()):
        return Server("", folder, folder)  # the section's absence is the one fault worth telling
    refuse_later(section, SERVER)
    login, user = _login(section, folder)
    server = Server(
        address=_address(section, least_port=1),
        key=_path(section, "key", folder),
        login=login,
        tls=read_server_tls(section, folder),
        proxy=read_proxy(section),
        user=user,
    )
    section.finish("server")
    return server


def _login(section: Section, folder: Path) -> tuple[Path, str]:
    """The file of a token, or that of a password and its user."""
    if not (section.has("user") or section.has("password_file")):
        return _path(section, "login", folder), ""
    from mailsync.wire.scram import is_login_name

    if section.has("login"):
        section.fault("login", "a token, and a user with a password: one of them", _LOGIN)
    user = section.text("user", required=True)
    if user and not is_login_name(user):
        section.fault("user", f'"{user}" is neither a user nor an e-mail address', _USERS)
    return _path(section, "password_file", folder), user


def _listen(section: Section, folder: Path) -> Listen:
    listen = Listen(
        address=_address(section, least_port=0),
        store=_store(section, folder),
        keys=_path(section, "keys", folder),
        tls=read_listen_tls(section, folder),
    )
    section.finish("listen")
    return listen


def _address(section: Section, *, least_port: int) -> str:
    text = section.text("address", required=True)
    if text and not valid_address(text, least_port=least_port):
        section.fault("address", f'"{text}" is not HOST:PORT', "such as 127.0.0.1:5000 or [::1]:5000")
    return text


def _store(section: Section, folder: Path) -> str:
    text = section.text("store", required=True)
    if text.startswith(_POSTGRESQL):
        return text
    if text and not text.startswith(_SQLITE):
        section.fault("store", f'"{text}" is not a store', "sqlite:state/server.db or postgresql://USER@HOST/DATABASE")
    elif text == _SQLITE:
        section.fault("store", "sqlite: names no file", "sqlite:state/server.db")
    return _SQLITE + str(folder / text.removeprefix(_SQLITE))


def _path(section: Section, key: str, folder: Path) -> Path:
    return folder / section.text(key, required=True)


def _sendmail(document: Section, folder: Path) -> tuple[str, ...] | Path:
    if not document.has("sendmail"):
        return SENDMAIL
    words = document.texts("sendmail")
    if len(words) == 1 and words[0].startswith(_MAILDIR):
        name = words[0].removeprefix(_MAILDIR)
        if not name:
            document.fault("sendmail", "maildir: names no folder", "maildir:outbox")
        return folder / name
    if not words or not words[0].startswith("/"):
        document.fault("sendmail", "the program must be named with its whole path", f"[{', '.join(SENDMAIL)}]")
    return words


def _audit(section: Section, folder: Path) -> Audit:
    audit = Audit(
        maildir=folder / section.text("maildir", "audit"),
        journal=folder / section.text("journal", "state/journal.db"),
        retention=section.duration("retention", RETENTION),
    )
    section.finish("audit")
    return audit


def _tokens(section: Section, folder: Path) -> dict[str, tuple[str, ...]]:
    """The digests of every token id. The file of each is read here: a route without them could accept nobody."""
    found = {}
    for name in section.keys():  # noqa: SIM118 - a Section is no dict
        if len(name) > 32 or not _TOKEN_ID.issuperset(name):
            section.fault(name, f'"{name}" is not a token id', "1 to 32 of a-z 0-9 . _ -")
        entry = section.section(name)
        file = entry.text("file", required=True)
        entry.finish(f'token "{name}"')
        found[name] = tuple(_digests(entry, folder / file)) if file else ()
    return found


def _digests(entry: Section, path: Path) -> Iterator[str]:
    """The SHA-256 lines of a token file; blank lines and those that begin with # say nothing."""
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(MAX_TOKEN_FILE)
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not ASCII text"
        entry.fault("file", f"{path}: cannot be read: {cause}", "mailsync init makes such a file")
        return
    live = 0
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        live += 1
        if len(word) != 64 or not _HEX.issuperset(word):
            entry.faults.append(Fault(str(path), number, 1, "not the SHA-256 of a token: 64 digits of 0-9 a-f"))
        elif live > MAX_LIVE:
            entry.faults.append(Fault(str(path), number, 1, f"more than {MAX_LIVE} live tokens", "remove the oldest"))
        else:
            yield word
    if not live:
        entry.faults.append(Fault(str(path), 1, 1, "no live token: nobody could use the route"))
