"""What a report says may be in problems, which reach terminals, logs and mails: nothing in them is unseen."""

from __future__ import annotations

import io
import zipfile

import pytest

from mailsync.core.model import Attachment, Scope
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.ttidef import load_ttidef
from mailsync.tables.reader import read_table


def mapped(content, table):
    faults = []
    text = f'claim: {{attachment: "*"}}\ntable: {table}\nfields: {{volume: {{column: volume}}}}'
    definition = load_definition("x.yaml", text, faults)
    assert definition, faults
    attachment = Attachment("a", content, "", "", depth=0, body=False)
    return map_attachment(attachment, definition, Context(read_table, scope=Scope("US01", "LTO")))


def workbook(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        row = "<table-row><table-cell><p>volume</p></table-cell></table-row>"
        more = "<table-row><table-cell><p>?</p></table-cell></table-row>"
        archive.writestr("content.xml", f'<d><table name="{name}">{row}{more}</table></d>')
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "table", "said"),
    [
        (b"<p>a\x1b[2J\x00b</p><table><tr><td>x</table>", "{kind: html, title: z}", 'titles are "a.[2J.b"'),
        (b"a\x1b[2J,b\nA1,x\n", "{}", "a.[2J"),
        (b'[{"a\\u001b\\ud800": 1}]', "{kind: json}", "a.."),
        (b"volume\n\x1bA1\n", "{}", '".A1"'),
    ],
)
def test_what_cannot_be_shown_is_a_dot(content, table, said):
    # Found by fuzzing: control characters of a table's title.
    found = mapped(content, table)
    (problem,) = found.problems
    assert said in problem.text
    assert (problem.text + problem.hint).isprintable()


def test_the_name_of_a_sheet_is_shown_on_one_line():
    (problem,) = mapped(workbook("S&#10;x&#x202e;"), "{kind: workbook}").problems
    assert problem.origin.table == "S.x."


def test_what_a_file_says_is_shown_on_one_line():
    # Found by fuzzing: line ends and control characters of a definition in its faults.
    faults = []
    assert load_definition("x.yaml", 'claim: named\n"fie\\e[2J\\n": 1\n', faults) is None
    assert load_ttidef("x.ttidef", "\x1b[2J", faults, read_list=lambda _: None) is None
    assert 'unknown key "fie.[2J."' in "".join(map(str, faults))
    assert all(str(fault).isprintable() for fault in faults)
