"""A definition from TapeTrack's own notation (.ttidef): the same frozen value that YAML gives.

The statements are applied in file order to a draft (ttidef_draft.py), which then becomes a Definition in the order of
docs/definitions.md. Here is what statements there are, what their arguments are, and what is refused by name.

F a field    S a string of 1 to 256 characters    I a whole number    W a word
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailsync.definition.document import Fault, suggestion
from mailsync.definition.model import Definition
from mailsync.definition.statements import INCLUDES, Argument, Statement, not_public, read_statements
from mailsync.definition.ttidef_draft import Draft, RefusedError
from mailsync.definition.ttidef_fields import FIELDS, NOT_KEPT

ReadList = Callable[[str], str | None]
_LONGEST_STRING = 256
_HIGHEST = 2_147_483_647
_KINDS = {"F": "a field", "S": "a string", "I": "a whole number", "W": "a word"}


class _Signature(NamedTuple):
    arguments: str
    apply: Callable[..., None]


_STATEMENTS: dict[str, _Signature] = {
    "SetFile": _Signature("S", Draft.set_file),
    "SetCSVDelimiter": _Signature("S", Draft.set_delimiter),
    "SetHeaderCount": _Signature("I", Draft.set_header_count),
    "AddString": _Signature("WIS", Draft.add_string),
    "Extract": _Signature("FIII", Draft.extract),
    "SetLiteral": _Signature("FS", Draft.set_literal),
    "RemoveSpaces": _Signature("F", Draft.remove_spaces),
    "AddTranslation": _Signature("FSS", Draft.add_translation),
    "AddTranslation2": _Signature("FFSS", Draft.add_translation2),
    "AddExclusionOnValue": _Signature("FS", Draft.add_exclusion),
    "SetMoveDateFormat": _Signature("S", Draft.set_move_date_format),
    "SetWriteTimeFormat": _Signature("S", Draft.set_write_time_format),
    "SetWriteDateFormat": _Signature("S", Draft.set_write_time_format),
    "AddMoveDateAdjustment": _Signature("FSIII", Draft.add_adjustment),
    "AddRepositoryOnWriteTime": _Signature("FSSSS", Draft.add_repository_on_write_time),
    "AddSkipOnRepositoryChange": _Signature("SSS", Draft.add_change_skip),
}
STATEMENTS = tuple(_STATEMENTS)
_BY_NAME = {name.lower(): name for name in _STATEMENTS}
# What is set by statements that do not name it.
_SET_BY = {
    "setmovedateformat": {"move_date"},
    "setwritetimeformat": {"write_time"},
    "setwritedateformat": {"write_time"},
    "addmovedateadjustment": {"move_date"},
    "addrepositoryonwritetime": {"repository", "move_date"},
}
_BY_MOVE_DATE = (
    "AddRepositoryOnMoveDate is not supported: TapeTrack does not publish its arguments",
    "in YAML: by_date: [{move_date: {within: 7d}, repository: LIBR}]; mailsync definitions convert begins the file",
)
# Words in the names of statements that are known to exist and whose names and syntax are not public.
_FAMILIES = (
    (("odbc", "sql", "dsn", "query"), ("ODBC statements", "let a job export the query as CSV, and read that")),
    (("variable",), ("variables", "write the value where it is used")),
    (("section",), ("sections", "make a definition of each section")),
    (("include",), INCLUDES),
)


def load_ttidef(
    file: str, text: str, faults: list[Fault], *, read_list: ReadList, notices: list[Fault] | None = None
) -> Definition | None:
    """The definition in the text of `file`, or None after adding every fault found to `faults`.

    `read_list` gives the text of a `*LIST:` file by its name, None when there is none. What the file says that has no
    meaning here is added to `notices`.
    """
    before = len(faults)
    draft = Draft(file, read_list, faults)
    for statement in read_statements(file, text, faults):
        name = _BY_NAME.get(statement.name.lower(), "")
        if not name:
            faults.append(Fault(file, statement.line, statement.column, *_unknown(statement.name)))
            continue
        arguments = _arguments(file, statement, _STATEMENTS[name].arguments, faults)
        if arguments is None:
            continue
        try:
            _STATEMENTS[name].apply(draft, statement, *arguments)
        except RefusedError as refusal:
            faults.append(Fault(file, statement.line, statement.column, f"{name}: {refusal}", refusal.hint))
    definition = draft.definition()
    if notices is not None:
        notices += draft.notices
    return definition if len(faults) == before else None


def field_statements(file: str, text: str) -> dict[str, list[Statement]]:
    """The statements about each field, in file order, of a text that loads."""
    found: dict[str, list[Statement]] = {}
    for statement in read_statements(file, text, []):
        words = [one.text.upper() for one in statement.arguments if one.kind == "word"]
        names = {FIELDS[word] for word in words if word in FIELDS} | _SET_BY.get(statement.name.lower(), set())
        for name in names:
            found.setdefault(name, []).append(statement)
    return found


def _unknown(name: str) -> tuple[str, str]:
    lower = name.lower()
    if lower == "addrepositoryonmovedate":
        return _BY_MOVE_DATE
    for words, (what, way) in _FAMILIES:
        if any(word in lower for word in words):
            text, hint = not_public(what, way)
            return f"{name}: {text}", hint
    return f'unknown statement "{name}"', suggestion(name, STATEMENTS)


def _arguments(file: str, statement: Statement, wanted: str, faults: list[Fault]) -> list[str | int] | None:
    """The arguments as the statement's kinds say, None after a fault."""
    given = statement.arguments
    if len(given) != len(wanted):
        text = f"{statement.name} has {len(given)} arguments, not {len(wanted)}"
        faults.append(Fault(file, statement.line, statement.column, text, ", ".join(_KINDS[kind] for kind in wanted)))
        return None
    found: list[str | int] = []
    for one, kind in zip(given, wanted, strict=True):
        value, wrong, hint = _argument(one, kind)
        if wrong:
            faults.append(Fault(file, one.line, one.column, f"{statement.name}: {wrong}", hint))
            return None
        found.append(value)
    return found


def _argument(one: Argument, kind: str) -> tuple[str | int, str, str]:
    """The argument's value, what is wrong with it, and what to do."""
    if kind == "I":
        if one.kind != "number" or len(one.text) > 11 or abs(int(one.text)) > _HIGHEST:
            return 0, f'"{one.text}" is not {_KINDS[kind]}', ""
        return int(one.text), "", ""
    if kind == "F":
        upper = one.text.upper()
        if upper in NOT_KEPT:
            return "", f"{upper} is not kept by mailsync", "to look at it, extract it into USER1 to USER9"
        if upper not in FIELDS:
            return "", f'"{one.text}" is not a field', suggestion(upper, FIELDS)
        return FIELDS[upper], "", ""
    if kind == "S" and one.kind == "word":
        return "", f'"{one.text}" is not {_KINDS[kind]}', f'write "{one.text}"'
    if kind == "S" and len(one.text) > _LONGEST_STRING:
        return "", f"a string is at most {_LONGEST_STRING} characters", ""
    return one.text, "", ""
