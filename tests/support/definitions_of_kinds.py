"""Definitions of every kind of table, between them with every part of the language that looks at rows."""

from __future__ import annotations

_PLAIN = "fields: {volume: {column: volume}, repository: {column: to, optional: true}}"
_NUMBERED = "fields: {volume: {column: 1}, repository: {column: 2}}"
_AT = "fields: {volume: {column: [1, 8]}, repository: {column: [9, 14]}, slot: {source: slot}}"
_NAMED = "fields: {volume: {column: volume}, repository: {column: place, optional: true}}"
_DATED = """
table: {header: 2}
skip: [{field: barcode, matches: 'CLN*'}, {record: '#*'}]
fields:
  barcode: {column: volume}
  repository: {column: to, translate: [[VAULT, OFFS]]}
  move_date: {column: moves, optional: true, date: ['%Y-%m-%d', '%d/%m/%y']}
  scratch: {column: s, optional: true}
"""
_CONTROLLED = f"""
table:
  kind: fixed
  carriage_control: true
  sections: '^TO (?P<slot>.*)'
  totals: {{line: '^TOTAL (\\d+)', wrong: note}}
{_AT}
"""
_HEADED = """
heading: {record: 'LIST*', rows: 2}
rows: {start: 'BEGIN*', end: 'END*', terminate: 'QUIT*'}
table: {kind: fixed, prefix: '^\\d+:\\d+ '}
fields:
  volume: {column: [1, 6]}
  description: {column: {heading: 2, start: 1, length: 6}}
"""
_CHOICE = f"""
table:
  kind: lines
  pattern: ['(?P<volume>A\\d+)', 'V=(?P<volume>\\w+) P=(?P<place>\\w+)']
  others: problem
{_NAMED}
"""
_SCOPED = """
table: {kind: json}
fields:
  customer: {column: c}
  media: {column: m}
  volume: {column: volume}
  repository: {column: to}
  description: {column: d, empty: unset}
  slot: {column: s, optional: true}
"""
DEFINITIONS: dict[str, tuple[str, ...]] = {
    "delimited": (
        f"table: {{}}\n{_PLAIN}",
        f"table: {{delimiter: semicolon, header: none, totals: {{line: '^Total (\\d+)'}}}}\n{_NUMBERED}",
        f"table: {{delimiter: tab, quote: none, split: {{column: volume}}}}\n{_PLAIN}\nduplicates: last",
        _DATED,
    ),
    "fixed": (
        f"table: {{kind: fixed, header: 1, sections: '^SLOT (?P<slot>.*)', page_header: 1}}\n{_AT}",
        _CONTROLLED,
        "table: {kind: fixed, encoding: cp037}\nfields: {volume: {column: [1, 6]}}",
        _HEADED,
    ),
    "ruled": (
        f"table: {{kind: ruled}}\n{_PLAIN}",
        f"table: {{kind: ruled, wrapped: volume, until: ''}}\n{_PLAIN}",
        f"table: {{kind: ruled, header: 2, number: 1}}\n{_NUMBERED}",
    ),
    "boxed": (f"table: {{kind: boxed}}\n{_PLAIN}", f"table: {{kind: boxed, number: 2}}\n{_NUMBERED}"),
    "records": (
        f"table: {{kind: records}}\n{_PLAIN}",
        f"table: {{kind: records, begins: 'volume*'}}\n{_PLAIN}",
        f"table: {{kind: records, lines: 3}}\n{_PLAIN}",
        f"table: {{kind: records, pattern: '(?s)(?P<volume>A\\d+).*?(?P<place>[A-Z]{{4}})'}}\n{_NAMED}",
    ),
    "lines": (f"table: {{kind: lines, pattern: '^(?P<volume>\\S+) +(?P<place>\\S+)'}}\n{_NAMED}", _CHOICE),
    "html": (
        f"table: {{kind: html}}\n{_PLAIN}",
        f"table: {{kind: html, title: '*off*', split: {{column: volume}}}}\n{_PLAIN}",
        f"table: {{kind: html, number: 2, header: none}}\n{_NUMBERED}",
    ),
    "json": (
        f"table: {{kind: json}}\n{_PLAIN}",
        f"table: {{kind: json, path: a.b, split: {{column: volume}}}}\n{_PLAIN}",
        _SCOPED,
    ),
    "workbook": (
        f"table: {{kind: workbook}}\n{_PLAIN}",
        f"table: {{kind: workbook, number: 1, header: none}}\n{_NUMBERED}",
        f"table: {{kind: workbook, title: 's*'}}\n{_PLAIN}",
    ),
}
