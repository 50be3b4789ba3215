"""Dates by an explicit format, without the locale and without backtracking.

    %Y 4 digits         %m %d %H %M %S 1 or 2 digits     %b %B %h month, short or long
    %y 69-99 -> 19xx    %j day of the year, 1 to 3       %p AM or PM, with %I 1 or 2 digits
    %f 1 to 9 digits    %s seconds since 1970, alone     %z Z, +hhmm or +hh:mm      %% a percent sign
    %a %A any word      %e a day with blanks before it   %D %m/%d/%y   %F %Y-%m-%d   %T %H:%M:%S   %R %H:%M

Each code takes as many digits as it may; a blank in the format is one or more blanks in the text; everything else is
itself. Months are English, and those a definition names (months.py). `%%d` means `%d`, because both occur in
TapeTrack's definitions; so `%%` is a percent sign only where no code's letter follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailsync.definition.months import month_names

if TYPE_CHECKING:
    from datetime import tzinfo

_DIGITS = {"Y": 4, "m": 2, "d": 2, "e": 2, "H": 2, "I": 2, "M": 2, "S": 2, "y": 2, "j": 3, "f": 9, "s": 11}
_WHOLE = {"D": "%m/%d/%y", "F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}
_EPOCH = {"Y": "1970", "y": "70", "m": "01", "d": "01", "e": "1", "j": "001", "H": "00", "M": "00", "S": "00"}
_EPOCH |= {"I": "12", "p": "AM", "b": "Jan", "h": "Jan", "B": "January", "s": "0"}
_CODES = frozenset(_DIGITS) | frozenset(_WHOLE) | {"a", "A", "b", "B", "h", "p", "z"}
ISO_DATES = ("%Y-%m-%d",)
ISO_TIMES = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


class Moment(NamedTuple):
    """A date and what the text says of the time; `offset` is in seconds east of UTC, None when it is not said."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0
    offset: int | None = None


class DateFormat(NamedTuple):
    """A format cut into codes (`%` and a letter) and literal characters, and the names of months, longest first."""

    pieces: tuple[str, ...]
    months: tuple[tuple[str, int], ...]


def compile_date(text: str, months: Sequence[str] = ()) -> DateFormat | str:
    """The format, or what is wrong with it. `months` are names besides the English ones, twelve by twelve."""
    pieces: list[str] = []
    place = 0
    for code, meant in _WHOLE.items():
        text = text.replace(f"%%{code}", meant).replace(f"%{code}", meant)
    while place < len(text):
        if text[place] != "%":
            pieces.append(" " if text[place].isspace() else text[place])
            place += 1
            continue
        place += 2 if text.startswith("%%", place) and text[place + 2 : place + 3] in _CODES else 1
        code = text[place : place + 1]
        if code not in _CODES and code != "%":
            return f'"%{code}" is not a date code'
        pieces.append("%" if code == "%" else f"%{code}")
        place += 1
    wrong = _lacking(pieces)
    return wrong or DateFormat(tuple(pieces), month_names(months) if {"%b", "%B", "%h"} & set(pieces) else ())


def parse_date(text: str, form: DateFormat) -> Moment | None:
    """The moment the text says, or None when it does not have this form or is no day of the calendar."""
    found: dict[str, int] = {}
    place = 0
    for piece in form.pieces:
        if piece in ("%b", "%B", "%h"):
            place = _take_month(form.months, text, place, found)
        else:
            place = _take(piece, text, place, found)
        if place < 0:
            return None
    return _moment(found) if place == len(text) else None


def epoch_text(form: DateFormat) -> str:
    """The first second of 1970 in this format, empty when the format cannot say it in one way."""
    codes = [piece[1:] for piece in form.pieces if len(piece) > 1]
    if not set(codes) <= set(_EPOCH):
        return ""
    return "".join(_EPOCH[piece[1]] if len(piece) > 1 else piece for piece in form.pieces)


def date_text(moment: Moment) -> str:
    """The date as it is stored: `YYYY-MM-DD`."""
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"


def find_zone(timezone: str) -> tzinfo:
    """The zone with this IANA name (empty: UTC). Raises ConfigurationError when there is none."""
    from datetime import UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from mailsync.core.errors import ConfigurationError

    try:
        return ZoneInfo(timezone) if timezone else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            (f'timezone: "{timezone}" is not a time zone',), hint="such as Europe/Berlin"
        ) from error


def utc_clock(timezone: str) -> Callable[[Moment], str]:
    """A function from moments to stored times, `YYYY-MM-DDTHH:MM:SSZ`.

    A moment that says no offset is in `timezone` (an IANA name; empty: UTC); of an hour that occurs twice, the
    first is meant. Raises ConfigurationError when there is no such zone.
    """
    from datetime import UTC, datetime, timedelta
    from datetime import timezone as fixed

    zone = find_zone(timezone)

    def stored(moment: Moment) -> str:
        there = zone if moment.offset is None else fixed(timedelta(seconds=moment.offset))
        local = datetime(*moment[:6], tzinfo=there)
        try:
            return local.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
        except OverflowError:
            return ""

    return stored


def _lacking(pieces: list[str]) -> str:
    """What the format needs to be a date, empty when it is one."""
    codes = {piece[1] for piece in pieces if len(piece) == 2}
    month = codes & {"m", "b", "B", "h"}
    day = "j" in codes or (codes & {"d", "e"} and month)
    if codes == {"s"} or (day and codes & {"Y", "y"}):
        return ""
    return "a date needs a year (%Y or %y), a month (%m or %b) and a day (%d), or %Y and %j, or %s alone"


def _take(piece: str, text: str, place: int, found: dict[str, int]) -> int:
    """Where the text goes on after the piece, or -1 when the piece is not there."""
    if piece == " ":
        end = len(text) - len(text[place:].lstrip())
        return end if end > place else -1
    if len(piece) == 1:
        return place + 1 if text.startswith(piece, place) else -1
    code = piece[1]
    if code == "e":
        return _take_digits("d", text, len(text) - len(text[place:].lstrip(" ")), found)
    if code in _DIGITS:
        return _take_digits(code, text, place, found)
    if code in "aA":
        end = place
        while text[end : end + 1].isalpha():
            end += 1
        return end if end > place else -1
    if code == "p":
        found["p"] = int(text[place : place + 2].upper() == "PM")
        return place + 2 if text[place : place + 2].upper() in ("AM", "PM") else -1
    return _take_zone(text, place, found)


def _take_digits(code: str, text: str, place: int, found: dict[str, int]) -> int:
    end, most = place, place + _DIGITS[code]
    while end < most and text[end : end + 1].isdecimal() and text[end].isascii():
        end += 1
    if end == place or (code in "Yy" and end < most):
        return -1
    found[code] = int(text[place:end])
    return end


def _take_month(names: Iterable[tuple[str, int]], text: str, place: int, found: dict[str, int]) -> int:
    for name, number in names:
        if text[place : place + len(name)].lower() == name:
            found["m"] = number
            return place + len(name)
    return -1


def _take_zone(text: str, place: int, found: dict[str, int]) -> int:
    if text[place : place + 1] in ("Z", "z"):
        found["z"] = 0
        return place + 1
    sign = {"+": 1, "-": -1}.get(text[place : place + 1])
    digits = text[place + 1 : place + 6].replace(":", "", 1)[:4]
    if sign is None or len(digits) < 4 or not (digits.isdecimal() and digits.isascii()) or int(digits) > 1400:
        return -1
    found["z"] = sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
    return place + (6 if text[place + 3 : place + 4] == ":" else 5)


def _moment(found: dict[str, int]) -> Moment | None:
    from datetime import UTC, datetime, timedelta

    if "s" in found:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=found["s"])
        return Moment(at.year, at.month, at.day, at.hour, at.minute, at.second, 0)
    year = found["Y"] if "Y" in found else found["y"] + (1900 if found["y"] >= 69 else 2000)
    try:
        day = datetime(year, found.get("m", 1), found.get("d", 1), *_clock(found), tzinfo=UTC)
    except ValueError:
        return None
    if "j" in found:
        try:
            after = day + timedelta(days=found["j"] - 1)
        except OverflowError:  # beyond the year 9999
            return None
        if not found["j"] or after.year != year:
            return None
        day = after
    return Moment(day.year, day.month, day.day, day.hour, day.minute, day.second, found.get("z"))


def _clock(found: dict[str, int]) -> tuple[int, int, int]:
    hour = found.get("H", 0)
    if "I" in found:
        # 99 is no hour, so that 0 and 13 o'clock of twelve are refused.
        hour = found["I"] % 12 + 12 * found.get("p", 0) if 1 <= found["I"] <= 12 else 99
    return hour, found.get("M", 0), found.get("S", 0)
