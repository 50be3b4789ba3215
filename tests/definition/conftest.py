from __future__ import annotations

from collections.abc import Callable

import pytest

from mailsync.core.model import Attachment, Mapped, Scope
from mailsync.definition.document import Fault
from mailsync.definition.load import load_definition
from mailsync.definition.mapping import Context, map_attachment
from mailsync.definition.model import Definition
from mailsync.tables.reader import read_table

NAMES = {"Library": "LIBR", "Offsite": "OFFS"}


@pytest.fixture
def attach() -> Callable[..., Attachment]:
    def make(content: str | bytes = "", path: str = "tapes.csv", **more: object) -> Attachment:
        data = content.encode() if isinstance(content, str) else content
        given = {"content_type": "text/csv", "charset": "", "depth": 0, "body": False} | more
        return Attachment(path, data, **given)

    return make


@pytest.fixture
def define() -> Callable[[str], Definition]:
    def load(text: str) -> Definition:
        faults: list[Fault] = []
        head = "" if "claim:" in text else 'claim: {attachment: "*"}\n'
        definition = load_definition("some.yaml", head + text, faults)
        assert definition is not None, faults
        return definition

    return load


@pytest.fixture
def faults_of() -> Callable[[str], list[str]]:
    def load(text: str) -> list[str]:
        faults: list[Fault] = []
        definition = load_definition("some.yaml", text, faults)
        assert (definition is None) == bool(faults)
        return [str(fault) for fault in faults]

    return load


@pytest.fixture
def mapped(attach, define) -> Callable[..., Mapped]:
    def run(definition: str, content: str | bytes, **context: object) -> Mapped:
        given = {"scope": Scope("US01", "LTO"), "repositories": NAMES, "mail": "<1@example.com>"} | context
        return map_attachment(attach(content), define(definition), Context(read_table, **given))

    return run
