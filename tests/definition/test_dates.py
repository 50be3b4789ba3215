from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.errors import ConfigurationError
from mailsync.definition.dates import DateFormat, Moment, compile_date, date_text, parse_date, utc_clock
from mailsync.definition.days import local_day


def parsed(form: str, text: str) -> Moment | None:
    compiled = compile_date(form)
    assert isinstance(compiled, DateFormat), compiled
    return parse_date(text, compiled)


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%Y-%m-%d", "2031-02-28", "2031-02-28"),
        ("%Y-%m-%d", "2031-2-8", "2031-02-08"),
        ("%d/%m/%Y %H:%M", "28/02/2031  23:59", "2031-02-28"),
        ("%m%d%Y", "02282031", "2031-02-28"),
        ("%y%m%d", "690101", "1969-01-01"),
        ("%y%m%d", "680101", "2068-01-01"),
        ("%Y/%j", "2032/366", "2032-12-31"),
        ("%Y-%j", "2031-001", "2031-01-01"),
        ("%d-%b-%Y", "01-mAr-2031", "2031-03-01"),
        ("%B %d, %Y", "September 3, 2031", "2031-09-03"),
        ("%s", "1900000000", "2030-03-17"),
        ("%m/%d/%Y %I:%M %p", "12/31/2031 12:05 am", "2031-12-31"),
        ("%%Y.%%m.%%d", "2031.03.01", "2031-03-01"),
        ("100%% %Y%m%d", "100% 20310301", "2031-03-01"),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2031-03-01T00:00:00.123456Z", "2031-03-01"),
    ],
)
def test_a_date_is_read_by_its_format(form, text, expected):
    moment = parsed(form, text)
    assert moment is not None
    assert date_text(moment) == expected


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y-%m-%d", "2031-02-29"),
        ("%Y-%m-%d", "2031-13-01"),
        ("%Y-%m-%d", "0000-00-00"),
        ("%Y-%m-%d", "31-01-01"),
        ("%Y-%m-%d", "2031-01-01x"),
        ("%Y-%m-%d", "2031-01-01\n"),
        ("%Y-%m-%d", "\uff12\uff10\uff13\uff11-01-01"),
        ("%Y-%m-%d", ""),
        ("%Y%j", "2031366"),
        ("%Y%j", "2031000"),
        ("%Y%j", "9999366"),
        ("%Y%j", "0001000"),
        ("%d %b %Y", "1 xyz 2031"),
        ("%Y-%m-%d %H:%M", "2031-01-01 24:00"),
        ("%Y-%m-%d %I %p", "2031-01-01 13 PM"),
        ("%Y-%m-%d%z", "2031-01-01+9999"),
    ],
)
def test_what_is_not_such_a_date_is_none(form, text):
    assert parsed(form, text) is None


@pytest.mark.parametrize("form", ["", "%Y-%m", "%H:%M", "%Y-%m-%q", "%Y-%m-%d %", "%d.%m."])
def test_a_format_that_gives_no_date_is_refused(form):
    assert isinstance(compile_date(form), str)


@given(st.dates())
@settings(max_examples=300, deadline=None)
def test_every_day_of_the_calendar_comes_back(day: date):
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%Y/%j", "%d %B %Y"):
        text = day.strftime(form.replace("%Y", f"{day.year:04d}"))
        moment = parsed(form, text)
        assert moment is not None
        assert date_text(moment) == day.isoformat()


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_date_or_none(text):
    for form in ("%Y-%m-%d %H:%M:%S%z", "%d %b %y %I:%M %p", "%s", "%Y%j.%f"):
        assert parsed(form, text) is None or isinstance(parsed(form, text), Moment)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - naive on purpose
@settings(max_examples=200, deadline=None)
def test_a_time_without_zone_is_in_the_given_one(local: datetime):
    from zoneinfo import ZoneInfo

    stored = utc_clock("Europe/Berlin")(Moment(*local.timetuple()[:6]))
    expected = local.replace(microsecond=0, fold=0, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    assert stored == expected.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_of_an_hour_that_occurs_twice_the_first_is_meant():
    assert utc_clock("Europe/Berlin")(Moment(2030, 10, 27, 2, 30)) == "2030-10-27T00:30:00Z"


def test_a_time_that_says_its_offset_is_not_moved_by_the_zone():
    moment = parsed("%Y-%m-%dT%H:%M:%S%z", "2031-07-01T12:00:00+05:30")
    assert moment is not None
    assert utc_clock("Europe/Berlin")(moment) == "2031-07-01T06:30:00Z"


def test_an_unknown_zone_is_a_bad_configuration():
    for zone in ("Europe/Atlantis", "../../etc/passwd", "\0"):
        with pytest.raises(ConfigurationError):
            utc_clock(zone)


def test_a_time_that_is_beyond_the_calendar_in_its_zone_is_of_its_own_day():
    assert local_day("Europe/Berlin")("2031-01-31T23:30:00Z") == date(2031, 2, 1)
    assert local_day("Europe/Berlin")("9999-12-31T23:30:00Z") == date(9999, 12, 31)
