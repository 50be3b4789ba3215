"""Random histories of a site: a store, mail hosts and their mails, and everything that can go wrong between them.

What runs is the product's: sessions and bytes, the store, and what mail_hosts.py has. A step is one of: a mail is
delivered to a host (again, or to another), a host only syncs, a load, a deletion, expired tombstones, a grant changed,
the server restarted, a backup, a restore with a new epoch, time. Within a step connections are cut at any byte of one
direction, hosts are killed between any two effects, and others do something while a request is served, or while its
answer is on its way.

Held to be true, whatever happened:
- the store answers each APPLY as the oracle does, and holds what it holds (oracle.py: so nothing is applied twice);
- a cache that has synced equals the store, and versions only rise within an epoch;
- an audience is answered once; more only as often as an attempt ended between sendmail and what it told the server;
- a run that one host brought to its end alone tells exactly what it did;
- once all is quiet every mail ends, and the ledger is whole.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pipes import Serving
from types import SimpleNamespace

from mail_hosts import FAR, KEY, RING, TOKEN, Host, Mail
from oracle import EPOCH, FORBIDDEN, NO_SCOPE, OVERTAKEN, REUSED, STALE, TOO_OLD, Oracle

from mailsync.client.cache import Cache
from mailsync.client.failures import NoScopeError
from mailsync.core.errors import UnreachableError
from mailsync.core.guard import Guards
from mailsync.core.model import Repository, RepositoryId, parse_scope
from mailsync.core.outcome import Outcome
from mailsync.core.tally import tally
from mailsync.server.access import ADMINISTRATOR, Access, Grant
from mailsync.server.ring import RingFile
from mailsync.server.service import Unable
from mailsync.server.store import LEASE_SECONDS, LoadRow, RequestError
from mailsync.wire.events import ApplyAsked
from mailsync.wire.keys import format_ring, with_key
from mailsync.wire.scram import make_verifier

SCOPES = ("US01.LTO", "US01.BOX", "DE01.LTO")
NAMES = {"US01.LTO": [f"A{n}" for n in range(5)], "US01.BOX": ["B0", "B1"], "DE01.LTO": [f"C{n}" for n in range(3)]}
BOXES = ("US01.BOX.B0", "US01.BOX.B1", "")
PLACES = ("LIBR", "OFFS", "RACK")
CODES = {EPOCH, FORBIDDEN, NO_SCOPE, OVERTAKEN, REUSED, STALE, TOO_OLD}
# The steps, and how often each is taken.
STEPS = {
    "new_mail": 30,
    "old_mail": 25,
    "sync": 8,
    "load": 10,
    "delete": 4,
    "expire": 4,
    "grant": 3,
    "restart": 4,
    "back_up": 3,
    "restore": 3,
    "wait": 6,
}


def fill(store) -> None:
    """An empty store's scopes, and the user."""
    for name in SCOPES:
        places = tuple(Repository(RepositoryId(place)) for place in PLACES)
        store.add_scope(parse_scope(name), repositories=places, default_repository="LIBR")
    grants = tuple((customer, Access.WRITE) for customer in ("DE01", "US01"))
    store.add_token(TOKEN.user, make_verifier(TOKEN.secret, b"s" * 16), 1, grants=grants)


class Watched(Serving):
    """A server that tells the history what it is asked, and lets others do something in between."""

    def __init__(self, history: History, *words) -> None:
        super().__init__(*words)
        self.history = history

    def about_to(self, event) -> None:
        self.history.interleave(event)

    def on_the_way(self) -> None:
        self.history.on_the_way()

    def told(self, run, audience) -> None:
        self.history.told(run, audience)

    def applied(self, asked, answer) -> None:
        self.history.applied(asked, answer)


class History:
    """One history. `place` says where the store is (store_places.py); `dice` decides everything."""

    def __init__(self, place, folder: Path, dice: random.Random) -> None:
        self.place, self.folder, self.dice = place, folder, dice
        self.now = 1_000_000
        self.store = place.open()
        ring_file = folder / "ring"
        ring_file.write_text(format_ring(with_key(RING, KEY)))
        ring_file.chmod(0o600)
        self.serving = Watched(self, self.store, RingFile(ring_file), dice, lambda: self.now)
        self.oracle = Oracle(SCOPES, self.store.scopes(ADMINISTRATOR)[0].epoch)
        self.backup: Oracle | None = None
        self.epochs = 0
        self.hosts = [Host(self, number) for number in range(2)]
        self.mails: list[Mail] = []
        self.route = SimpleNamespace(name="nightly", guards=Guards(1.0, 1.0, 0, 10**6))
        self.copies: Counter[tuple[bytes, str]] = Counter()
        self.untold: Counter[tuple[bytes, str]] = Counter()
        self.pending: set[tuple[bytes, int, str]] = set()
        self.attempts: dict[bytes, set[int]] = {}
        self.blurred: set[bytes] = set()  # runs of which a restore, or a reused id, has hidden something
        self.high: dict[str, tuple[bytes, int]] = {}
        self.depth = 0
        self.counts: Counter[str] = Counter()

    # What is told by those who run.

    def sent(self, mail: Mail, host: Host, audience: str) -> None:
        """Sendmail accepts a reply."""
        host.effect()
        self.copies[mail.run, audience] += 1
        self.untold[mail.run, audience] += 1
        host.effect()

    def told(self, run: bytes, audience: str) -> None:
        """The server has heard that an audience was answered."""
        self.untold[run, audience] -= 1

    def applied(self, asked: ApplyAsked, got: Outcome | Unable) -> None:
        """An APPLY was answered: as the oracle answers it?"""
        before = {scope: len(room.batches) for scope, room in self.oracle.rooms.items()}
        expected = self.oracle.apply(asked.batch, asked.request_hash)
        recorded = any(len(room.batches) > before[scope] for scope, room in self.oracle.rooms.items())
        if isinstance(got, Unable):
            code = int(got.failure.code)
            assert code in CODES, got
            assert expected.code == code, (expected, got)
            if code == REUSED:
                self.blurred.add(asked.batch.run)
            self.counts[str(code)] += 1
        else:
            mine = (0, got.first, got.last, tuple(one.result for one in got.results), tuple(got.carried))
            assert mine == tuple(expected), (asked.batch, expected, got)
            assert got.replayed is not recorded
            self.counts["replayed" if got.replayed else "applied"] += 1
            self.counts["carried"] += len(got.carried)
        self.check_store()
        if not self.depth and self.dice.random() < 0.04:
            self.back_up()  # and nobody hears of this batch: a fail-over that lost nothing
            self.restore()

    def settled(self, mail: Mail, facts) -> None:
        """A run is settled: does it tell what it did?"""
        if len(self.attempts[mail.run]) > 1 or mail.run in self.blurred:
            return
        rounds: dict[str, list] = {}
        for one in facts.rounds:
            rounds.setdefault(str(one.plan.scope), []).append(one)
        done = {(scope, step.volume) for scope, said in rounds.items() for step in tally(said).done}
        assert done == self.oracle.effects.get(mail.run, set()), (mail.said, done)
        self.counts["settled"] += 1

    # Steps.

    def play(self, steps: Iterable[str]) -> None:
        """These steps, and then everything comes to rest."""
        try:
            for step in steps:
                getattr(self, step)()
                self.check_store()
            self.rest()
        finally:
            self.store.close()

    def interleave(self, event: object) -> None:
        """While a request is about to be served, somebody else does something, now and then."""
        if isinstance(event, ApplyAsked) or hasattr(event, "cursor"):
            self.others(0.12, self.restart)

    def on_the_way(self) -> None:
        """While an answer is on its way, too: it is old when it arrives."""
        self.others(0.02, self.back_up, self.restore, self.race)

    def others(self, often: float, *more: Callable[[], None]) -> None:
        """So often somebody else does something: what anybody does, or one of these."""
        if self.depth or self.dice.random() >= often:
            return
        with self.alone():
            work = (self.load, self.delete, self.old_mail, self.new_mail, self.expire, self.wait, self.sync, self.grant)
            self.dice.choice((*work, *more))()
            self.check_store()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block nobody else does anything."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def new_mail(self) -> None:
        said: dict[str, dict[str, dict[str, str]]] = {}
        for scope in self.dice.sample(SCOPES, self.dice.choice((1, 1, 2, 3))):
            names = sorted(self.dice.sample(NAMES[scope], self.dice.randint(1, len(NAMES[scope]))))
            said[scope] = {name: self.row(scope) for name in names}
        source = self.dice.choice(("nightly/a", "nightly/a", "nightly/b", ""))
        self.mails.append(Mail(len(self.mails), source, dict(sorted(said.items())), lists=self.dice.random() < 0.25))
        self.deliver(self.mails[-1])

    def row(self, scope: str) -> dict[str, str]:
        row = {"repository": self.dice.choice(PLACES)}
        if self.dice.random() < 0.3:
            row["description"] = self.dice.choice(("weekly", "monthly"))
        if self.dice.random() < 0.2:
            row["slot"] = self.dice.choice("12")
        if scope != "US01.BOX" and self.dice.random() < 0.3:
            row["container"] = self.dice.choice(BOXES)
        return row

    def old_mail(self) -> None:
        if self.mails:
            self.deliver(self.dice.choice(self.mails[-4:]))

    def deliver(self, mail: Mail) -> None:
        host = self.dice.choice(self.hosts)
        if host.busy:
            return
        cuts = (FAR, FAR)
        if self.dice.random() < 0.35:
            cuts = self.dice.choice(((self.dice.randint(0, 6000), FAR), (FAR, self.dice.randint(0, 6000))))
        kill = self.dice.randint(1, 60) if self.dice.random() < 0.3 else 0
        host.deliver(mail, cuts=cuts, kill=kill)

    def sync(self) -> None:
        scope = self.dice.choice(SCOPES)
        host = self.dice.choice(self.hosts)
        if self.depth:
            self.sync_beside(host, scope)
        else:
            host.sync(scope)

    def sync_beside(self, host: Host, scope: str) -> None:
        """A process beside the one that is at it, on the very same cache; it may end in the middle of a copy."""
        with suppress(NoScopeError, UnreachableError):
            host.refresh(scope, (FAR, self.dice.choice((self.dice.randint(0, 3000), FAR))))

    def race(self) -> None:
        """Old copies have to begin again, and other processes hear of it before the one that is at it."""
        if self.dice.random() < 0.3:
            self.restore()
        for scope in SCOPES:
            self.forget(scope, self.oracle.rooms[scope].version)
            for host in self.hosts:
                self.sync_beside(host, scope)

    def load(self) -> None:
        scope = self.dice.choice(SCOPES)
        names = self.dice.sample(NAMES[scope], self.dice.randint(1, 2))
        said = self.dice.choice(({"slot": "9"}, {"description": "loaded", "slot": "8"}, {"repository": "RACK"}))
        rows = [LoadRow(parse_scope(scope), name, tuple(said.values()), 1) for name in sorted(names)]
        assert not self.store.load(tuple(said), rows).faults
        self.oracle.load(scope, {name: dict(said) for name in names})

    def delete(self) -> None:
        scope = self.dice.choice(SCOPES)
        name = self.dice.choice(NAMES[scope])
        kept = not self.oracle.delete(scope, name)
        try:
            self.store.delete(parse_scope(scope), [name])
            assert not kept
        except RequestError:
            assert kept

    def expire(self) -> None:
        scope = self.dice.choice(SCOPES)
        self.forget(scope, max(0, self.oracle.rooms[scope].version - self.dice.randint(0, 6)))

    def forget(self, scope: str, through: int) -> None:
        """The scope's deletions up to a version are forgotten."""
        self.store.expire(parse_scope(scope), through)
        self.oracle.expire(scope, through)

    def grant(self) -> None:
        customer = self.dice.choice(("US01", "DE01"))
        access = self.dice.choice(("write", "write", "read", ""))
        if self.oracle.access[customer]:
            self.store.remove_grant("user", TOKEN.user, customer)
        if access:
            self.store.add_grant(Grant("user", TOKEN.user, customer, Access[access.upper()]))
        self.oracle.access[customer] = access

    def restart(self) -> None:
        self.store.close()
        self.store = self.place.open()
        self.serving.restart(self.store)

    def back_up(self) -> None:
        self.place.back_up()
        self.backup = self.oracle.copy()

    def restore(self) -> None:
        if self.backup is None:
            return
        self.store.close()
        self.place.restore()
        self.store = self.place.open()
        self.epochs += 1
        epoch = self.epochs.to_bytes(16, "big")
        self.store.renew_epoch(epoch)
        self.serving.restart(self.store)
        self.oracle = self.backup.copy()
        self.oracle.epoch = epoch
        self.blurred.update(mail.run for mail in self.mails)
        # What the restored store does not know any more may be told again: leases and who was answered are in it.
        for (run, audience), copies in self.copies.items():
            self.untold[run, audience] = copies

    def wait(self) -> None:
        self.now += self.dice.choice((1, 30, LEASE_SECONDS + 1))

    def rest(self) -> None:
        """Nothing fails any more: every mail ends, everywhere, and all copies are right."""
        for customer in ("US01", "DE01"):
            if self.oracle.access[customer]:
                self.store.remove_grant("user", TOKEN.user, customer)
            self.store.add_grant(Grant("user", TOKEN.user, customer, Access.WRITE))
            self.oracle.access[customer] = "write"
        self.depth = 1  # and nobody else does anything, from here on
        for mail in self.mails:
            for host in self.hosts:
                if host.number not in self.attempts.get(mail.run, ()) and self.dice.random() < 0.5:
                    continue
                self.now += LEASE_SECONDS + 1
                assert host.deliver(mail, cuts=(FAR, FAR), kill=0), mail.said
                self.check_store()
        for host in self.hosts:
            for scope in SCOPES:
                host.sync(scope)
        for (run, audience), copies in self.copies.items():
            assert copies <= 1 + self.untold[run, audience], (audience, copies)
        assert list(self.store.verify()) == []

    # What is held to be true.

    def same_copy(self, scope: str, host: Host) -> None:
        cache = Cache.open(host.folder / "cache", "c" * 64)
        try:
            snapshot = cache.snapshot(parse_scope(scope))
            names = ("repository", "current_repository", "confirmed_repository", "container", "slot", "description")
            held = {row[0]: row[1:] for row in snapshot.rows((*names, "flags"))}
        finally:
            cache.close()
        assert held == {name: tuple(said.values()) for name, said in self.oracle.volumes(scope).items()}, scope
        self.counts["copies"] += 1

    def check_store(self) -> None:
        for at in self.store.scopes(ADMINISTRATOR):
            scope = str(at.scope)
            room = self.oracle.rooms[scope]
            assert (at.epoch, at.version, at.floor) == (self.oracle.epoch, room.version, room.floor)
            epoch, version = self.high.get(scope, (b"", 0))
            assert at.epoch != epoch or at.version >= version
            self.high[scope] = (at.epoch, at.version)
            held = {
                name: {
                    "repository": one.repository,
                    "current": one.current_repository,
                    "confirmed": one.confirmed_repository,
                    "container": one.container,
                    "slot": one.slot,
                    "description": one.description,
                    "flags": one.flags,
                }
                for name, one in self.store.export(at.scope)
            }
            assert held == self.oracle.volumes(scope), scope
