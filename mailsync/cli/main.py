"""The command line's frame: finds the named command, imports only its module, turns errors into words and a status.

Strategy: a command is a module with `configure(parser)` and `run(arguments) -> int`, imported when it is named, so
that `filter` pays for nobody's options. `filter` may end in 0 or 75 only, also for options it does not know: it is
handed its words before any parser exists. `--config FILE` may stand before or after the command's name.

ended by                 stderr                               exit status
the command              -                                    what `run` returned
MailsyncError            mailsync: text, mailsync: hint: ...  the error's
OSError                  mailsync: text                       75
Ctrl-C                   -                                    130, as a shell reports it
a closed pipe            -                                    141, as a shell reports it
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from mailsync.core.errors import ConfigurationError, MailsyncError, UsageError

if TYPE_CHECKING:
    import argparse

COMMANDS = {
    "demo": "the whole job on this machine, shown step by step",
    "init": "make a working site",
    "filter": "take one mail on stdin, from procmail or a pipe transport",
    "explain": "what a mail would do, without doing it",
    "push": "a report from a file or stdin, without mail",
    "ping": "reach the server: connection, handshake, round trips",
    "check": "everything that can be wrong before a mail arrives",
    "held": "mails not acted on",
    "audit": "is the ledger whole: verify; is anything lost: lost",
    "definitions": "how reports are read: list, show, test, explain, learn, convert",
    "server": "run and administer the server",
}
LATER = ("lmtp", "pull", "inetd", "schedule", "sign", "replay", "estimate", "status")
TEMPORARY, INTERRUPTED, PIPE_CLOSED = 75, 130, 141
_EXAMPLE = """\
example:
  mailsync demo               see it work, with nothing else installed
  mailsync init site          make a site of your own
  mailsync COMMAND --help     the options of a command, with an example
"""


class _Words(NamedTuple):
    """The command line, taken apart as far as the frame must: `name` is empty when no command is named."""

    config: str
    name: str
    rest: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command named by the words (without the program's name); returns the exit status."""
    words = _split(list(sys.argv[1:] if argv is None else argv))
    if words.name == "filter":
        return _filter([*(["--config", words.config] if words.config else []), *words.rest])
    try:
        status = _run(words)
        sys.stdout.flush()
    except MailsyncError as error:
        _complain(error, _shown(words))
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        finish_output()
        return PIPE_CLOSED
    except OSError as error:
        finish_output()
        _complain(MailsyncError(f"{error.filename}: {error.strerror}" if error.filename else str(error)))
        return TEMPORARY
    return status


def finish_output() -> None:
    """Writes what stdout still holds, or drops it where that fails: the interpreter would try again, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def add_config(parser: argparse.ArgumentParser) -> None:
    """Adds `--config FILE` to a command's parser; its value is None when not given."""
    parser.add_argument("--config", metavar="FILE", help="the site's mailsync.yaml (else $MAILSYNC_CONFIG, ./, ...)")


def _split(words: list[str]) -> _Words:
    config = ""
    while words and words[0].partition("=")[0] == "--config":
        _, equals, value = words.pop(0).partition("=")
        config = value if equals else words.pop(0) if words else ""
    if words and not words[0].startswith("-"):
        return _Words(config, words[0], words[1:])
    return _Words(config, "", words)


def _filter(words: list[str]) -> int:
    # Whatever breaks, an import too, the mail must stay in the MTA's queue.
    try:
        run: Callable[[list[str]], int] = import_module("mailsync.cli.filter").main
        return run(words)
    except BaseException as error:  # noqa: BLE001 - any other exit status than 75 would bounce the mail
        text = f"the filter could not run: {type(error).__name__}: {error}"
        _complain(MailsyncError(text, hint="the mail stays queued; nothing was changed"))
        return TEMPORARY


def _run(words: _Words) -> int:
    if not words.name:
        return _overview(words.rest)
    if words.name in LATER:
        raise UsageError(f"{words.name}: not in this version", hint="mailsync --help lists the commands there are")
    if words.name not in COMMANDS:
        from mailsync.definition.document import suggestion

        raise UsageError(f'unknown command "{words.name}"', hint=suggestion(words.name, COMMANDS))
    command = import_module(f"mailsync.cli.{words.name}")
    parser = _parser(f"mailsync {words.name}", COMMANDS[words.name])
    command.configure(parser)
    arguments = parser.parse_args(words.rest)
    if getattr(arguments, "config", None) is None:
        arguments.config = words.config or None
    status: int = command.run(arguments)
    return status


def _overview(words: list[str]) -> int:
    parser = _parser("mailsync", "turns the tape reports that backup software mails into volume moves on a server")
    listed = "\n".join(f"  {name:12}{text}" for name, text in COMMANDS.items())
    parser.usage = "mailsync [--config FILE] COMMAND ..."
    parser.epilog = f"commands:\n{listed}\n\n{_EXAMPLE}"
    parser.add_argument("--version", action="version", version=f"mailsync {_version()}")
    parser.parse_args(words)
    parser.print_help(sys.stderr)
    return UsageError.exit_status


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    """A parser whose complaints are UsageErrors; the parsers of its sub-commands are of the same class."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message, hint=f"{self.prog} --help")

    return Parser(
        prog=program,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mailsync")
    except PackageNotFoundError:
        return "(not installed)"


def _shown(words: _Words) -> list[str]:
    """The command line for a hint, without the recipient's address: that holds a token."""
    shown = ["--config", words.config] if words.config else []
    for before, word in pairwise(("", words.name, *words.rest)):
        if before == "--recipient":
            shown.append("ADDRESS")
        else:
            shown.append("--recipient=ADDRESS" if word.startswith("--recipient=") else word)
    return shown


def _complain(error: MailsyncError, words: Sequence[str] = ()) -> None:
    """Says an error as the house does: each fault on a line of its own, then what to do."""
    from mailsync.config.ownership import OwnerError, as_owner

    hint = as_owner(error.owner, words) if isinstance(error, OwnerError) and words else error.hint
    lines = error.faults if isinstance(error, ConfigurationError) else (str(error),)
    for line in lines:
        print(f"mailsync: {line}", file=sys.stderr)
    if hint:
        print(f"mailsync: hint: {hint}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
