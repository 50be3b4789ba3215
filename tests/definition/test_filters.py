from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.definition.filters import Filter, FilterFault, compile_filter, compile_pattern


def compiled(text: str, *, fold: bool = False) -> Filter:
    one = compile_filter(text, fold=fold)
    assert isinstance(one, Filter), one
    return one


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("volume", ["volume"], ["Volume", "volumes", "", "volume\n"]),
        ("", [""], ["a"]),
        ("*", ["", "a", "a\nb"], []),
        ("CLN*", ["CLN", "CLN001L5"], ["cln001", " CLN"]),
        ("*.csv", ["a.csv", ".csv"], ["a.csv.gz", "a.CSV", "acsv"]),
        ("a*a", ["aa", "aba"], ["a", "ab"]),
        ("*a*b*", ["ab", "xaxbx"], ["ba", ""]),
        ("a**b", ["ab", "axb"], ["a"]),
        ("a?c", ["abc", "a\nc", "aéc"], ["ac", "abbc"]),
        ("[12]?????L[4-7]", ["100000L4", "200000L7"], ["300000L4", "100000L8", "1000000L4"]),
        ("L[4|5]", ["L4", "L5"], ["L|", "L6"]),
        ("[!0-9]*", ["A1"], ["1A", ""]),
        ("[!a]", ["b", "\n"], ["a", ""]),
        ("[*]PERM", ["*PERM"], ["xPERM"]),
        ("[|]", ["|"], ["", "a"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[^x]", ["^", "x"], ["y"]),
        ("*(LIB1|LIB2)", ["LIB1", "LIB2", "LIB1LIB2"], ["", "LIB3", "LIB1x"]),
        ("S*(1|2?|[a|b])", ["S1", "S2x", "Sa", "S1b"], ["S", "S2", "S|"]),
        ("!(CLN*)", ["A1", "", "CL"], ["CLN", "CLN001"]),
        ("!([0-9]*", ["A1", "", " 1"], ["1", "1A"]),
        ("!(A|B*|[)]x)", ["", "C", ")y"], ["A", "Bx", ")x"]),
        ("A?!(X*|Y)L[4|5]", ["A1L4", "A1ZL5", "A1YZL4"], ["A1XL4", "A1YL5", "B1ZL4", "AL4", "A1ZL6"]),
        ("!(*(A|B)C)", ["", "C", "AB"], ["AC", "ABAC"]),
        ("[!()]", ["a"], ["(", ")", ""]),
        ("a.b", ["a.b"], ["axb"]),
        ("Cleaning Tape (27 uses left)", ["Cleaning Tape (27 uses left)"], ["Cleaning Tape 27 uses left"]),
        ("\\d+?", ["\\d+x"], ["1"]),
    ],
)
def test_a_filter_matches_the_whole_value(text, yes, no):
    one = compiled(text)
    assert [value for value in yes if not one.matches(value)] == []
    assert [value for value in no if one.matches(value)] == []
    assert one.matching([*yes, *no]) == list(range(len(yes)))


def test_a_folded_filter_ignores_case_also_in_character_classes():
    assert compiled("*@Example.COM", fold=True).matches("Backup@EXAMPLE.com")
    assert compiled("[A-C]?", fold=True).matches("bX")
    assert compiled("STRASSE*", fold=True).matches("straße 1")
    assert not compiled("*@example.com", fold=True).matches("backup@example.com.invalid")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 257, "at most 256"),
        ("*!(CLN*)", "a * beside !(...)"),
        ("!(a)b*(c)", "a * beside !(...)"),
        ("!(a)!(b)", "more than one !(...)"),
        ("!(a!(b))", "more than one !(...)"),
        ("!(a[b)", '"[" is never closed'),
        ("*LIST:tapes.txt", "*LIST:file is for .ttidef definitions"),
        ("a[bc", '"[" is never closed'),
        ("*(a|b", '"*(" is never closed'),
        ("*(a|*(b))", "a group within a group"),
        ("*(a|)", "an empty choice"),
        ("[]", "has no characters"),
        ("[z-a]", "backwards"),
    ],
)
def test_what_is_no_filter_is_refused_with_its_reason(text, said):
    fault = compile_filter(text)
    assert isinstance(fault, FilterFault)
    assert said in fault.text


@given(st.text("ab*[]()|?!-\n\\", max_size=12), st.text("abc*|\n", max_size=8))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_filter_that_matches_or_a_fault(text, value):
    one = compile_filter(text)
    if isinstance(one, Filter):
        assert one.matches(value) in (True, False)


@given(st.text("ab*", max_size=9), st.text("ab", max_size=9))
@settings(max_examples=500, deadline=None)
def test_stars_mean_what_the_regular_expression_says(text, value):
    expected = re.fullmatch(text.replace("*", "[ab]*"), value) is not None
    assert compiled(text).matches(value) == expected


@pytest.mark.parametrize(
    "text", ["*a*a*a*a*b", "*a?*a?*a?*a?*[b]", "*(a|aa|aaa)b", "*a*a*a*a*a*a*a*a*a*a*(a|b)c", "!(*a*a*a*a*x)"]
)
def test_matching_is_linear_in_the_value(text):
    one = compiled(text)
    started = time.process_time()
    assert not one.matches("a" * 4096 + "x")
    # Backtracking would take longer than anybody waits: a bound in seconds depends on no machine.
    assert time.process_time() - started < 5


def test_a_regular_expression_that_would_backtrack_or_grow_is_refused():
    assert isinstance(compile_pattern(r"(a)\1"), FilterFault)
    assert isinstance(compile_pattern("(?=a)"), FilterFault)
    assert isinstance(compile_pattern("((a{100}){100}){100}"), FilterFault)
    assert isinstance(compile_pattern("a" * 1001), FilterFault)


def test_filters_are_equal_when_they_say_the_same():
    assert compiled("a*") == compiled("a*")
    assert compiled("a*") != compiled("a*", fold=True)
    assert len({compiled("a*"), compiled("a*"), compiled("b*")}) == 2
