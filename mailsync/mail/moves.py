"""The move list as CSV, for reports that move more volumes than a mail can show.

Spreadsheets run cells that begin like a formula: such a cell gets an apostrophe in front, which they show as text
(the rule, and its leading TAB and CR, are those of the OWASP page on CSV injection).
"""

from __future__ import annotations

import csv
import io

from mailsync.core.summary import Summary

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
COLUMNS = ("scope", "volume", "from", "to", "action", "state", "description", "place")


def moves_csv(summary: Summary) -> bytes:
    """Every move done or pending, as UTF-8 CSV with captions and CRLF line ends (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for state, legs in (("done", summary.legs), ("pending", summary.pending)):
        for leg in legs:
            action = leg.direction or "move"
            for move in leg.moves:
                row = (leg.scope, move.volume, leg.before, leg.after, action, state, move.description, move.origin)
                writer.writerow([neutral(cell) for cell in row])
    return text.getvalue().encode("utf-8", "replace")


def neutral(cell: str) -> str:
    """The cell, such that no spreadsheet runs it."""
    return "'" + cell if cell.startswith(_FORMULA) else cell
