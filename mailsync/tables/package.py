"""The files within a workbook's zip, as a stream of XML events, within bounds.

A workbook is a zip of XML: small files can hold huge ones, and XML can do more than any workbook needs. So nothing is
read that is larger than the bounds, document types and their entities are refused, and a tag that does not end is too.
What is compressed in another way than workbooks are is refused before it is opened: LZMA takes the memory it asks for.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Protocol
from xml.parsers import expat

MOST_BYTES = 250_000_000
MOST_SMALL_BYTES = 10_000_000
MOST_READ = 600_000_000  # of all files, each time one is read: a sheet is looked for in many, from their beginning
MOST_FILES = 10_000
_READ = 1 << 16
_LONGEST_TAG = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError)


class FlawError(Exception):
    """What is wrong with a workbook, for people; never leaves the tables."""


class Handler(Protocol):
    """What is told of a file: names are without their namespace prefix."""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        ...

    def end(self, name: str) -> None:
        """An element ends."""
        ...

    def text(self, text: str) -> None:
        """Some text."""
        ...


class Package:
    """The zip of a workbook. Raises FlawError when it is none, or one beyond the bounds."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(content))
        except _BROKEN:
            raise FlawError("it is not a workbook, or one that is cut short") from None
        if len(self._zip.infolist()) > MOST_FILES:
            raise FlawError(f"it holds more than {MOST_FILES} files")
        self._left = MOST_READ

    def has(self, name: str) -> bool:
        """True when there is a file of that name."""
        return name in self._zip.NameToInfo

    def parse(self, name: str, handler: Handler, most: int = MOST_SMALL_BYTES) -> None:
        """Tells the handler all that is in the file, which has at most so many bytes."""
        for _ in self.stream(name, handler, most):
            pass

    def stream(self, name: str, handler: Handler, most: int = MOST_BYTES) -> Iterator[None]:
        """As `parse`, a piece at a time."""
        if not self.has(name):
            raise FlawError(f"it has no {name}")
        if self._zip.NameToInfo[name].compress_type not in _METHODS:
            raise FlawError(f"{name} is compressed in a way that no workbook is")
        if self._zip.NameToInfo[name].file_size > most:
            raise FlawError(f"{name} has more than {most} bytes")
        parser = _parser(handler)
        try:
            with self._zip.open(name) as file:
                fed = 0
                while piece := file.read(_READ):
                    parser.Parse(piece, False)  # noqa: FBT003 - expat's own signature
                    fed += len(piece)
                    self._left -= len(piece)
                    if self._left < 0:
                        raise FlawError(f"looking through its sheets takes reading more than {MOST_READ} bytes")
                    # What expat keeps of a tag without an end it reads again with every piece.
                    if fed - parser.CurrentByteIndex > _LONGEST_TAG:
                        raise FlawError(f"{name} has a tag that does not end")
                    yield
                parser.Parse(b"", True)  # noqa: FBT003 - expat's own signature
        except (expat.ExpatError, *_BROKEN) as error:
            raise FlawError(f"{name} is damaged: {str(error)[:80].lower()}") from None
        yield


def unzipped_size(content: bytes) -> int:
    """How many bytes the files in the workbook say they have; 0 for what is none."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return sum(one.file_size for one in archive.infolist())
    except _BROKEN:
        return 0


def _parser(handler: Handler) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: handler.begin(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: handler.end(name.rpartition(":")[2])
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_: object) -> None:
    raise FlawError("it declares a document type, which no workbook does")


def attribute(attributes: dict[str, str], name: str) -> str:
    """The attribute's value under any namespace prefix, or empty."""
    found = attributes.get(name)
    if found is None:
        found = next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), "")
    return found
