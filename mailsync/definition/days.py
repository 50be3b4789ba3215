"""What is counted in days: adjustments of dates, and the distance between a date and today.

Dates are texts as they are stored: `YYYY-MM-DD`, times `YYYY-MM-DDTHH:MM:SSZ`. Adding months to a day that the month
arrived at does not have gives that month's last day (2031-01-31 and a month is 2031-02-28): ours, TapeTrack's manual
does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from mailsync.definition.dates import find_zone
from mailsync.definition.model import Adjustment

_TOMORROW = -1


def adjusted(day: str, by: Adjustment) -> str:
    """The date with years and months, then days added; empty when there is no such date."""
    year, month, number = (int(part) for part in day.split("-"))
    months = year * 12 + month - 1 + by.years * 12 + by.months
    year, month = months // 12, months % 12 + 1
    try:
        following = date(year + month // 12, month % 12 + 1, 1) if (year, month) < (9999, 12) else None
        last = (following - timedelta(days=1)).day if following else 31
        return (date(year, month, min(number, last)) + timedelta(days=by.days)).isoformat()
    except (ValueError, OverflowError):
        return ""


def later(day: date, days: int) -> str:
    """The date so many days after the day; empty when there is no such date."""
    try:
        return (day + timedelta(days=days)).isoformat()
    except OverflowError:
        return ""


def day_of(time: int, timezone: str) -> date:
    """The day of a Unix time in the zone; raises ConfigurationError when there is no such zone."""
    return datetime.fromtimestamp(time, find_zone(timezone)).date()


def local_day(timezone: str) -> Callable[[str], date]:
    """A function from stored times to the day they are in the zone; raises as `day_of`."""
    zone = find_zone(timezone)

    def day(time: str) -> date:
        moment = datetime.fromisoformat(time)
        try:
            return moment.astimezone(zone).date()
        except OverflowError:
            return moment.date()

    return day


def age(day: date, today: date) -> int | None:
    """How many days ago the day was, from 0; None in the future. A day ahead is another time zone's today."""
    days = (today - day).days
    return max(days, 0) if days >= _TOMORROW else None
