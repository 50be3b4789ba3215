"""`mailsync audit`: is the ledger whole, does it say what the replies saw (`verify`), and what is lost (`lost`).

`verify` runs where the store is. The chain in the database shows every alteration but one: somebody who can write the
database may rewrite all of it. Each reply carries the hashes that the site's chain and those of its scopes ended in, so
the kept replies are witnesses: an entry that a reply saw must be there, with that hash, unless it was pruned. After a
restore the entries behind the backup are gone: they are told as lost, with the reply that saw them and, where its date
tells, the restore.
`lost` runs on a mail host, and lists the mails whose work the server has lost, as this host's journal knows them.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.cli import audit_lost
from mailsync.cli.main import add_config
from mailsync.mail.shown import plural

if TYPE_CHECKING:
    from mailsync.server.chain import Cut, Restore
    from mailsync.server.store import Flaw, Store

_FIELD = re.compile(
    rb"^X-Mailsync-Ledger: (site|[A-Z0-9]{1,4}\.[A-Z0-9]{1,4}) ([0-9]{1,16}) ([0-9a-f]{64})(?: ([0-9TZ:-]{20}))?\r?$",
    re.MULTILINE,
)
_DATE = re.compile(rb"^Date: ([^\r\n]{1,80})\r?$", re.MULTILINE)
_HEADER_BYTES = 65_536
_EXAMPLE = """\
example:
  mailsync audit verify
  mailsync audit verify --replies /mnt/mailhost2/audit/.Replies
  mailsync audit lost
"""


class Witness(NamedTuple):
    """What a reply saw: after `seq` entries the chain ended in this hash.

    `date` is when that was, or when the reply was written, in Unix time; 0: unknown.
    """

    chain: str
    seq: int
    hash: bytes
    reply: str
    date: int


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    commands = parser.add_subparsers(dest="action", metavar="verify|lost", required=True)
    verify = commands.add_parser("verify", help="check the ledger's chains, and compare them with the kept replies")
    verify.add_argument("--json", action="store_true", help="one JSON document")
    verify.add_argument("--store", metavar="URL", help="instead of the site's listen.store")
    verify.add_argument(
        "--replies", metavar="FOLDER", action="append", default=[], help="further folders of kept replies (Maildirs)"
    )
    audit_lost.configure(commands)
    add_config(parser)
    verify.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the site's mailsync.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Prints what is wrong, or lost; 1 when something is."""
    if arguments.action == "lost":
        return audit_lost.run(arguments)
    return _verify(arguments)


def _verify(arguments: argparse.Namespace) -> int:
    from mailsync.cli.server import open_store
    from mailsync.config.site import find_config, load_site

    folders = [Path(folder) for folder in arguments.replies]
    if not arguments.store:
        folders.append(load_site(find_config(arguments.config)).audit.maildir / ".Replies")
    with open_store(arguments) as store:
        witnesses = tuple(_witnesses(folders))
        compared = _compared(store, witnesses)
        found = [*store.verify(), *compared.flaws]
        heads = store.heads()
    if arguments.json:
        document = {
            "heads": [{"chain": head.chain, "entries": head.seq, "hash": head.hash.hex()} for head in heads],
            "witnesses": len(witnesses),
            "pruned": compared.pruned,
            "flaws": [flaw._asdict() for flaw in found],
        }
        print(json.dumps(document, indent=2))
        return 1 if found else 0
    for flaw in found:
        place = f" entry {flaw.seq}" if flaw.seq else ""
        print(f"{flaw.chain}{place}: {flaw.text}")
    for head in heads:
        print(f"{head.chain}: {plural(head.seq, 'entry', 'entries')}, head {head.hash.hex()}")
    pruned = f", {compared.pruned} of them pruned" if compared.pruned else ""
    print(f"{plural(len(found), 'flaw')}, {plural(len(witnesses), 'head')} seen by replies{pruned}")
    return 1 if found else 0


class _Compared(NamedTuple):
    """What replies saw beside what the ledger has: flaws, and how many of their entries were pruned."""

    flaws: tuple[Flaw, ...]
    pruned: int


def _compared(store: Store, witnesses: Iterable[Witness]) -> _Compared:
    """What replies saw and the ledger does not have, or has otherwise."""
    from mailsync.core.ledger import SITE
    from mailsync.server.chain import EPOCH, read_restore
    from mailsync.server.store import Flaw

    chains: dict[str, list[Witness]] = {}
    for witness in witnesses:
        chains.setdefault(witness.chain, []).append(witness)
    known = {head.chain for head in store.heads()}
    restores = [read_restore(entry) for entry, _ in store.chain(SITE) if entry.kind == EPOCH] if chains else []
    flaws: list[Flaw] = []
    pruned = 0
    for chain, seen in sorted(chains.items()):
        stored, cut = _stored(store, chain, {one.seq for one in seen}) if chain in known else ({}, None)
        for witness in sorted(seen, key=lambda one: one.seq):
            if witness.seq not in stored and cut is not None and witness.seq <= cut.through:
                pruned += 1
            elif stored.get(witness.seq) != witness.hash:
                text = _missed(witness, [one for one in restores if one], is_there=witness.seq in stored)
                flaws.append(Flaw(chain, witness.seq, text))
    return _Compared(tuple(flaws), pruned)


def _stored(store: Store, chain: str, wanted: Collection[int]) -> tuple[dict[int, bytes], Cut | None]:
    """The hashes of the chain's wanted entries, and what its last pruning took away."""
    from mailsync.server.chain import PRUNE, read_cut

    found: dict[int, bytes] = {}
    cut = None
    for entry, stored in store.chain(chain):
        if entry.seq in wanted:
            found[entry.seq] = stored
        if entry.kind == PRUNE:
            cut = read_cut(entry) or cut
    if cut is not None:
        found.setdefault(cut.through, cut.hash)
    return found, cut


def _missed(witness: Witness, restores: Iterable[Restore], *, is_there: bool) -> str:
    """Why the entry that a reply saw is not there as it was."""
    for one in restores:
        if 0 < witness.date <= one.time and one.lengths.get(witness.chain, 0) < witness.seq:
            when = datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return f"lost: reply {witness.reply} saw it, and the backup that was restored at {when} ends before it"
    if is_there:
        return f"rewritten: reply {witness.reply} saw another hash, {witness.hash.hex()}"
    return f"lost: reply {witness.reply} saw it, and the ledger ends before it"


def _witnesses(folders: Iterable[Path]) -> Iterator[Witness]:
    for folder in folders:
        for place in ("cur", "new"):
            for path in sorted((folder / place).glob("*")):
                with path.open("rb") as file:
                    header = file.read(_HEADER_BYTES).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
                date = _date(header)
                for chain, seq, found, seen in _FIELD.findall(header):
                    when = _time(seen) or date
                    yield Witness(chain.decode(), int(seq), bytes.fromhex(found.decode()), path.name, when)


def _time(seen: bytes) -> int:
    """When a host saw a head that it told later, in Unix seconds; 0 where the reply does not say so."""
    try:
        return int(datetime.fromisoformat(seen.decode("ascii")).timestamp())
    except ValueError:
        return 0


def _date(header: bytes) -> int:
    """When a reply was written, in Unix seconds; 0 where it does not say so."""
    found = _DATE.search(header)
    try:
        return int(parsedate_to_datetime(found[1].decode("ascii")).timestamp()) if found else 0
    except (ValueError, OverflowError):
        return 0
