"""How the sub-commands of `mailsync server` are declared: what each of them has, and what their words may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailsync.core.model import Scope, parse_scope
from mailsync.server.access import Access, parse_grant
from mailsync.server.store import RequestError
from mailsync.wire.errors import Code

STORE = "sqlite:PATH or postgresql://... instead of the site's listen.store"
_FORMAT = argparse.RawDescriptionHelpFormatter


def group(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, example: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """A sub-command of which the next word says what to do."""
    parser = commands.add_parser(name, help=text, description=text, epilog=example, formatter_class=_FORMAT)
    _add_places(parser)
    return parser.add_subparsers(metavar="ACTION", required=True)


def leaf(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    example: str,
    act: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """A sub-command that `act` does."""
    parser = commands.add_parser(name, help=text, description=text, epilog=example, formatter_class=_FORMAT)
    _add_places(parser)
    parser.set_defaults(act=act)
    return parser


def listing(parser: argparse.ArgumentParser) -> None:
    """Adds --json."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def scope_word(text: str) -> Scope:
    """The scope that a word names."""
    scope = parse_scope(text)
    if scope is None:
        raise argparse.ArgumentTypeError(f'"{text}" is not CUSTOMER.MEDIA, such as US01.LTO')
    return scope


def grant_word(text: str) -> tuple[str, Access]:
    """The grant that a word says."""
    grant = parse_grant(text)
    if grant is None:
        raise argparse.ArgumentTypeError(f'"{text}" is not FILTER:ACCESS, such as US*:write; read, write or alter')
    return grant


@contextmanager
def hinting(hint: str) -> Iterator[None]:
    """Around a request: what the store refuses without saying what to do gets this hint."""
    try:
        yield
    except RequestError as error:
        error.hint = error.hint or hint
        raise


def there_already(what: str) -> RequestError:
    """What adding something is refused with where it is there: it would be changed without a word."""
    return RequestError(Code.INVALID, f"add {what}: it is there already")


def _add_places(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS: what stands before the sub-command's name is not to be overwritten by a default.
    parser.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the site's mailsync.yaml")
    parser.add_argument("--store", metavar="URL", default=argparse.SUPPRESS, help=STORE)
