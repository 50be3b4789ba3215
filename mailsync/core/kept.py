"""Values as JSON text and back, for the journal: `from_json(kind, to_json(value)) == value`, for every core value.

Strategy: a NamedTuple is written as the list of its fields, in order; bytes as hexadecimal, an enum as its value.
What a list means is told by the annotations of the kind it is read as, so a text is read as nothing else: one that
does not fit is a ValueError. A run that is open while mailsync is upgraded is read back too: what was written before a
field existed gets its default. Sequences come back as tuples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from mailsync.core.model import Gaps, Mapped
from mailsync.core.summary import Facts

T = TypeVar("T")
_Read = Callable[[Any], Any]


def to_json(value: tuple[object, ...]) -> str:
    """The value as JSON text: ASCII, on one line."""
    return json.dumps(value, default=_plain, separators=(",", ":"))


def from_json(kind: type[T], text: str) -> T:
    """The value of that kind (a NamedTuple) that `to_json` wrote; ValueError when the text is not one."""
    found: T = _reader(cast("Hashable", kind))(json.loads(text))
    return found


def without_rows(mapped: Mapped) -> Mapped:
    """What is kept of a mapped attachment: all but its records and gaps, which are read again from the mail."""
    return mapped._replace(records=(), gaps=Gaps())


def facts_to_json(facts: Facts) -> str:
    """The facts as JSON text, without the rows of the report."""
    mapped = tuple(without_rows(one) for one in facts.mapped)
    return to_json(facts._replace(mapped=mapped, merged=facts.merged._replace(records=())))


def facts_from_json(text: str) -> Facts:
    """The facts that `facts_to_json` wrote; ValueError when the text is not such."""
    return from_json(Facts, text)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"a {type(value).__name__} is not kept")


@cache
def _reader(kind: Any) -> _Read:  # noqa: ANN401 - an annotation: a class, a NewType, a generic or a union
    """The function that reads one value of the annotated kind."""
    if isinstance(kind, NewType):
        kind = kind.__supertype__
    if get_origin(kind) in (tuple, Sequence):
        return _tuple_reader(get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return _optional_reader(get_args(kind))
    if issubclass(kind, Enum):
        return cast("_Read", kind)
    if issubclass(kind, tuple):
        return _named_reader(kind)
    if kind is bytes:
        text = _scalar_reader(str)
        return lambda value: bytes.fromhex(text(value))
    return _scalar_reader(kind)


def _named_reader(kind: Any) -> _Read:  # noqa: ANN401 - a NamedTuple; there is no type for that
    hints = get_type_hints(kind)
    readers = tuple(_reader(hints[field]) for field in kind._fields)
    defaults = tuple(kind._field_defaults.values())
    least = len(readers) - len(defaults)

    def read(value: Any) -> Any:  # noqa: ANN401 - what JSON held, and what it means
        values = _listed(value, kind.__name__)
        if not least <= len(values) <= len(readers):
            raise ValueError(f"a kept {kind.__name__} has {len(values)} fields, and {len(readers)} are known")
        # Written before the fields at its end existed: they have a default, as every field that is added has.
        rest = defaults[len(values) - least :]
        return kind._make((*(reader(one) for reader, one in zip(readers, values, strict=False)), *rest))

    return read


def _tuple_reader(kinds: tuple[Any, ...]) -> _Read:
    if len(kinds) == 1 or kinds[1:] == (...,):
        every = _reader(kinds[0])
        return lambda value: tuple(every(one) for one in _listed(value, "tuple"))
    readers = tuple(_reader(kind) for kind in kinds)
    return lambda value: tuple(reader(one) for reader, one in zip(readers, _listed(value, "tuple"), strict=True))


def _optional_reader(kinds: tuple[Any, ...]) -> _Read:
    (one,) = (kind for kind in kinds if kind is not NoneType)
    reader = _reader(one)
    return lambda value: None if value is None else reader(value)


def _scalar_reader(kind: type) -> _Read:
    def read(value: object) -> object:
        if type(value) is not kind:
            raise ValueError(f"expected a kept {kind.__name__}, found a {type(value).__name__}")
        return value

    return read


def _listed(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"expected a kept {name}, found a {type(value).__name__}")  # noqa: TRY004 - not our bug
    return value
