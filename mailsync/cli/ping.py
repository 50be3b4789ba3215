"""`mailsync ping`: is the server there, does it take our key, how long does a round trip take.

Strategy: PING is legal before logging on, so this needs the key and no login; a peer that does not speak the
protocol is told apart from one that refuses the key, and from none at all.

exit status   69 unreachable   76 another protocol   77 key refused
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mailsync.cli.main import add_config
from mailsync.config.keys import read_client_key
from mailsync.config.reading import valid_address
from mailsync.config.site import find_config, load_site
from mailsync.core.errors import MailsyncError, TemporaryError, UnreachableError, UsageError

if TYPE_CHECKING:
    from mailsync.client.ping import PingResult

_SECONDS = 20.0
_RUNNING = "is it running there? mailsync server run"
_EXAMPLE = """\
example:
  mailsync ping --config site/mailsync.yaml
  mailsync ping -S vault1:5000 --json

exit status:
  0 answered, 69 unreachable, 76 another protocol, 77 key refused
"""


def configure(parser: ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    add_config(parser)
    parser.add_argument("-S", "--server", metavar="HOST:PORT", help="another server than the site's, with its key")
    parser.add_argument("--json", action="store_true", help="print one JSON document, also when there is no answer")


def run(arguments: Namespace) -> int:
    """Prints how the server answered. Raises UnreachableError with 69, RefusedError or ForeignProtocolError."""
    from mailsync.client.ping import ping
    from mailsync.client.way import way_of

    site = load_site(find_config(arguments.config))
    address = site.server.address if arguments.server is None else _named(arguments.server)
    key = read_client_key(site.server.key)
    way = way_of(site.server._replace(address=address), os.environ)
    try:
        result = ping(address, key, random=os.urandom, deadline_seconds=_SECONDS, way=way)
    except MailsyncError as error:
        if arguments.json:
            print(json.dumps({"address": address, "answered": False, "error": str(error)}))
        if isinstance(error, TemporaryError):
            raise _NoAnswerError(str(error), hint=_hint(error)) from error
        raise
    print(json.dumps(_as_json(address, result), indent=2) if arguments.json else _told(address, result))
    return 0


class _NoAnswerError(UnreachableError):
    """The same, for a person: no MTA waits for this status to try again."""

    exit_status = 69  # EX_UNAVAILABLE


def _hint(error: TemporaryError) -> str:
    """What a person does about it: that nothing is lost is a comfort to who has a mail."""
    from mailsync.client.line import UNHURT

    if not isinstance(error, UnreachableError):
        return error.hint or "the server's log has the cause: event=unable"
    return _RUNNING if error.hint in ("", UNHURT) else error.hint


def _named(text: str) -> str:
    if "@" in text:
        raise UsageError("-S user:-password@server:port is not in this version", hint="-S HOST:PORT")
    if not valid_address(text):
        raise UsageError(f'-S: "{text}" is not HOST:PORT', hint="for example: -S vault1:5000")
    return text


def _as_json(address: str, result: PingResult) -> dict[str, object]:
    return {
        "address": address,
        "answered": True,
        "version": result.version,
        "compress": result.compress,
        "connect_ms": _milliseconds(result.connect),
        "handshake_ms": _milliseconds(result.handshake),
        "round_trips_ms": [_milliseconds(trip) for trip in result.round_trips],
    }


def _told(address: str, result: PingResult) -> str:
    trips = ", ".join(f"{_milliseconds(trip):g}" for trip in result.round_trips)
    return (
        f"{address} answered: protocol version {result.version}, compression {result.compress or 'none'}\n"
        f"  connection   {_milliseconds(result.connect):g} ms\n"
        f"  handshake    {_milliseconds(result.handshake):g} ms\n"
        f"  round trips  {trips} ms"
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
