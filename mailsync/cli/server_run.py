"""`mailsync server run`: the server of the site's `listen` section, until it is told to stop."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from typing import TYPE_CHECKING

from mailsync.cli import server

if TYPE_CHECKING:
    from mailsync.config.site import ListenTls
    from mailsync.server.outside import Outside

HELP = """\
Prints `listening on HOST:PORT` when clients may come; with --metrics then `metrics on HOST:PORT`, where /metrics is for
Prometheus and /healthz answers 200 while the store does. SIGTERM lets the requests in hand finish and ends it; a
second one ends it at once. A socket from systemd (docs/systemd/) replaces --listen.

example:
  mailsync server run --listen 127.0.0.1:0 --metrics 9500 --log json
"""
_LOOPBACK = "127.0.0.1"


def configure(parser: ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="instead of the site's listen.address; port 0: any")
    parser.add_argument(
        "--metrics", metavar="[HOST:]PORT", default="", help=f"serve /metrics and /healthz there; HOST: {_LOOPBACK}"
    )
    parser.add_argument("--log", choices=("logfmt", "json"), default="logfmt", help="how lines on stderr are written")


def run(arguments: Namespace) -> int:
    """Serves; 0 when it was told to stop."""
    import asyncio

    from mailsync.server.log import Form, Log
    from mailsync.server.ring import RingFile
    from mailsync.server.serving import Places, serve

    listen = server.find_listen(arguments)
    ring = RingFile(listen.keys)
    metrics = arguments.metrics
    if metrics and ":" not in metrics:
        metrics = f"{_LOOPBACK}:{metrics}"
    places = Places(arguments.listen or listen.address, metrics)
    log = Log(_write, form=Form(arguments.log))
    outside = _outside(listen.tls)
    with server.open_store(arguments, make=True) as store:
        asyncio.run(serve(store, ring, places, log=log, outside=outside, ready=_say_ready))
    return 0


def _outside(tls: ListenTls | None) -> Outside | None:
    if tls is None:
        return None
    from mailsync.server.outside import Certificate, Mode, Outside

    return Outside(Mode(tls.mode), Certificate(tls.certificate, tls.key))


def _say_ready(address: str, metrics: str) -> None:
    print(f"listening on {address}", flush=True)
    if metrics:
        print(f"metrics on {metrics}", flush=True)


def _write(line: str) -> None:
    # A log that is full or closed costs its lines, not the clients their answers.
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
