"""What must hold for any bytes: a function for each thing that reads what strangers write.

Fuzzing (tests/fuzz) looks for inputs that break them, the corpus it leaves is replayed by the gate. Each takes bytes
and raises AssertionError when an invariant does not hold; anything else it raises is a crash.

    every row read is recorded, skipped or refused        what is refused says why, and what to do
    every line is in a row, or counted as left out
    lines cited lie inside the text                       no volume is recorded twice in a scope
    the second reading gives the same                     a loader gives a definition or faults, never both
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Callable
from datetime import date

import harnesses_bodies
import harnesses_client
import harnesses_greetings
import harnesses_load
import harnesses_server
import harnesses_sessions
from definitions_of_kinds import DEFINITIONS
from old_excel import compound

from mailsync.core.model import Attachment, Mapped, Scope
from mailsync.definition.convert import to_yaml
from mailsync.definition.expression import Expression, compile_expression
from mailsync.definition.filters import Filter, compile_filter
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, RowLimits, map_attachment
from mailsync.definition.model import Definition
from mailsync.definition.ttidef import load_ttidef
from mailsync.mail.shown import UNSEEN
from mailsync.mail.unpack import Unpacked, UnpackLimits, unpack
from mailsync.tables.delimited import LONGEST_RECORD
from mailsync.tables.reader import first_lines, read_table
from mailsync.tables.sheet import MOST_ROWS
from mailsync.tables.text import Undecodable, blocks, decode

_LIMITS = RowLimits(rows=3_000, cells=100, cell=200, scopes=5, problems=20)
_UNPACK = UnpackLimits(parts=50, mail_lines=50_000, mail_unpacked=8_000_000)
_UNSEEN = re.compile(f"[{UNSEEN}]")


@functools.cache
def definitions(kind: str) -> tuple[Definition, ...]:
    """The definitions that the tables of a kind are read by."""
    return tuple(_definition(text) for text in DEFINITIONS[kind])


def _definition(text: str) -> Definition:
    faults: list[object] = []
    definition = load_definition("harness.yaml", f'claim: {{attachment: "*"}}\n{text}', faults)
    assert definition is not None, [str(one) for one in faults]
    return definition


def context() -> Context:
    """What a route would say."""
    places = {"Offsite": "OFFS", "Library": "LIBR"}
    return Context(read_table, scope=Scope("US01", "LTO"), repositories=places, limits=_LIMITS, today=date(2031, 1, 31))


def check_mapped(found: Mapped, most_lines: int) -> None:
    """The invariants of every attachment that is read."""
    recorded = sum(len(records.volumes) for records in found.records)
    skipped = sum(one.rows for one in found.skipped)
    assert found.read == recorded + skipped + found.refused, (found.read, recorded, skipped, found.refused)
    assert min(found.read, found.refused, found.unlisted, *(one.rows for one in found.skipped), 0) == 0
    assert all(one.reason for one in found.skipped)
    for records in found.records:
        columns = (records.volumes, records.values, records.rows, records.lines, records.which)
        assert len({len(column) for column in columns}) == 1
        assert len(set(records.volumes)) == len(records.volumes)
        assert all(1 <= line <= most_lines for line in records.lines)
        assert all(len(values) == len(records.fields) for values in records.values)
        for text in (value for values in records.values for value in values if value):
            text.encode()
            assert not any(one < " " for one in text), text
    assert not found.refused or found.problems
    for problem in found.problems:
        assert problem.hint, problem
    for one in (*found.problems, *found.notes):
        assert 0 <= one.origin.line <= most_lines, one
        assert (one.text + one.hint + one.origin.table).isprintable(), one
    # Something is said of everything.
    assert found.read or found.problems or found.notes


def most_lines(content: bytes, definition: Definition, charset: str = "") -> int:
    """How many lines the content has at most."""
    if definition.layout.kind == "workbook":
        return MOST_ROWS
    text = decode(content, charset=charset, encoding=definition.layout.encoding)
    if isinstance(text, Undecodable):
        return 0
    if definition.layout.kind in ("html", "json"):
        return text.text.count("\n") + 1
    return sum(len(lines) for _, lines in blocks(text.text))


def check_attachment(attachment: Attachment, definition: Definition) -> Mapped:
    """What the definition makes of the attachment, which is what must hold, twice."""
    found = map_attachment(attachment, definition, context())
    check_mapped(found, most_lines(attachment.content, definition, attachment.charset))
    assert found == map_attachment(attachment, definition, context())
    return found


def check_lines(attachment: Attachment, definition: Definition) -> None:
    """Every line with something on it is in a row, or counted as left out, or in the header."""
    layout = definition.layout
    table = read_table(attachment, layout, _LIMITS.cells)
    text = decode(attachment.content, charset=attachment.charset, encoding=layout.encoding)
    if table.fault or isinstance(text, Undecodable):
        return
    there = sum(bool(line.strip(table.padding)) for _, lines in blocks(text.text) for line in lines)
    chunks = list(table.chunks)
    left_out = sum(sum(chunk.left_out.values()) for chunk in chunks)
    in_rows = sum(raw.count("\n") + 1 for chunk in chunks for raw in chunk.raw)
    header = layout.header * (LONGEST_RECORD if '"' in text.text else 1)
    assert there <= in_rows + left_out + header, (there, in_rows, left_out)


def _table(kind: str, data: bytes) -> None:
    """The first byte chooses the definition, the rest is the attachment."""
    choices = definitions(kind)
    content = data[1:]
    attachment = Attachment("a", content, "", "", depth=0, body=False)
    definition = choices[data[0] % len(choices) if data else 0]
    check_attachment(attachment, definition)
    assert all("\n" not in line for line in first_lines(attachment, ""))
    if kind in ("delimited", "fixed", "lines"):
        check_lines(attachment, definition)


def sheet(data: bytes) -> None:
    """The text of a sheet within a workbook that is whole but for it: .xlsx, or .ods where the first byte is odd."""
    content = data[1:]
    if data[:1] and data[0] % 2:
        files = {"content.xml": content}
    else:
        files = {
            "xl/workbook.xml": b'<workbook xmlns:r="r"><sheets><sheet name="S" r:id="1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": b'<Relationships><Relationship Id="1" Target="s.xml"/></Relationships>',
            "xl/sharedStrings.xml": b"<sst><si><t>volume</t></si><si><t>A00001</t></si></sst>",
            "xl/styles.xml": b'<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
            "xl/s.xml": content,
        }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    _table("workbook", bytes([data[0] // 2 if data else 0]) + packed.getvalue())


def xls(data: bytes) -> None:
    """The stream of an old workbook within a file that is whole but for it."""
    _table("workbook", (data[:1] or b"\0") + compound(data[1:]))


def mail(data: bytes) -> None:
    """The mail is unpacked, and what is in it read by one definition of each kind."""
    found = unpack(data, _UNPACK)
    assert isinstance(found, Unpacked)
    paths = [one.path for one in found.attachments]
    assert len(set(paths)) == len(paths)
    assert sum(len(one.content) for one in found.attachments) <= _UNPACK.mail_unpacked
    for one in (*found.problems, *found.notes):
        assert one.text
        for text in (one.text, one.hint, one.origin.attachment):
            text.encode()
            assert not _UNSEEN.search(text), text
    assert not any(map(_UNSEEN.search, paths))
    assert all(one.hint for one in found.problems), found.problems
    assert found == unpack(data, _UNPACK)


def filters(data: bytes) -> None:
    """A filter and a regular expression, and the lines they look at: the fast ways and the plain ones agree."""
    pattern, *lines = data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode().split("\n")
    for fold in (False, True):
        one = compile_filter(pattern, fold=fold)
        if isinstance(one, Filter):
            assert one.matching(lines) == [at for at, text in enumerate(lines) if one.matches(text)]
            # Text and stars alone can be said otherwise.
            if not fold and not set(pattern) & set("?[!(") and len(lines) < 20:
                assert [at for at, text in enumerate(lines) if _stars(pattern, text)] == one.matching(lines)
        else:
            assert one.text
    found = compile_expression(pattern)
    if isinstance(found, Expression):
        plain = {at: groups for at, text in enumerate(lines) if (groups := found.find(text)) is not None}
        assert found.found_among(lines) == plain
        assert all(0 <= found.beginning(text) <= len(text) for text in lines)
    else:
        assert found.text


def _stars(pattern: str, text: str) -> bool:
    """True when the text matches a pattern of text and stars: the two rows of the textbook."""
    reached = {0}
    for character in pattern:
        if character == "*":
            reached = set(range(min(reached), len(text) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if text[at : at + 1] == character}
    return len(text) in reached


def _loaded(definition: Definition | None, faults: list[object], text: str, *, whole: bool = True) -> bool:
    """True when there is a definition: then there is no fault, and else there is one with its place."""
    assert (definition is None) == bool(faults), faults
    for fault in faults:
        assert str(fault).isprintable(), fault
        assert 0 <= fault.line <= len(text.splitlines()) + 1, fault
    return definition is not None


_SAMPLE = b"volume,to,moves\nA00001,OFFS,2031-01-31\nB00002,LIBR,\n\nCLN001,,x\n"


def yaml(data: bytes) -> None:
    """A definition's YAML: a definition that reads a sample, or faults with their places."""
    text = data.decode("utf-8", "replace")
    faults: list[object] = []
    definition = load_definition("fuzz.yaml", text, faults)
    if _loaded(definition, faults, text):
        again: list[object] = []
        assert load_definition("fuzz.yaml", text, again) == definition
        if definition.layout.kind != "workbook":
            check_attachment(Attachment("a.csv", _SAMPLE, "text/csv", "", depth=0, body=False), definition)


def ttidef(data: bytes) -> None:
    """A definition in TapeTrack's notation: as `yaml`; and its conversion is a definition of the same records."""
    text = data.decode("utf-8", "replace")
    faults: list[object] = []
    definition = load_ttidef("fuzz.ttidef", text, faults, read_list=lambda _: "CLN*\n")
    if not _loaded(definition, faults, text):
        return
    attachment = Attachment("a.csv", _SAMPLE, "text/csv", "", depth=0, body=False)
    found = check_attachment(attachment, definition)
    converted: list[object] = []
    other = load_definition("fuzz.yaml", to_yaml(definition), converted)
    assert other is not None, [str(one) for one in converted]
    assert check_attachment(attachment, other).records == found.records


HARNESSES: dict[str, Callable[[bytes], None]] = {
    **{kind: functools.partial(_table, kind) for kind in DEFINITIONS},
    "sheet": sheet,
    "xls": xls,
    "mail": mail,
    "filters": filters,
    "yaml": yaml,
    "ttidef": ttidef,
    **harnesses_bodies.HARNESSES,
    **harnesses_sessions.HARNESSES,
    **harnesses_client.HARNESSES,
    **harnesses_greetings.HARNESSES,
    **harnesses_server.HARNESSES,
    **harnesses_load.HARNESSES,
}
