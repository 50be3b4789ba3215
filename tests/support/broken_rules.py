"""Rules of exactly-once, each broken in turn: a model that finds nothing then shows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mailsync.client.cache import Cache
from mailsync.server import sql_apply, sql_runs, sql_sync
from mailsync.server.store import RequestError


@contextmanager
def replaced(place: Any, name: str, made: Callable[[Any], Any]) -> Iterator[None]:
    """Within the block, what `made` makes of it stands in its place."""
    kept = getattr(place, name)
    setattr(place, name, made(kept))
    try:
        yield
    finally:
        setattr(place, name, kept)


def epoch_before_batch_id():
    """A batch that was recorded before a restore is refused, instead of answered with its outcome."""

    def made(replayed):
        def replay(connection, at, request, recorded):
            sql_apply._check_epoch(at, request.batch)
            return replayed(connection, at, request, recorded)

        return replay

    return replaced(sql_apply, "_replayed", made)


def grants_before_batch_id():
    """A batch that was recorded before its sender's grant was taken back is refused."""

    def made(replayed):
        def replay(connection, at, request, recorded):
            rights = sql_apply.require_user(connection, "apply", request.principal)
            sql_apply._check_grant(rights, request.batch.scope)
            return replayed(connection, at, request, recorded)

        return replay

    return replaced(sql_apply, "_replayed", made)


def no_done():
    """Descriptions older than the last page, instead of the last complete copy, are taken to be known."""
    return replaced(
        sql_sync,
        "read_page",
        lambda read: (
            lambda connection, at, cursor, *words: read(connection, at, cursor._replace(done=cursor.since), *words)
        ),
    )


def no_lease():
    """Whoever asks for a run gets it."""

    def made(begin):
        def begun(connection, run, holder, now, rights):
            connection.execute("UPDATE runs SET until = 0, done = 0 WHERE run = ?", (run,))
            return begin(connection, run, holder, now, rights)._replace(audiences=())

        return begun

    return replaced(sql_runs, "begin_run", made)


def no_order_of_reports():
    """An older report has the last word."""
    return replaced(sql_apply, "_is_overtaken", lambda _: lambda *_words: False)


def no_604():
    """Another request under a batch's id is answered as if it were that batch."""

    def made(replayed):
        def replay(connection, at, request, recorded):
            try:
                return replayed(connection, at, request, recorded)
            except RequestError as error:
                return error.outcome

        return replay

    return replaced(sql_apply, "_replayed", made)


def cursor_not_compared():
    """A page is stored though another process has moved the copy meanwhile."""

    def made(commit):
        def committed(self, asked, page):
            cursor = self._begun_again(asked)
            return commit(self, asked._replace(cursor=cursor), page)

        return committed

    def again(self, asked):
        query = "SELECT epoch, since, snap, done, mark, at FROM scopes WHERE number = ?"
        found = self._connection.execute(query, (asked.number,)).fetchone()
        return type(asked.cursor)(*found) if found else asked.cursor

    @contextmanager
    def both():
        Cache._begun_again = again
        with replaced(Cache, "_commit", made):
            yield
        del Cache._begun_again

    return both()


def no_base():
    """A volume that somebody else changed since the plan was made is changed all the same."""
    return replaced(sql_apply._Operations, "_is_newer", lambda _: lambda *_words: False)


BROKEN = {
    "epoch before batch id": epoch_before_batch_id,
    "grants before batch id": grants_before_batch_id,
    "no done in the cursor": no_done,
    "no lease": no_lease,
    "no order of reports": no_order_of_reports,
    "no 604": no_604,
    "cursor not compared": cursor_not_compared,
    "no base": no_base,
}
