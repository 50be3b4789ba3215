"""Counts what reading a table costs, without a clock: lines of mailsync's code run, and characters looked at.

The text that a reader is given is a `Text`: it counts the characters that its methods look at, and what they return is
a `Text` again. Patterns and the JSON decoder, which look at characters within C, are counted by where they end. The
same input costs the same number of steps on every machine.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import mailsync
from mailsync.tables import markup, objects, reader, records, ruled, text

_HOME = str(Path(mailsync.__file__).parent)
_COUNT = [0]
_SOUGHT = ("find", "rfind", "index", "rindex", "count", "startswith", "endswith")
_OTHERS = ("split", "rsplit", "splitlines", "partition", "rpartition", "replace", "strip", "lstrip", "rstrip", "lower")
_MORE = ("upper", "casefold", "translate", "isspace", "isascii", "isdecimal", "isalpha", "encode", "__contains__")


class Text(str):
    """A text that counts how much of it is looked at."""

    __slots__ = ()

    def __getitem__(self, place):
        found = str.__getitem__(self, place)
        _COUNT[0] += len(found)
        return Text(found)


def _seeking(name: str) -> Callable[..., object]:
    plain = getattr(str, name)

    def method(self, sought, *bounds):
        found = plain(self, sought, *bounds)
        start, end, _ = slice(*bounds, *[None] * (2 - len(bounds))).indices(len(self))
        if name in ("startswith", "endswith"):
            _COUNT[0] += sum(map(len, sought if isinstance(sought, tuple) else (sought,)))
        elif name in ("find", "index") and found >= 0:
            _COUNT[0] += found - start + len(sought)
        else:
            _COUNT[0] += max(end - start, 0)
        return found

    return method


def _looking(name: str) -> Callable[..., object]:
    plain = getattr(str, name)

    def method(self, *arguments):
        _COUNT[0] += len(self)
        found = plain(self, *arguments)
        if isinstance(found, str):
            return Text(found)
        return type(found)(map(Text, found)) if isinstance(found, list | tuple) else found

    return method


for _name in _SOUGHT:
    setattr(Text, _name, _seeking(_name))
for _name in (*_OTHERS, *_MORE):
    setattr(Text, _name, _looking(_name))


class _Pattern:
    """A compiled pattern that counts how far it looks: to the end of what it finds, or of the text."""

    def __init__(self, plain: re.Pattern[str]) -> None:
        self._plain = plain

    def match(self, text: str, *bounds: int):
        found = self._plain.match(text, *bounds)
        # Without a match these patterns have looked at some characters of a tag or a blank, or at a number's.
        _COUNT[0] += found.end() - found.start() if found else 1
        return found

    def search(self, text: str, *bounds: int):
        found = self._plain.search(text, *bounds)
        _COUNT[0] += (found.end() if found else len(text)) - (bounds[0] if bounds else 0)
        return found

    def finditer(self, text: str, *bounds: int):
        _COUNT[0] += len(text)
        return self._plain.finditer(text, *bounds)

    def sub(self, new, text: str):
        _COUNT[0] += len(text)
        return self._plain.sub(new, text)

    def findall(self, text: str, *bounds: int):
        _COUNT[0] += len(text)
        return self._plain.findall(text, *bounds)


class _Decoder(json.JSONDecoder):
    def raw_decode(self, s, idx=0):
        try:
            found = super().raw_decode(s, idx)
        except (ValueError, RecursionError):
            _COUNT[0] += len(s) - idx
            raise
        _COUNT[0] += found[1] - idx
        return found


def _traced(frame: FrameType, event: str, _argument: object):
    if event == "call" and not frame.f_code.co_filename.startswith(_HOME):
        return None
    _COUNT[0] += 1
    return _traced


def steps(work: Callable[[], object]) -> int:
    """How many steps the work takes. Within `counting`."""
    before, traced = _COUNT[0], sys.gettrace()
    sys.settrace(_traced)
    try:
        work()
    finally:
        sys.settrace(traced)
    return _COUNT[0] - before


@contextmanager
def counting(monkeypatch) -> Iterator[None]:
    """Makes the readers of tables count what they look at."""
    for module in (markup, objects, records, ruled, text):
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                monkeypatch.setattr(module, name, _Pattern(value))
    decode = reader.decode

    def counted(*arguments, **options):
        found = decode(*arguments, **options)
        return found._replace(text=Text(found.text)) if isinstance(found, text.Decoded) else found

    monkeypatch.setattr(reader, "decode", counted)
    monkeypatch.setattr(objects, "JSONDecoder", _Decoder)
    yield
    monkeypatch.undo()
