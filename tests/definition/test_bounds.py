"""What a report may make a definition do: scopes said row by row, and captions made to be slow to compare."""

import itertools
import string
import tracemalloc

import pytest

from mailsync.core.model import Scope
from mailsync.definition.captions import Sought, caption_fault
from mailsync.definition.mapping import RowLimits

PER_ROW = """
table: {kind: delimited, delimiter: ",", header: first}
fields:
  customer: {column: customer}
  media: {column: media}
  volume: {column: volume}
  repository: {column: repository}
"""
PLAIN = """
table: {kind: delimited, delimiter: ",", header: first}
fields: {volume: {column: volume}, repository: {column: repository}}
"""
HEAD = "customer,media,volume,repository\n"
CUSTOMERS = ["".join(letters) for letters in itertools.product(string.ascii_uppercase, repeat=2)]


def test_rows_of_scopes_beyond_the_limit_are_refused_in_the_order_the_scopes_appear(mapped):
    rows = [f"{one},LTO,A0000{turn},OFFS\n" for turn in range(2) for one in reversed(CUSTOMERS[:150])]
    found = mapped(PER_ROW, HEAD + "".join(rows) + "!,LTO,A00001,OFFS\n")
    assert (found.read, found.refused, sum(len(one.volumes) for one in found.records)) == (301, 101, 200)
    assert {str(one.scope) for one in found.records} == {f"{one}.LTO" for one in CUSTOMERS[50:150]}
    beyond = [one for one in found.problems if "scopes" in one.text]
    assert len(beyond) == 100
    assert {(one.text, one.hint) for one in beyond} == {
        ("the report speaks of more than 100 scopes", "raise limits.scopes if that is right")
    }


def test_scopes_of_rows_that_are_not_recorded_do_not_count(mapped):
    rows = [f"{one},LTO,bad volume,OFFS\n" for one in CUSTOMERS[:5]] + ["US01,LTO,A00001,OFFS\n"]
    found = mapped(PER_ROW, HEAD + "".join(rows), limits=RowLimits(scopes=1))
    assert (found.refused, [str(one.scope) for one in found.records]) == (5, ["US01.LTO"])


def test_the_limit_on_scopes_is_of_the_whole_mail(mapped):
    spoken = frozenset({Scope("AA", "LTO"), Scope("BB", "LTO")})
    rows = HEAD + "CC,LTO,A00001,OFFS\nAA,LTO,A00002,OFFS\n"
    found = mapped(PER_ROW, rows, limits=RowLimits(scopes=2), spoken=spoken)
    assert (found.refused, [str(one.scope) for one in found.records]) == (1, ["AA.LTO"])


@pytest.mark.timeout(20)  # milliseconds; compared one by one, minutes
@pytest.mark.parametrize("caption", ["vo{}umf", "volumevolum" * 300 + "{}", "vol;ume" * 50 + "{}"])
def test_captions_made_to_be_slow_to_compare_are_not_compared(mapped, caption):
    captions = ",".join(caption.format(number) for number in range(200_000 // len(caption)))
    found = mapped(PLAIN, captions + "\nA00001,OFFS\n", limits=RowLimits(cells=10**6))
    assert found.records == ()
    assert found.problems


def test_no_more_of_hostile_captions_is_looked_at_than_a_person_would(define):
    layout = define(PLAIN).layout
    lost = [Sought("volume", ())]
    tracemalloc.start()
    try:
        text, _ = caption_fault(lost, (";" * 2_000_000,), layout)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(text) < 200
    assert peak < 10_000_000
    long = "volume" * 11
    assert "did you mean" not in caption_fault([Sought(long, ())], (long + "s",), layout)[1]
    assert "did you mean" in caption_fault([Sought(long[:50], ())], (long[:50] + "s",), layout)[1]
