"""The move list as CSV, for reports that move more volumes than a mail can show.

Spreadsheets run cells that begin like a formula: an apostrophe in front makes them text (the rule, and its leading TAB
and CR, are those of the OWASP page on CSV injection). Where the list separator is `;`, or the text is pasted, a cell
begins in the middle of ours too; blanks and quotes in front are skipped, and the fullwidth signs count.
"""

from __future__ import annotations

import csv
import io
import re

from mailsync.core.summary import Summary

# A beginning of a cell, what is skipped of it, and the sign of a formula if there is one: each character once.
_BEGINNING = re.compile(r"""(\A|[;\t\r\n])([\s;"']*)([=+\-@\uff1d\uff0b\uff0d\uff20]?)""")
COLUMNS = ("scope", "volume", "from", "to", "action", "state", "description", "move_date", "place")


def moves_csv(summary: Summary) -> bytes:
    """Every move done or pending, cancelled, or overtaken by where a volume was seen.

    UTF-8 CSV with captions and CRLF line ends (RFC 4180); `from` and `to` are those of `summary.Leg`. Behind a
    container stands what went along with it.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for action, state, legs in (
        ("", "done", summary.legs),
        ("cancel", "done", summary.cancelled),
        ("seen", "done", summary.seen),
        ("", "pending", summary.pending),
    ):
        for leg in legs:
            which = action or leg.direction or "move"
            for move in leg.moves:
                row = (leg.scope, move.volume, leg.before, leg.after, which, state, move.description, move.move_date)
                writer.writerow([neutral(cell) for cell in (*row, move.origin)])
                # What is in a container goes along: from wherever it was, which need not be where the container was.
                for barcode in move.along:
                    scope, _, volume = barcode.rpartition(".")
                    inside = (scope, volume, "", leg.after, f"in {leg.scope}.{move.volume}", state, "", "")
                    writer.writerow([neutral(cell) for cell in (*inside, move.origin)])
    return text.getvalue().encode("utf-8", "replace")


def neutral(cell: str) -> str:
    """The cell, such that no spreadsheet runs it."""
    return _BEGINNING.sub(_neutral, cell)


def _neutral(match: re.Match[str]) -> str:
    start, skipped, sign = match.groups()
    risky = sign or (match.start() == 0 and (start + skipped).startswith(("\t", "\r", "\n")))
    return f"{start}'{skipped}{sign}" if risky else match[0]
