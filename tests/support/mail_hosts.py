"""The mail hosts of a random history (histories.py): each attempt at a mail may be cut off, or killed, anywhere.

What runs is the product's: link, cache, journal, lease, settling and sending. Made here are the pipe instead of a
socket (pipes.py), and the reports.
"""

from __future__ import annotations

from contextlib import suppress
from pipes import Pipe
from types import SimpleNamespace
from typing import TYPE_CHECKING

from mailsync.client.archive import Archive
from mailsync.client.cache import Cache
from mailsync.client.failures import NoScopeError, OvertakenError
from mailsync.client.journal import DONE, HELD, Journal
from mailsync.client.link import Link
from mailsync.core.errors import MailsyncError, UnreachableError
from mailsync.core.identity import run_id
from mailsync.core.inventory import Listing, Lists
from mailsync.core.model import Mapped, Place, Records, parse_scope
from mailsync.core.planning import PlanRules
from mailsync.core.summarise import summarise
from mailsync.flow import answer
from mailsync.flow.decide import Report
from mailsync.flow.lease import take_lease
from mailsync.flow.settle import Job, settle
from mailsync.wire.client_session import ClientSession
from mailsync.wire.end import RANDOM_BYTES
from mailsync.wire.keys import Token, new_client_key, new_ring
from mailsync.wire.messages import Sync
from mailsync.wire.scram import SALT_BYTES

if TYPE_CHECKING:
    from histories import History

AUDIENCES = ("operator", "courier")
RING = new_ring(b"S" * 32)
KEY = new_client_key(RING, "site", b"K" * 32)
TOKEN = Token("filter", b"t" * 32)
FAR = 2**40
ORDER = ("description", "repository", "container", "slot")  # as in core.fields.SYNC_FIELDS


class Killed(BaseException):
    """The host's process is killed here."""


class Mail:
    """A report: what it says of which scope, and from which source; `lists` means that its volumes were scanned."""

    def __init__(self, number: int, source: str, said: dict[str, dict[str, dict[str, str]]], *, lists: bool) -> None:
        self.number, self.source, self.said, self.lists = number, source, said, lists
        self.run = run_id("nightly", (number.to_bytes(4, "big"),))

    def report(self) -> Report:
        place = Place(f"<{self.number}@example.com>", "a.csv")
        records = []
        for scope, rows in self.said.items():
            fields = tuple(name for name in ORDER if any(name in row for row in rows.values()))
            lines = tuple(range(2, len(rows) + 2))
            values = tuple(tuple(row.get(name) for name in fields) for row in rows.values())
            which = (0,) * len(rows)
            records.append(Records(parse_scope(scope), fields, tuple(rows), values, lines, lines, (place,), which))
        read = sum(len(one.volumes) for one in records)
        mapped = Mapped("a.csv", "text", "d", "00" * 32, read, 0, (), tuple(records), (), ())
        lists = Lists({"a.csv": Listing(confirms=True)}) if self.lists else Lists()
        rules = PlanRules(add_unknown=True, lists=lists)
        return Report((mapped,), (), (), "00" * 32, self.source, bool(self.source), lambda _: rules)


class Mortal:
    """Something whose every call is an effect: the process may be killed before it, or after it."""

    def __init__(self, mortal, effect) -> None:
        self._mortal, self._effect = mortal, effect

    def __getattr__(self, name):
        found = getattr(self._mortal, name)
        if not callable(found):
            return found

        def call(*words, **named):
            self._effect()
            done = found(*words, **named)
            self._effect()
            return done

        return call


class Remote:
    """A host's way to the server, as flow/world.py has it: one connection, and the cache."""

    def __init__(self, host: Host, cuts: tuple[int, int]) -> None:
        self.host = host
        self.cuts = cuts
        self.cache = Cache.open(host.folder / "cache", "c" * 64)
        self.link: Link | None = None

    def connected(self) -> Link:
        if self.link is None:
            history = self.host.history
            line = Pipe(history.serving, history.dice, self.cuts, self.host.effect)
            session = ClientSession(key=KEY, token=TOKEN, random=history.dice.randbytes(RANDOM_BYTES))
            link = Link(line, session, salt=history.dice.randbytes(SALT_BYTES))
            link.greet()
            self.link = link
        return self.link

    def refresh(self, scope):
        return self.cache.refresh(self.connected(), scope)

    def apply(self, body):
        return self.connected().apply(body)

    def begin_run(self, run, holder, scope=None):
        ahead = None if scope is None else Sync(scope, *self.cache.place(scope))
        return self.connected().begin_run(run, holder, ahead)

    def renew_run(self, run, holder):
        return self.connected().renew_run(run, holder)

    def replied(self, run, holder, audience):
        self.connected().replied(run, holder, audience)

    def end_run(self, run, holder):
        self.connected().end_run(run, holder)

    def release_run(self, run, holder):
        self.connected().release_run(run, holder)

    def earlier(self, scope, source, run):
        return self.connected().earlier(scope, source, run)

    def missing(self, scope, batches):
        return self.connected().missing(scope, batches)

    def close(self) -> None:
        """A process that ends lets go of all it has; whether it could say goodbye changes nothing."""
        self.cache.close()


class Host:
    """A mail host: its journal, archive and cache. An attempt may be cut off, or killed, anywhere."""

    def __init__(self, history: History, number: int) -> None:
        self.history = history
        self.number = number
        self.folder = history.folder / f"host{number}"
        self.folder.mkdir()
        self.left = 0  # effects until it is killed, 0: it is not
        self.busy = False

    def effect(self) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise Killed

    def deliver(self, mail: Mail, *, cuts: tuple[int, int], kill: int) -> bool:
        """One attempt, as flow/intake.py makes it; True when the mail has ended here."""
        self.left, self.busy = kill, True
        journal = Journal(self.folder / "journal.db")
        journal._db.execute("PRAGMA synchronous = OFF")  # power cuts are not what this is about
        remote = Remote(self, cuts)
        try:
            return self.attempt(mail, Mortal(journal, self.effect), remote, journal.holder + bytes((self.number,)))
        except Killed:
            self.history.counts["killed"] += 1
            return False
        finally:
            self.left, self.busy = 0, False
            remote.close()
            journal.close()

    def attempt(self, mail: Mail, journal, remote: Remote, holder: bytes) -> bool:
        history, run = self.history, mail.run
        known = journal.find(run)
        if known is not None and known.state in (DONE, HELD):
            return True
        begun = journal.begin(run, mail=run, route="nightly", verdict="{}", now=history.now)
        history.attempts.setdefault(run, set()).add(self.number)
        try:
            first = None if begun.report is not None else min(map(parse_scope, mail.said), default=None)
            lease = take_lease(remote, run, holder[-16:], first)
            if lease is None:
                journal.end(run, state=DONE, reason="elsewhere", now=history.now)
                return True
            facts = settle(Job(run, history.route, begun.first_seen, mail.report), journal, remote)
            history.settled(mail, facts)
            world = SimpleNamespace(
                journal=journal,
                archive=Mortal(Archive(self.folder / "audit"), self.effect),
                now=lambda: history.now,
                send=lambda _, *, name: history.sent(mail, self, name.partition(".")[2]),
            )
            text = repr(summarise(facts)).encode()
            for audience in AUDIENCES:
                answer._send_once(world, run, audience, lambda: text, lease)
            lease.end()
            journal.end(run, state=DONE, reason="done", now=history.now)
        except OvertakenError:
            journal.end(run, state=HELD, reason="overtaken", now=history.now)
            with suppress(MailsyncError):
                remote.release_run(run, holder[-16:])
        except MailsyncError:
            journal.postpone(run)
            return False
        return True

    def sync(self, scope: str) -> None:
        """Follows a scope while others are at work, then to its end, and compares."""
        with suppress(NoScopeError, UnreachableError):
            self.refresh(scope)
        with self.history.alone():
            try:
                self.refresh(scope)
            except NoScopeError:
                assert not self.history.oracle.access[scope[:4]]
            else:
                self.history.same_copy(scope, self)

    def refresh(self, scope: str, cuts: tuple[int, int] = (FAR, FAR)) -> None:
        """Follows a scope over a connection that holds, unless it is cut or the server is started anew."""
        remote = Remote(self, cuts)
        try:
            remote.refresh(parse_scope(scope))
        finally:
            remote.close()
