"""Times that hardly repeat, read quickly: cut in parts that do repeat, of which each is read once.

    2031-01-31 18:05:59 PM     day | hour | minutes and seconds | mark: AM or PM, a zone, what is behind the seconds

A million times of writing have few days, and 3,600 minutes and seconds: these are read by dates.parse_date the first
time and remembered. So is which hour of UTC an hour of a day is, if it is a whole one; that of a clock change, or of a
zone at half past, is worked out for each text. Seconds since 1970 are counted. What this module cannot say for certain
it leaves to dates.parse_date: it never decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.definition.dates import (
    ISO_DATES,
    ISO_TIMES,
    DateFormat,
    Moment,
    compile_date,
    date_text,
    parse_date,
    utc_clock,
)
from mailsync.definition.model import FieldRule

# The stored texts of a column; "" where this does not know, None where the text certainly does not have the form.
Quick = Callable[[Sequence[str]], list[str | None]]
_TIME = frozenset({"%H", "%I", "%M", "%S", "%p", "%f", "%z"})
_DIGITS = frozenset({"%Y", "%y", "%m", "%d", "%e", "%j"})
_SEPARATORS = frozenset(" T:-_/.,;")
_MOST = 1 << 17
_LONGEST = 64  # what is longer is no time, and is not to be remembered


def stored_in(rule: FieldRule, timezone: str) -> Callable[[Moment], str]:
    """What is stored of a moment in the field, where a moment without an offset is in the zone."""
    return utc_clock(timezone) if _is_timed(rule) else date_text


def _is_timed(rule: FieldRule) -> bool:
    return FIELD_BY_NAME[rule.name].kind is Kind.TIME


def date_texts(rule: FieldRule) -> tuple[str, ...]:
    """The formats of the field: the definition's, else ISO 8601."""
    return rule.dates or (ISO_TIMES if _is_timed(rule) else ISO_DATES)


def date_forms(rule: FieldRule) -> list[DateFormat]:
    """The formats, compiled; the first that fits a text counts."""
    texts = date_texts(rule)
    return [form for form in (compile_date(text, rule.months) for text in texts) if isinstance(form, DateFormat)]


def column_reader(rule: FieldRule, timezone: str) -> Quick | None:
    """How a column of dates is read at once as far as that is certain (""), or None where there is no such way.

    The form that fits is the first that does: one behind another is asked where the one before it certainly does not.
    """
    known = FIELD_BY_NAME.get(rule.name)
    if known is None or known.kind not in (Kind.DATE, Kind.TIME) or rule.undecided:
        return None
    ways = [quick_reader(form, stored_in(rule, timezone), timed=_is_timed(rule)) for form in date_forms(rule)]
    first = [way for way in takewhile(lambda way: way is not None, ways) if way is not None]
    never = rule.never

    def swift(column: Sequence[str]) -> list[str | None]:
        found: list[str | None] = [None] * len(column)
        for way in first:
            found = _filled(found, way, column)
        if len(first) < len(ways):
            found = ["" if value is None else value for value in found]
        for one in never:
            for index in one.matching(column):
                found[index] = ""
        return found

    return swift if first else None


def _filled(found: list[str | None], way: Quick, column: Sequence[str]) -> list[str | None]:
    """What is found with what this way reads of the rest."""
    rest = [index for index, value in enumerate(found) if value is None]
    if len(rest) == len(column):
        return way(column)
    for index, value in zip(rest, way([column[index] for index in rest]), strict=True):
        found[index] = value
    return found


def quick_reader(form: DateFormat, stored: Callable[[Moment], str], *, timed: bool) -> Quick | None:
    """How columns of the form are read quickly, None when there is no such way.

    `stored` makes the stored text of a moment, which has the time of day in UTC in it if `timed`.
    """
    if form.pieces == ("%s",):
        return _epoch_reader(timed=timed)
    parts = _parts_of(form)
    return _Reader(parts, stored, timed=timed).read_all if parts else None


class _Parts(NamedTuple):
    """A format in parts; `inner` are the pieces between hour and mark, each digit code of them two characters wide."""

    days: DateFormat
    separator: str
    cut: Callable[[str, str], tuple[str, str, str]]
    hour: str
    inner: tuple[str, ...]
    mark: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """True when days are numbers and what is between them: then what is cut off for the day is all of it."""
        return all(len(piece) == 1 or piece in _DIGITS - {"%e"} for piece in self.days.pieces)

    @property
    def zero(self) -> str:
        """What the pieces between hour and mark are at the full hour."""
        return "".join("00" if len(piece) == 2 else piece for piece in self.inner)

    def clock(self, text: str, mark: tuple[str, ...]) -> Moment | None:
        """The time of day with this mark or none; a time alone is no date, so it is that of one and the same day."""
        return parse_date(f"2000,1,{text}", DateFormat(("%Y", ",", "%j", ",", self.hour, *self.inner, *mark), ()))


def _parts_of(form: DateFormat) -> _Parts | None:
    """The parts of a format, None when it has not its time behind its day and one separator, from the hour down."""
    pieces = form.pieces
    at = next((place for place, piece in enumerate(pieces) if piece in _TIME), 0)
    if at < 2 or pieces[at - 1] not in _SEPARATORS or pieces[at - 2] not in _DIGITS or pieces[at] not in ("%H", "%I"):
        return None
    days, separator, times = pieces[: at - 1], pieces[at - 1], pieces[at + 1 :]
    inner = tuple(takewhile(lambda piece: piece in ("%M", "%S") or piece in ":.-", times))
    mark = times[len(inner) :]
    if any(len(piece) == 2 and piece not in ("%p", "%f", "%z") for piece in mark):
        return None
    if separator not in times and not ("%z" in mark and separator in "-:"):
        return _Parts(DateFormat(days, form.months), separator, str.rpartition, pieces[at], inner, mark)
    if separator not in days:
        return _Parts(DateFormat(days, form.months), separator, str.partition, pieces[at], inner, mark)
    return None


class _Reader:
    """What is known of the parts of a column's texts so far."""

    def __init__(self, parts: _Parts, stored: Callable[[Moment], str], *, timed: bool) -> None:
        self._parts = parts
        self._stored = stored
        self._timed = timed
        self._plain = parts.plain
        self._zero = parts.zero
        self._end = 2 + len(parts.zero)
        self._days: dict[str, Moment | None] = {}
        self._clocks: dict[str, Moment | None] = {}
        self._inner: dict[str, Moment | None] = {}
        self._hours: dict[tuple[str, str, str], str] = {}
        self._tails: dict[str, str] = {}

    def read_all(self, texts: Sequence[str]) -> list[str | None]:
        """The stored texts of the column."""
        hours, tails, end = self._hours.get, self._tails.get, self._end
        cut, separator = self._parts.cut, self._parts.separator
        return [
            hour + tail
            if (hour := hours((day, time[:2], time[end:]))) is not None and (tail := tails(time[2:end])) is not None
            else self._read(day, found, time)
            for day, found, time in [cut(text, separator) for text in texts]
        ]

    def _read(self, day: str, found: str, time: str) -> str | None:
        if found:
            return self._learn(day, time[:2], time[2 : self._end], time[self._end :])
        # A blank in a format may be another white space in the text.
        return "" if self._parts.separator == " " else None

    def _learn(self, day: str, hour: str, inner: str, mark: str) -> str | None:
        """The stored text, worked out from its parts; notes them where the next text may be put together from them."""
        if len(hour) < 2 or len(inner) < len(self._zero) or len(day) + len(mark) > _LONGEST:
            return ""
        parts = self._parts
        date = _known(self._days, day, lambda: parse_date(day, parts.days))
        if date is None and self._plain and not day[-1:].isspace():
            return None
        clock = _known(self._clocks, hour + mark, lambda: parts.clock(hour + self._zero + mark, parts.mark))
        rest = _known(self._inner, inner, lambda: parts.clock(f"12{inner}", ()))
        if date is None or clock is None or rest is None:
            return ""
        begin = date._replace(hour=clock.hour, offset=clock.offset)
        self._tails[inner] = f":{rest.minute:02d}:{rest.second:02d}Z" if self._timed else ""
        if (day, hour, mark) not in self._hours:
            self._note_hour((day, hour, mark), begin)
        return self._stored(begin._replace(minute=rest.minute, second=rest.second))

    def _note_hour(self, key: tuple[str, str, str], begin: Moment) -> None:
        first, last = self._stored(begin), self._stored(begin._replace(minute=59, second=59))
        said = first[:13]
        if (first, last) == ((f"{said}:00:00Z", f"{said}:59:59Z") if self._timed else (said, said)):
            if len(self._hours) > _MOST:
                self._hours.clear()
            self._hours[key] = said


def _known(known: dict[str, Moment | None], text: str, read: Callable[[], Moment | None]) -> Moment | None:
    if text not in known:
        if len(known) > _MOST:
            known.clear()
        known[text] = read()
    return known[text]


def _epoch_reader(*, timed: bool) -> Quick:
    """Reads seconds since 1970."""
    from datetime import datetime, timedelta

    begin = datetime(1970, 1, 1)  # noqa: DTZ001 - it is UTC all along, and naive times are quicker

    def read(text: str) -> str:
        if len(text) > 11 or not (text.isdecimal() and text.isascii()):
            return ""
        said = (begin + timedelta(seconds=int(text))).isoformat()
        return f"{said}Z" if timed else said[:10]

    return lambda texts: list(map(read, texts))
