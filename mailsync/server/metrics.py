"""What the server counts, and the text of it for Prometheus (exposition format 0.0.4).

Strategy: a fixed set of families, every label from a closed set of our own words, so that no client decides how many
series there are. Written and read on the event loop alone, so there are no locks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mailsync.core.outcome import Outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
Series = tuple[str, ...]


class Family(NamedTuple):
    """Series of one name: what they count, and the names of their labels."""

    name: str
    text: str
    labels: tuple[str, ...] = ()


CONNECTIONS = Family("mailsync_connections_total", "Connections accepted")
ENDS = Family("mailsync_connection_ends_total", "Connections by the reason they ended for", ("end",))
REFUSALS = Family("mailsync_refusals_total", "Connections refused or dropped, by kind", ("kind",))
LOGINS = Family("mailsync_logins_total", "Proofs of a login that were checked, by result", ("result",))
REQUESTS = Family("mailsync_requests_total", "Requests answered, by type and code (0 done)", ("type", "code"))
RECEIVED = Family("mailsync_received_bytes_total", "Bytes received from clients")
SENT = Family("mailsync_sent_bytes_total", "Bytes sent to clients")
ROWS = Family("mailsync_apply_rows_total", "Rows of batches applied, by result", ("result",))
FAULTS = Family("mailsync_faults_total", "Connections that a fault of the server ended")
COUNTERS = (CONNECTIONS, ENDS, REFUSALS, LOGINS, REQUESTS, RECEIVED, SENT, ROWS, FAULTS)
OPEN = Family("mailsync_open_connections", "Connections open now")
STORE_UP = Family("mailsync_store_up", "1 when the store answers")
SECONDS = Family("mailsync_request_seconds", "Time from a request to its answer", ("type",))


class Metrics:
    """Counters since the server's start; `open` is a gauge."""

    def __init__(self) -> None:
        self.open = 0
        self._counters: dict[str, Counter[Series]] = {family.name: Counter() for family in COUNTERS}
        self._buckets: dict[Series, list[int]] = {}
        self._seconds: dict[Series, float] = {}

    def count(self, family: Family, *labels: str, by: int = 1) -> None:
        """Adds to a counter."""
        self._counters[family.name][labels] += by

    def request(self, kind: str, code: int, seconds: float) -> None:
        """Notes an answered request; `code` 0 is done."""
        self.count(REQUESTS, kind, str(code))
        buckets = self._buckets.setdefault((kind,), [0] * (len(BUCKETS) + 1))
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[(kind,)] = self._seconds.get((kind,), 0.0) + seconds

    def applied(self, outcome: Outcome) -> None:
        """Notes the rows of a batch that was applied now: a replayed one was counted when it was."""
        if not outcome.replayed:
            for result, rows in Counter(row.result.name.lower() for row in outcome.results).items():
                self.count(ROWS, result, by=rows)

    def text(self, *, store_up: bool) -> str:
        """All of it, as Prometheus reads it."""
        return "\n".join(self._lines(store_up=store_up)) + "\n"

    def _lines(self, *, store_up: bool) -> Iterator[str]:
        for family in COUNTERS:
            yield from _head(family, "counter")
            if not family.labels:
                self.count(family, by=0)  # one that has not counted yet is 0, rather than absent
            for labels, value in sorted(self._counters[family.name].items()):
                yield f"{family.name}{_labels(family.labels, labels)} {value}"
        for family, value in ((OPEN, self.open), (STORE_UP, int(store_up))):
            yield from _head(family, "gauge")
            yield f"{family.name} {value}"
        yield from self._histogram()

    def _histogram(self) -> Iterator[str]:
        yield from _head(SECONDS, "histogram")
        for series, buckets in sorted(self._buckets.items()):
            total = 0
            for bound, inside in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
                total += inside
                yield f"{SECONDS.name}_bucket{_labels((*SECONDS.labels, 'le'), (*series, bound))} {total}"
            yield f"{SECONDS.name}_sum{_labels(SECONDS.labels, series)} {self._seconds[series]:.6f}"
            yield f"{SECONDS.name}_count{_labels(SECONDS.labels, series)} {total}"


def _head(family: Family, kind: str) -> Iterator[str]:
    yield f"# HELP {family.name} {family.text}"
    yield f"# TYPE {family.name} {kind}"


def _labels(names: Series, values: Series) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, values, strict=True)) + "}"
