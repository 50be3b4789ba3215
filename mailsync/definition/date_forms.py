"""Which date format a column of texts has: one that fits them all, and whose reading no other format contradicts.

fits all, alone                               that one
several fit all and read every text alike     the first of them
several fit all and disagree (01/02/2031)     none: nobody can tell
none fits all                                 none
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from mailsync.definition.dates import DateFormat, compile_date, parse_date

MOST_TEXTS = 20_000
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d-%m-%y", "%m-%d-%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y"),
    *("%d %b %y", "%b %d %Y", "%b %d, %Y", "%a %b %d %Y", "%a, %d %b %Y", "%a %d %b %Y", "%Y/%j", "%Y-%j", "%Y.%j"),
    *("%d. %b %Y", "%Y %b %d"),
)
_TIMES = (
    *("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M", "T%H:%M:%S%z", " %H:%M:%S%z", " %H:%M:%S.%f", " %I:%M %p"),
    *(" %I:%M:%S %p", "T%H:%M:%S.%f", "T%H:%M:%S.%f%z", ", %H:%M", ", %I:%M:%S %p"),
)
_OTHER = ("%a %b %d %H:%M:%S %Y", "%H:%M:%S %d.%m.%Y")


class Form(NamedTuple):
    """The format the texts have; or, without one, why: they are of no form, or may be of any of `several`."""

    text: str
    why: str = ""
    several: tuple[str, ...] = ()


@cache
def _forms() -> tuple[tuple[str, DateFormat], ...]:
    texts = (*(day + time for time in _TIMES for day in _DAYS), *_OTHER)
    compiled = ((text, compile_date(text)) for text in texts)
    return tuple((text, form) for text, form in compiled if isinstance(form, DateFormat))


def date_form(texts: Iterable[str]) -> Form:
    """The one format of the texts, of which there is at least one and none is empty."""
    known = sorted(set(texts))
    if len(known) > MOST_TEXTS:
        return Form("", f"it holds more than {MOST_TEXTS} different dates")
    fitting = [(text, form) for text, form in _forms() if known and parse_date(known[0], form)]
    fitting = [(text, form) for text, form in fitting if all(parse_date(one, form) for one in known)]
    if not fitting:
        return Form("", "not all of it is dates of one form")
    if _agree([form for _, form in fitting], known):
        return Form(fitting[0][0])
    several = tuple(text for text, _ in fitting)
    return Form("", f"its dates may be {several[0]} or {several[1]}", several)


def _agree(forms: Sequence[DateFormat], texts: Sequence[str]) -> bool:
    """True when all formats read the same from every text."""
    return len(forms) == 1 or all(len({parse_date(text, form) for form in forms}) == 1 for text in texts)
