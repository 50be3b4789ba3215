"""`mailsync filter`: one mail on stdin, as procmail, a pipe transport or fetchmail calls it. Ends in 0 or 75.

    0    this mail is dealt with for good: done, refused, held, a duplicate; the reply or the held folder says which
    75   try again: nothing is lost, and it is safe to run again

Strategy: all of stdin is read whatever happens (an MTA takes a closed pipe for a failure). The filter's own deadline
and a TERM from outside both end it in order, with 75. This module is imported by every mail, so it imports little.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import BinaryIO, NamedTuple, TextIO

from mailsync.core.errors import ConfigurationError, DeadlineError, MailsyncError, TemporaryError, UsageError

TEMPORARY = 75
_CHUNK = 1 << 16
_LONGEST_DRAIN = 1 << 31
_STAYS = "the mail stays queued; it is safe to run again"
HELP = """usage: mailsync filter [--config FILE] [--recipient ADDR] [--sender ADDR] < MAIL

one mail on stdin, with or without a "From " line; ends in 0 (dealt with for good) or 75 (try again)

options:
  --config FILE     the site's mailsync.yaml (else $MAILSYNC_CONFIG, ./mailsync.yaml, ...)
  --recipient ADDR  the envelope recipient: an address, or what follows its "+"
  --sender ADDR     the envelope sender, "" for the null return-path

example (a procmail recipe; procmailrc.example has the rest):
  :0 w
  | mailsync filter --recipient "$1"
"""


class Words(NamedTuple):
    """The command's options; `sender` is None when not given."""

    config: str | None = None
    recipient: str = ""
    sender: str | None = None
    help: bool = False


def main(argv: list[str]) -> int:
    """Deals with the mail on stdin; 0 or 75."""
    stdin = sys.stdin.buffer
    try:
        words = parse(argv)
        if words.help:
            _print(sys.stdout, HELP)
            return 0
        return _run(words, stdin)
    except MailsyncError as error:
        _say(*(error.faults if isinstance(error, ConfigurationError) else (str(error),)))
        _say(f"hint: {error.hint or _STAYS}")
    except BaseException as error:  # noqa: BLE001 - any status but 75 would bounce the mail
        import traceback

        _say(*traceback.format_exc().splitlines())
        _say(f"this should not happen: {type(error).__name__}", f"hint: {_STAYS}")
    finally:
        _drain(stdin)
    return TEMPORARY


def parse(argv: list[str]) -> Words:
    """The options; UsageError for anything else. argparse would cost every mail 10 ms, and exit with 2."""
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        if word in ("--help", "-h"):
            return Words(help=True)
        name, equals, value = word.partition("=")
        if name not in ("--config", "--recipient", "--sender"):
            # Not the word itself: it may be an address with its token.
            shown = name if name.startswith("-") and "@" not in name else "(a word without an option)"
            raise UsageError(f'filter: unknown option "{shown}"', hint="mailsync filter --help")
        if not equals:
            value = next(words, "\0")
        if value == "\0":
            raise UsageError(f"filter: {name} needs a value", hint="mailsync filter --help")
        found[name.removeprefix("--")] = value
    return Words(found.get("config"), found.get("recipient", ""), found.get("sender"))


def _run(words: Words, stdin: BinaryIO) -> int:
    from mailsync.config.site import find_config, load_site
    from mailsync.flow.intake import deliver, hold_oversize
    from mailsync.flow.world import World
    from mailsync.mail.verdict import Envelope

    site = load_site(find_config(words.config))
    _set_deadline(site.limits.deadline)
    with World(site) as world:
        mail = stdin.read(site.limits.mail_size + 1)
        if len(mail) > site.limits.mail_size:
            ending = hold_oversize(mail, stdin, world)
        else:
            ending = deliver(mail, Envelope(words.recipient, words.sender), world)
    _say(f"{ending.action.value}: {ending.text}")
    return 0


def _set_deadline(seconds: int) -> None:
    """Ends the attempt in order after `seconds`, or at a TERM: below procmail's TIMEOUT and the lease of the run."""

    def late(*_: object) -> None:
        raise DeadlineError(f"not done within {seconds} s", hint=_STAYS)

    def stopped(*_: object) -> None:
        raise TemporaryError("stopped from outside (TERM)", hint=_STAYS)

    signal.signal(signal.SIGALRM, late)
    signal.signal(signal.SIGTERM, stopped)
    signal.alarm(seconds)


def _drain(stdin: BinaryIO) -> None:
    """Reads what is left of stdin: a writer that meets a closed pipe would take that for a failure."""
    signal.alarm(0)
    left = _LONGEST_DRAIN
    try:
        while left > 0 and (chunk := stdin.read(_CHUNK)):
            left -= len(chunk)
    except (OSError, ValueError):
        return


def _say(*lines: str) -> None:
    _print(sys.stderr, "".join(f"mailsync: {line}\n" for line in lines))


def _print(stream: TextIO, text: str) -> None:
    """Prints what can be printed: a log on a full disk must not turn a mail that is done into one that bounces."""
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        # The interpreter would try to flush it once more at its end, and end with 120.
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until the very end
        if stream is sys.stdout:
            sys.stdout = nowhere
        else:
            sys.stderr = nowhere
