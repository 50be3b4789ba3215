"""Times read quickly are what dates.parse_date makes of them, or nothing is said of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.definition.dates import compile_date, date_text, parse_date, utc_clock
from mailsync.definition.moments import quick_reader

FORMATS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%d.%m.%Y %H.%M"),
    *("%m/%d/%y %I:%M:%S %p", "%d %b %Y %H:%M", "%Y-%m-%d-%H.%M.%S.%f", "%Y%m%d_%H%M%S", "%Y/%j %H", "%e/%m/%Y %T"),
    *("%d/%b/%Y:%H:%M:%S %z", "%H:%M %Y-%m-%d", "%s", "%Y-%m-%d", "%d-%B-%Y %H:%M"),
)
ZONES = ("", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "Africa/Monrovia")
two = st.one_of(st.integers(0, 31).map("{:02d}".format), st.integers(0, 61).map(str))
codes = {
    "Y": st.one_of(st.integers(1960, 2040).map(str), st.sampled_from(["0001", "9999", "199"])),
    "y": two,
    "j": st.one_of(st.integers(0, 367).map(str), st.integers(1, 365).map("{:03d}".format)),
    "b": st.sampled_from(["Mar", "oct", "Oct", "Xxx"]),
    "B": st.sampled_from(["March", "October", "Oct"]),
    "p": st.sampled_from(["AM", "PM", "pm", "XM"]),
    "f": st.sampled_from(["0", "000000", "123456"]),
    "z": st.sampled_from(["Z", "+02:00", "-0330", "+0545", "+9"]),
    "s": st.integers(-5, 10**11).map(str),
}


@st.composite
def texts(draw, form):
    """A text that is nearly, and mostly quite, of the form."""
    said = "".join(draw(codes.get(piece[1], two)) if len(piece) == 2 else piece for piece in form.pieces)
    change = draw(st.integers(0, 9))
    place = draw(st.integers(0, len(said)))
    return {0: said[:place] + " " + said[place:], 1: said[:place] + said[place + 1 :], 2: said + "1"}.get(change, said)


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("written", FORMATS)
@given(data=st.data(), zone=st.sampled_from(ZONES), timed=st.booleans())
def test_whatever_is_read_quickly_is_what_the_form_says(written, data, zone, timed):
    form = compile_date(written)
    stored = utc_clock(zone) if timed else date_text
    read = quick_reader(form, stored, timed=timed)
    for text in data.draw(st.lists(texts(form), max_size=12)) * 2:
        moment = parse_date(text, form)
        value = stored(moment) if moment else ""
        (quick,) = read([text]) if read else [""]
        assert quick == value if quick else (not quick and (quick == "" or not value))


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("%Y-%m-%d %H:%M:%S", "2031-03-30 18:05:59"),
        ("%Y-%m-%dT%H:%M:%S%z", "2031-03-30T18:05:59+05:30"),
        ("%m/%d/%y %I:%M:%S %p", "03/30/31 06:05:59 PM"),
        ("%Y-%m-%d %H:%M:%S.%f", "2031-03-30 18:05:59.000000"),
        ("%s", "1932573959"),
    ],
)
def test_the_usual_forms_have_a_quick_way(written, text):
    form = compile_date(written)
    stored = utc_clock("Europe/Berlin")
    read = quick_reader(form, stored, timed=True)
    assert read([text, text]) == [stored(parse_date(text, form))] * 2


def test_the_hour_of_a_clock_change_is_read_minute_by_minute():
    form, stored = compile_date("%Y-%m-%d %H:%M"), utc_clock("America/St_Johns")
    read = quick_reader(form, stored, timed=True)
    for hour in range(24):
        for minute in (0, 1, 2, 30, 59):
            text = f"2006-04-02 {hour:02d}:{minute:02d}"  # clocks changed a minute past midnight there
            assert read([text]) == [stored(parse_date(text, form))]


def test_a_text_without_the_separator_is_certainly_of_another_form():
    read = quick_reader(compile_date("%Y-%m-%dT%H:%M"), utc_clock(""), timed=True)
    assert read(["2031-01-31 18:05"]) == [None]
    assert quick_reader(compile_date("%Y-%m-%d %H:%M"), utc_clock(""), timed=True)(["2031-01-31\t18:05"]) == [""]


def test_what_is_too_long_to_be_a_time_is_not_remembered():
    read = quick_reader(compile_date("%Y-%m-%d %H:%M"), utc_clock(""), timed=True)
    for number in range(100):
        assert read([f"{'9' * 4000}{number} 18:05"]) == [""]
    assert all(not known for known in vars(read.__self__).values() if isinstance(known, dict))


def test_a_time_that_is_a_word_for_never_is_unset_though_it_has_the_form(mapped):
    definition = 'fields: {volume: {column: 1}, write_time: {column: 2, date: "%Y-%m-%d %H:%M", never: ["1970-*"]}}'
    found = mapped(definition, "a,b\nA00001,1970-01-01 00:00\nA00002,2031-01-31 18:05\nA00003,\n")
    assert found.records[0].values == [("",), ("2031-01-31T18:05:00Z",), (None,)]


def test_times_of_several_forms_are_read_each_by_its_own(mapped):
    definition = "fields: {volume: {column: 1}, write_time: {column: 2}}"
    rows = ("2031-01-31T18:05:00+01:00", "2031-01-31T18:05:00", "2031-01-31 18:05", "2031-01-31", "31.1.2031")
    content = "a,b\n" + "".join(f"A0000{number},{text}\n" for number, text in enumerate(rows))
    found = mapped(definition, content)
    times = [value for (value,) in found.records[0].values]
    assert times == ["2031-01-31T17:05:00Z", *["2031-01-31T18:05:00Z"] * 2, "2031-01-31T00:00:00Z"]
    assert [problem.origin.line for problem in found.problems] == [6]
