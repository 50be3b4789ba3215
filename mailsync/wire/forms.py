"""What the numbers of a column stand for, where its values are texts: dates and times in their one canonical form.

form   text                   number
TEXT   any                    none: such a column has no numbers
DATE   2031-05-04             days since 1970-01-01
TIME   2031-05-04T09:30:00Z   seconds since then
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import Enum, auto

from mailsync.wire.errors import RemoteProtocolError

DAY = 86_400
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all times are UTC, and the text says so by its Z
_FIRST_DAY = date(1970, 1, 1).toordinal()
_DAYS = (1 - _FIRST_DAY, date.max.toordinal() - _FIRST_DAY)


class Form(Enum):
    """What a column's numbers stand for."""

    TEXT = auto()
    DATE = auto()
    TIME = auto()


def to_numbers(form: Form, texts: Sequence[str]) -> list[int] | None:
    """The numbers that these texts are written for, None when one of them is not in canonical form."""
    known: dict[str, int] = {}
    for text in dict.fromkeys(texts):
        number = to_number(form, text)
        if number is None:
            return None
        known[text] = number
    return [known[text] for text in texts]


def to_number(form: Form, text: str) -> int | None:
    """The number that a text is written for, None when it is not in canonical form."""
    try:
        if form is Form.DATE:
            day = date.fromisoformat(text)
            return day.toordinal() - _FIRST_DAY if day.isoformat() == text else None
        if form is Form.TIME and text.endswith("Z"):
            time = datetime.fromisoformat(text[:-1])
            if time.tzinfo is None and not time.microsecond and f"{time.isoformat()}Z" == text:
                since = time - _EPOCH
                return since.days * DAY + since.seconds
    except ValueError:
        pass
    return None


def to_texts(form: Form, numbers: Sequence[int]) -> list[str]:
    """The texts of these numbers. RemoteProtocolError when a number is no date of the years 1 to 9999."""
    if form is Form.TEXT:
        raise RemoteProtocolError("numbers where texts are due")
    unit = 1 if form is Form.DATE else DAY
    if numbers and (min(numbers) // unit < _DAYS[0] or max(numbers) // unit > _DAYS[1]):
        raise RemoteProtocolError("a date is not of the years 1 to 9999")
    if form is Form.DATE:
        return [date.fromordinal(number + _FIRST_DAY).isoformat() for number in numbers]
    return [f"{(_EPOCH + timedelta(seconds=number)).isoformat()}Z" for number in numbers]


def converted(numbers: Sequence[int], form: Form, to: Form) -> Sequence[int]:
    """The numbers of one form in the unit of another: the day of a time, the first second of a date."""
    if form is Form.TIME and to is Form.DATE:
        return [number // DAY for number in numbers]
    if form is Form.DATE and to is Form.TIME:
        return [number * DAY for number in numbers]
    return numbers
