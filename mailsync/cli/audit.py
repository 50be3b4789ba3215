"""`mailsync audit verify`: is the ledger whole, and does it still say what the replies saw.

Runs where the store is. The chain in the database shows every alteration but one: somebody who can write the database
may rewrite all of it. Each reply carries the hash its scope's ledger ended in, so the kept replies are witnesses: an
entry that a reply saw must be there, with that hash. After a restore the entries behind the backup are gone: they are
told as lost, with the reply that saw them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.cli.main import add_config

if TYPE_CHECKING:
    from mailsync.server.store import Flaw, Store

_FIELD = re.compile(
    rb"^X-Mailsync-Ledger: ([A-Z0-9]{1,4}\.[A-Z0-9]{1,4}) ([0-9]{1,15}) ([0-9a-f]{64})\r?$", re.MULTILINE
)
_HEADER_BYTES = 65_536
_EXAMPLE = """\
example:
  mailsync audit verify
  mailsync audit verify --replies /mnt/mailhost2/audit/.Replies
"""


class Witness(NamedTuple):
    """What a reply saw: after `seq` entries its scope's ledger ended in this hash."""

    chain: str
    seq: int
    hash: bytes
    reply: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    commands = parser.add_subparsers(dest="action", metavar="verify", required=True)
    verify = commands.add_parser("verify", help="check the ledger's chains, and compare them with the kept replies")
    verify.add_argument("--json", action="store_true", help="one JSON document")
    verify.add_argument("--store", metavar="URL", help="instead of the site's listen.store")
    verify.add_argument(
        "--replies", metavar="FOLDER", action="append", default=[], help="further folders of kept replies (Maildirs)"
    )
    add_config(parser)
    verify.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the site's mailsync.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Prints what is wrong; 1 when something is."""
    from mailsync.cli.server import open_store
    from mailsync.config.site import find_config, load_site

    folders = [Path(folder) for folder in arguments.replies]
    if not arguments.store:
        folders.append(load_site(find_config(arguments.config)).audit.maildir / ".Replies")
    with open_store(arguments) as store:
        witnesses = tuple(_witnesses(folders))
        found = [*store.verify(), *_contradicted(store, witnesses)]
        heads = store.heads()
    if arguments.json:
        document = {
            "heads": [{"chain": head.chain, "entries": head.seq, "hash": head.hash.hex()} for head in heads],
            "witnesses": len(witnesses),
            "flaws": [flaw._asdict() for flaw in found],
        }
        print(json.dumps(document, indent=2))
        return 1 if found else 0
    for flaw in found:
        place = f" entry {flaw.seq}" if flaw.seq else ""
        print(f"{flaw.chain}{place}: {flaw.text}")
    for head in heads:
        print(f"{head.chain}: {head.seq} entries, head {head.hash.hex()}")
    print(f"{len(found)} flaws, {len(witnesses)} heads seen by replies")
    return 1 if found else 0


def _contradicted(store: Store, witnesses: Iterable[Witness]) -> Iterator[Flaw]:
    """What replies saw and the ledger does not have, or has otherwise."""
    from mailsync.server.store import Flaw

    chains: dict[str, dict[int, list[Witness]]] = {}
    for witness in witnesses:
        chains.setdefault(witness.chain, {}).setdefault(witness.seq, []).append(witness)
    known = {head.chain for head in store.heads()}
    for chain, seen in sorted(chains.items()):
        links = store.chain(chain) if chain in known else iter(())
        stored = {entry.seq: found for entry, found in links if entry.seq in seen}
        for seq, several in sorted(seen.items()):
            for witness in several:
                if seq not in stored:
                    yield Flaw(chain, seq, f"lost: reply {witness.reply} saw it, and the ledger ends before it")
                elif stored[seq] != witness.hash:
                    yield Flaw(chain, seq, f"rewritten: reply {witness.reply} saw another hash, {witness.hash.hex()}")


def _witnesses(folders: Iterable[Path]) -> Iterator[Witness]:
    for folder in folders:
        for place in ("cur", "new"):
            for path in sorted((folder / place).glob("*")):
                with path.open("rb") as file:
                    header = file.read(_HEADER_BYTES).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
                for chain, seq, found in _FIELD.findall(header):
                    yield Witness(chain.decode(), int(seq), bytes.fromhex(found.decode()), path.name)
