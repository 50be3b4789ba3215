"""Servers and clients that are killed at random and started again, and what must hold of the store afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kept_client import PLACES, SCOPE, VOLUMES, batch_name, chosen, volume
from served import MAILSYNC, Site
from sites import free_port
from victims import PATIENCE, Victim

from mailsync.client.cache import Cache
from mailsync.client.link import connect
from mailsync.config.keys import read_client_key, read_token
from mailsync.core.fields import FIELD_NAMES
from mailsync.core.kept import from_json
from mailsync.core.model import Repository, RepositoryId
from mailsync.core.outcome import Outcome, Result
from mailsync.server.access import Access
from mailsync.server.store import LoadRow
from mailsync.server.stores import open_url
from mailsync.wire.batches import request_hash
from mailsync.wire.keys import format_token, new_token
from mailsync.wire.scram import make_verifier

CLIENT = str(Path(__file__).with_name("kept_client.py"))
NAMES = ("a", "b")


class Counted(NamedTuple):
    """What a loop came to."""

    batches: int
    servers: int
    clients: int
    replayed: int


class Loop:
    """A store with two clients of their own volumes, and what serves it: each in a folder of a site."""

    def __init__(self, folder: Path, url: str, servers: int) -> None:
        self.site, self.url = Site(folder), url
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(servers)]
        places = tuple(Repository(RepositoryId(name), name) for name in PLACES)
        with open_url(url) as store:
            store.add_scope(SCOPE, repositories=places, default_repository=PLACES[0])
            names = [volume(name, number) for name in NAMES for number in range(VOLUMES)]
            store.load(("repository",), [LoadRow(SCOPE, name, (PLACES[0],), 0) for name in names])
            for name in NAMES:
                token = new_token(name, os.urandom(32))
                verifier = make_verifier(token.secret, os.urandom(16))
                store.add_token(name, verifier, 1, grants=(("*", Access.WRITE),))
                client = folder / name
                client.mkdir(0o700)
                (client / "client.token").touch(0o600)
                (client / "client.token").write_text(format_token(token))
                (client / "client.key").touch(0o600)
                (client / "client.key").write_bytes((folder / "keys/site.key").read_bytes())

    def run(self, kills: int, batches: int, seed: str) -> Counted:
        """Kills servers so many times, and clients, until at least so many batches are through; then checks all."""
        with self._victims(kills, seed) as (servers, clients):
            for victim in (*servers, *clients):
                victim.wait()
            for name in NAMES:
                (self.site.folder / name / "stop").write_text(str(-(-batches // len(NAMES))))
            for client in clients:
                assert client.process is not None
                assert client.process.wait(PATIENCE + batches) == 0
            self._check_caches()
            killed = [sum(victim.killed for victim in victims) for victims in (servers, clients)]
        return self._checked(*killed)

    @contextmanager
    def _victims(self, kills: int, seed: str) -> Iterator[tuple[list[Victim], list[Victim]]]:
        config = str(self.site.folder / "mailsync.yaml")
        serve = [*MAILSYNC, "server", "run", "--config", config, "--store", self.url, "--listen"]
        made: list[Victim] = []
        try:
            for number, address in enumerate(self.addresses):
                made.append(Victim([*serve, address], -(-kills // len(self.addresses)), f"{seed} server {number}"))
            for number, name in enumerate(NAMES):
                # Each begins with another server.
                order = self.addresses[number % len(self.addresses) :] + self.addresses[: number % len(self.addresses)]
                command = [sys.executable, CLIENT, str(self.site.folder / name), *order]
                made.append(Victim(command, -(-kills // len(NAMES)), f"{seed} client {number}"))
            yield made[: len(self.addresses)], made[len(self.addresses) :]
        finally:
            for victim in made:
                victim.end()

    def _check_caches(self) -> None:
        """Each client's cache, brought up to date, is what the store has."""
        with open_url(self.url) as store:
            stored = [(name, *volume) for name, volume in store.export(SCOPE)]
        for name in NAMES:
            folder = self.site.folder / name
            key, token = read_client_key(folder / "client.key"), read_token(folder / "client.token")
            link = connect(self.addresses[0], key, token, random=os.urandom)
            with Cache.open(folder, "cache") as cache:
                assert list(cache.refresh(link, SCOPE).rows(FIELD_NAMES)) == stored
            link.close()

    def _checked(self, servers: int, clients: int) -> Counted:
        """Nothing is lost, nothing there twice, and all that was answered is what was recorded."""
        with open_url(self.url) as store:
            recorded = store.batches(SCOPE)
            history: dict[str, list[str]] = {}
            for change in store.ledger(SCOPE):
                if change.field == "repository":
                    history.setdefault(change.volume, []).append(change.after)
        of_id = {one.id: one for one in recorded}
        assert len(of_id) == len(recorded), "a batch is recorded twice"
        replayed = 0
        moves: dict[str, int] = {}
        for name in NAMES:
            folder = self.site.folder / name
            sent = len(list(folder.glob("*.body")))
            for number in range(sent):
                one = of_id.pop(batch_name(name, number))
                answer = from_json(Outcome, (folder / f"{number}.outcome").read_text())
                replayed += answer.replayed
                assert one.request_hash == request_hash((folder / f"{number}.body").read_bytes())
                assert answer._replace(replayed=False) == one.outcome
                assert [row.result for row in answer.results] == [Result.OK] * 2
                for moved in chosen(name, number):
                    moves[moved] = moves.get(moved, 0) + 1
        assert not of_id, "a batch is recorded that nobody sent"
        cycle = {name: [PLACES[(step + 1) % len(PLACES)] for step in range(times)] for name, times in moves.items()}
        assert history == cycle
        version = recorded[0].outcome.first
        for one in recorded:
            assert (one.outcome.first, one.outcome.last) == (version, version + 1)
            version += 2
        self._verify()
        return Counted(len(recorded), servers, clients, replayed)

    def _verify(self) -> None:
        command = [*MAILSYNC, "audit", "verify", "--store", self.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^0 flaws", done.stdout, re.MULTILINE), done.stdout
