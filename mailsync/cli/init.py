"""`mailsync init DIR`: a working site in a folder: configuration, keys, a token, definitions, a store with a scope,
and the recipe for procmail.

Strategy: look first, then write. Nothing is overwritten; a folder in which anything would be is refused whole. All
is its user's alone (folders 0700, files 0600), and mailsync.yaml comes last, so that a site that has one is whole.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.config import starter
from mailsync.config.ownership import user_name
from mailsync.config.reading import SENDMAIL, valid_address
from mailsync.config.site import FILE_NAME
from mailsync.core.errors import UsageError
from mailsync.core.model import parse_scope
from mailsync.mail.address import addresses
from mailsync.mail.sender import token_digest, token_text

if TYPE_CHECKING:
    from mailsync.wire.keys import Token

OUTBOX, PROCMAILRC = "outbox", "procmailrc"
FOLDERS = ("keys", "definitions", "state", "audit")
_TOKEN_BYTES = 20  # 160 bits are 32 letters: with its route's name well below the 64 of a local part
_EXAMPLE = """\
example:
  mailsync init site --scope US01.LTO --outbox
  mailsync server run --config site/mailsync.yaml &
  mailsync server load --config site/mailsync.yaml volumes.csv
  mailsync filter --config site/mailsync.yaml --recipient ADDRESS < mail
"""


class _Site(NamedTuple):
    """What was made, as `--json` shows it."""

    config: str
    recipient: str
    sender: str
    route: str
    definition: str
    scope: str
    outbox: str | None


def configure(parser: ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    parser.add_argument("dir", metavar="DIR", help="the folder to make; nothing in it is overwritten")
    parser.add_argument("--server", metavar="HOST:PORT", default="127.0.0.1:5000", help="where the server listens")
    parser.add_argument("--scope", metavar="CUST.MEDIA", default="US01.LTO", help="the reports' customer and media")
    parser.add_argument("--address", metavar="ADDR", default="sync@localhost", help="where reports are mailed to")
    parser.add_argument("--sender", metavar="ADDR", default="backup@localhost", help="who mails the reports")
    parser.add_argument("--operator", metavar="ADDR", help="who gets the replies (default: this user, on this machine)")
    parser.add_argument("--outbox", action="store_true", help="file replies in DIR/outbox instead of sending them")
    parser.add_argument("--json", action="store_true", help="print what was made as one JSON document")


def run(arguments: Namespace) -> int:
    """Makes the site, prints what was made and what to do next. Raises UsageError when it would overwrite."""
    folder = Path(arguments.dir).absolute()
    settings = _settings(arguments)
    _refuse_to_overwrite(folder)
    token = token_text(secrets.token_bytes(_TOKEN_BYTES))
    _make(folder, settings, token)
    local, _, domain = settings.address.partition("@")
    made = _Site(
        config=str(folder / FILE_NAME),
        recipient=f"{local}+{starter.ROUTE}.{token}@{domain}",
        sender=settings.sender,
        route=starter.ROUTE,
        definition=starter.DEFINITION,
        scope=str(settings.scope),
        outbox=str(folder / OUTBOX) if isinstance(settings.sendmail, str) else None,
    )
    told = json.dumps(made._asdict(), indent=2) if arguments.json else _told(made, folder, asked=arguments.outbox)
    print(told)
    return 0


def _make(folder: Path, settings: starter.Settings, token: str) -> None:
    """Writes the site. Raises UsageError where its folders cannot be made."""
    try:
        _make_folders(folder, settings)
    except OSError as error:
        text = f"make {error.filename}: {error.strerror}"
        raise UsageError(text, hint="name a new folder, where this user may make one") from error
    _make_store(folder, settings, _make_keys(folder, token))
    name = folder / "definitions" / starter.DEFINITION
    _write(name.with_suffix(".yaml"), starter.definition_text())
    _write(name.with_suffix(".sample.csv"), starter.sample_text())
    _write(name.with_suffix(".expected.json"), starter.expected_text(settings.scope))
    _write(folder / PROCMAILRC, starter.procmailrc_text(str(folder / FILE_NAME), _program()))
    _write(folder / FILE_NAME, starter.site_text(settings))


def _settings(arguments: Namespace) -> starter.Settings:
    scope = parse_scope(arguments.scope)
    if scope is None:
        raise UsageError(f'--scope: "{arguments.scope}" is not CUST.MEDIA', hint="for example: --scope US01.LTO")
    if arguments.scope != arguments.scope.upper():
        # Scopes differ in case: a report or a load that writes it the usual way would make a second one.
        raise UsageError(f'--scope: "{scope}" has small letters', hint=f"did you mean {arguments.scope.upper()}?")
    if not valid_address(arguments.server):
        raise UsageError(f'--server: "{arguments.server}" is not HOST:PORT', hint="for example: 127.0.0.1:5000")
    sends = os.access(SENDMAIL[0], os.X_OK) and not arguments.outbox
    return starter.Settings(
        server=arguments.server,
        scope=scope,
        address=_address("--address", arguments.address),
        sender=_address("--sender", arguments.sender),
        operator=_address("--operator", arguments.operator or f"{user_name(os.geteuid())}@localhost"),
        sendmail=SENDMAIL if sends else f"maildir:{OUTBOX}",
    )


def _address(option: str, text: str) -> str:
    found = addresses(text)
    if found is None or found != (text,) or "+" in text:
        raise UsageError(f'{option}: "{text}" is not a plain address', hint=f"for example: {option} sync@example.com")
    return text


def _refuse_to_overwrite(folder: Path) -> None:
    there = [name for name in (FILE_NAME, PROCMAILRC, *FOLDERS, OUTBOX) if os.path.lexists(folder / name)]
    if there:
        raise UsageError(f"{folder}: has {', '.join(there)} already", hint="name a folder that is new, or empty")


def _make_folders(folder: Path, settings: starter.Settings) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*FOLDERS, *([OUTBOX] if isinstance(settings.sendmail, str) else [])):
        (folder / name).mkdir(mode=0o700)
    for maildir in (name for name in ("audit", OUTBOX) if (folder / name).exists()):
        for part in ("tmp", "new", "cur"):
            (folder / maildir / part).mkdir(mode=0o700)


def _make_keys(folder: Path, token: str) -> Token:
    """Writes the server's ring, this host's key and login, and the digest of the route's token; the login."""
    from mailsync.wire import keys

    ring = keys.new_ring(secrets.token_bytes(keys.SECRET_BYTES))
    key = keys.new_client_key(ring, starter.KEY, secrets.token_bytes(keys.SECRET_BYTES))
    login = keys.new_token(starter.LOGIN, secrets.token_bytes(keys.SECRET_BYTES))
    _write(folder / "keys" / "ring", keys.format_ring(keys.with_key(ring, key)))
    _write(folder / "keys" / f"{starter.KEY}.key", keys.format_client_key(key))
    _write(folder / "keys" / f"{starter.LOGIN}.token", keys.format_token(login))
    said = "# SHA-256 of the live tokens, at most two; a line for a new one, until all senders use it\n"
    _write(folder / "keys" / f"{starter.ROUTE}.tokens", f"{said}{token_digest(token)}\n")
    return login


def _make_store(folder: Path, settings: starter.Settings, login: Token) -> None:
    from mailsync.server.access import Access
    from mailsync.server.sqlite import SqliteStore
    from mailsync.wire.scram import make_verifier

    with SqliteStore(folder / "state" / "server.db") as store:
        store.add_scope(
            settings.scope, repositories=starter.REPOSITORIES, default_repository=starter.REPOSITORIES[0].id
        )
        verifier = make_verifier(login.secret, secrets.token_bytes(16))
        store.add_token(login.user, verifier, int(time.time()), grants=(("*", Access.WRITE),))


def _write(path: Path, text: str) -> None:
    # O_EXCL: what appeared since we looked is not overwritten either.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _program() -> str:
    """The folder of the program that runs, empty when it is not run by its name."""
    program = Path(sys.argv[0])
    return str(program.absolute().parent) if program.name == "mailsync" else ""


def _told(made: _Site, folder: Path, *, asked: bool) -> str:
    replies = f"are filed in {made.outbox}" if made.outbox else f"leave through {SENDMAIL[0]}"
    if made.outbox and not asked:
        replies += f": this machine has no {SENDMAIL[0]}"
    option = f"--config {made.config}"
    return f"""\
{folder}: a site for {made.scope}

  mailsync.yaml    the configuration, with comments
  definitions/     how attachments are read: {made.definition} reads volume,repository[,description][,move_date]
  keys/            secrets, readable by {user_name(os.geteuid())} only
  state/, audit/   databases; every mail and every reply
  procmailrc       the recipe that hands mail to this site

reports go to      {made.recipient}
                   (the address is a secret, and shown this once: only a digest of it is kept)
reports are from   {made.sender}
replies            {replies}

next:
  mailsync server run {option} &
  mailsync server load {option} volumes.csv
  mailsync check {option}
  mailsync filter {option} --recipient {made.recipient} < mail
  cp {folder / PROCMAILRC} ~/.procmailrc    # where the MTA runs procmail (docs/install.md)"""
