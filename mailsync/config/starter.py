"""The texts of the site that `mailsync init` makes: mailsync.yaml with comments, a definition, procmail's recipe.

Pure: settings in, texts out. The site works unedited, on one machine, for its own user; what a real site changes
first (addresses, host, repositories) is said where it stands.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import NamedTuple

from mailsync.core.model import Repository, RepositoryId, Scope

ROUTE, DEFINITION, KEY, LOGIN = "nightly", "nightly-csv", "site", "filter"
REPOSITORIES = (
    Repository(RepositoryId("LIBR"), "Library", "Library"),
    Repository(RepositoryId("OFFS"), "Offsite vault", "Vault", offsite=True),
    Repository(RepositoryId("RACK"), "Racking", "Rack"),
)
SEARCH_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_/-]*\Z", re.ASCII)
_PROCMAILRC = """\
# ~/.procmailrc of the account that owns the site (state/ and audit/ belong to it).
#
# The MTA hands the part of the address after "+" to procmail:  mailbox_command = procmail -a "$EXTENSION"
# procmail has it as $1. The shell is set because service accounts have none that works.
SHELL=/bin/sh
PATH={path}
# Longer than the filter's own deadline (100 s), shorter than the MTA's (Postfix: 1000 s).
TIMEOUT=300
# procmail's log would show the action line, and with it the token of the address.
LOGABSTRACT=no
MAILSYNC_CONFIG={config}

# "w" waits for the exit status. No lock file: the filter locks its own run. No shell metacharacters on the action
# line: procmail would run a shell, and a timeout would then kill the shell alone.
:0 w
| mailsync filter --recipient "$1"

# Reached when the filter did not end with 0, was killed, timed out or is missing: the MTA keeps the mail and tries
# again. The braces stand on lines of their own.
:0 e
{{
  EXITCODE=75
  HOST
}}
"""


class Settings(NamedTuple):
    """What differs between one new site and another. `sendmail` is as it stands in the file: an argv, or a word."""

    server: str
    scope: Scope
    address: str
    sender: str
    operator: str
    sendmail: tuple[str, ...] | str


def recipient_filter(settings: Settings) -> str:
    """The filter on the addresses that reports are mailed to: any token of the route."""
    local, _, domain = settings.address.partition("@")
    return f"{local}+{ROUTE}.*@{domain}"


def site_text(settings: Settings) -> str:
    """mailsync.yaml."""
    scope = f"{{customer: {_quoted(settings.scope.customer)}, media: {_quoted(settings.scope.media)}}}"
    server = _quoted(settings.server)
    lines = (
        (
            "# A mailsync site. docs/configuration.md has every key; `mailsync check` says what is wrong, all at once.",
            "",
        ),
        ("# Relative paths are relative to this file. state/ and audit/ belong to the user procmail delivers as.", ""),
        ("server:", "how this host reaches the server"),
        (f"  address: {server}", ""),
        (f"  key: keys/{KEY}.key", "secret: key id, key, the server's public key"),
        (f"  login: keys/{LOGIN}.token", "secret: user and token"),
        ("listen:", "only where `mailsync server run` runs: remove it on other hosts"),
        (f"  address: {server}", ""),
        ("  store: sqlite:state/server.db", ""),
        ("  keys: keys/ring", "secret: the server's private key, and its clients' keys"),
        ("routes:", "the first that matches takes the mail; one that none takes is held."),
        ("", "Nobody is told of held mails: look at `mailsync held list`"),
        (f"  {ROUTE}:", ""),
        (f"    match: {{recipient: {_quoted(recipient_filter(settings))}}}", ""),
        (f"    senders: [{_quoted(settings.sender)}]", "who may send these reports: filters on the From address"),
        (f"    authenticate: {{token: {ROUTE}}}", "the secret part of the recipient's address"),
        (f"    definitions: [{DEFINITION}]", f"definitions/{DEFINITION}.yaml reads the attachment"),
        (f"    scope: {scope}", "whose volumes the report speaks of"),
        ("    repositories:", "what reports call a place: its Repository-ID"),
        ("      {Library: LIBR, Offsite: OFFS, Racking: RACK}", ""),
        ("    add_unknown: false", "true: volumes the server does not know are added"),
        ("    timezone: UTC", "of times in the report that name none"),
        ("    expect_every: 26h", "no effect in this version: nobody is told of silence"),
        ("    guards:", "what looks like an accident is answered, not applied"),
        ("      {max_share_moved: 0.3, always_allowed: 5, min_rows: 1}", ""),
        ("    audiences:", "when: always | change | problem | failure | never"),
        (f"      operator: {{to: [{_quoted(settings.operator)}], when: always}}", ""),
        (f"tokens: {{{ROUTE}: {{file: keys/{ROUTE}.tokens}}}}", "SHA-256 of the tokens, which only addresses hold"),
        (f"sendmail: {_sendmail(settings.sendmail)}", "a program's argv, or maildir:outbox, which files replies"),
        ("audit: {maildir: audit, journal: state/journal.db, retention: 7y}", "retention: no effect in this version"),
        ("limits: {mail_size: 50MB, give_up: 24h}", "give_up: below the queue life of the MTA"),
    )
    return "".join(f"{text:<46}  # {comment}\n" if comment else f"{text}\n" for text, comment in lines)


def definition_text() -> str:
    """definitions/nightly-csv.yaml: a CSV with captions, of which only two are needed."""
    return f"""\
# Reads a CSV attachment captioned volume,repository[,description][,move_date]; docs/definitions.md has the language.
name: {DEFINITION}
claim: {{attachment: "*.csv"}}
table: {{kind: delimited, delimiter: ",", header: first}}
fields:
  volume: {{column: volume}}
  repository: {{column: repository}}      # a name under the route's `repositories`, or a Repository-ID
  description: {{column: description, optional: true}}
  move_date: {{column: move_date, optional: true, date: "%Y-%m-%d"}}
"""


def sample_text() -> str:
    """definitions/nightly-csv.sample.csv: a report the definition reads."""
    return "volume,repository,description,move_date\nA00001,OFFS,Full backup,2031-01-31\nA00002,Library,,\n"


def expected_text(scope: Scope) -> str:
    """definitions/nightly-csv.expected.json: the records the sample must give; `mailsync check` compares them."""
    first = {"volume": "A00001", "line": 2, "description": "Full backup", "repository": "OFFS"}
    second = {"volume": "A00002", "line": 3, "repository": "LIBR"}
    expected = {
        "given": {"scope": str(scope), "repositories": {"Library": "LIBR"}},
        "records": {str(scope): [{**first, "move_date": "2031-01-31"}, second]},
        "problems": [],
    }
    return json.dumps(expected, indent=2) + "\n"


def procmailrc_text(config: str, program: str) -> str:
    """The recipe that hands mail to the site of `config`: for ~/.procmailrc of whoever owns the site.

    `program` is the folder of the `mailsync` program, empty when it is not known: then it must be in a usual one.
    """
    folders = SEARCH_PATH if not program or program in SEARCH_PATH else (program, *SEARCH_PATH)
    # procmail's assignments are quoted as a shell's.
    return _PROCMAILRC.format(path=shlex.quote(":".join(folders)), config=shlex.quote(config))


def _sendmail(sendmail: tuple[str, ...] | str) -> str:
    return _quoted(sendmail) if isinstance(sendmail, str) else f"[{', '.join(sendmail)}]"


def _quoted(text: str) -> str:
    """The text as a YAML value: as it is where that is safe, else as a JSON string, which YAML reads too."""
    return text if _PLAIN.match(text) else json.dumps(text)
