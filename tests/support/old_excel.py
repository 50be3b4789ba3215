"""Old Excel workbooks (.xls) made by hand, record by record, to be read and to be broken."""

from __future__ import annotations

from struct import pack

SECTOR = 512
END, FREE, TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
NOTHING = 0xFFFFFFFF


def record(kind: int, content: bytes = b"") -> bytes:
    return pack("<HH", kind, len(content)) + content


def begin(sort: int = 0x10) -> bytes:
    return record(0x809, pack("<HHHHII", 0x600, sort, 0, 1997, 0, 0))


END_RECORD = record(0x0A)


def text(value: str, *, wide: bool = False) -> bytes:
    """A text with its form, without its length."""
    return bytes([wide]) + value.encode("utf-16-le" if wide else "latin-1")


def texts(*values: str, count: int | None = None, more: bytes = b"") -> bytes:
    """The record of shared texts."""
    listed = b"".join(pack("<H", len(value)) + text(value, wide=not value.isascii()) for value in values)
    number = len(values) if count is None else count
    return record(0xFC, pack("<II", number, number) + listed + more)


def label(row: int, column: int, place: int) -> bytes:
    """A cell with a shared text."""
    return record(0xFD, pack("<HHHI", row, column, 0, place))


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    return record(0x203, pack("<HHHd", row, column, style, value))


def book(*sheets: bytes, general: bytes = b"") -> bytes:
    """The stream of a workbook whose sheets S1, S2, ... hold these records."""
    heads = [begin() + sheet + END_RECORD for sheet in sheets]
    names = [f"S{place}" for place in range(1, len(sheets) + 1)]
    length = len(begin(5)) + sum(len(record(0x85, b"\x00" * 8 + name.encode())) for name in names)
    at = length + len(general) + len(END_RECORD)
    listed = b""
    for name, head in zip(names, heads, strict=True):
        listed += record(0x85, pack("<IBBB", at, 0, 0, len(name)) + text(name))
        at += len(head)
    return begin(5) + listed + general + END_RECORD + b"".join(heads)


def entry(
    name: str, sort: int, *, near=(NOTHING, NOTHING), below: int = NOTHING, start: int = 0, size: int = 0
) -> bytes:
    """A directory's entry."""
    written = name.encode("utf-16-le")
    head = written.ljust(64, b"\x00") + pack("<HBBIII", len(written) + 2, sort, 1, *near, below)
    return head.ljust(116, b"\x00") + pack("<III", start, size, 0)


def compound(stream: bytes, *, name: str = "Workbook", entries: bytes = b"") -> bytes:
    """A compound file with one stream; `entries` are a directory instead of its own."""
    size = len(stream)
    # A stream that is shorter than this would have to lie in the short sectors.
    stream = stream.ljust(max(4096, -size % SECTOR + size), b"\x00")
    used = len(stream) // SECTOR
    directory = entries or (entry("Root Entry", 5, below=1, start=END) + entry(name, 2, start=0, size=max(size, 4096)))
    directory = directory.ljust(-len(directory) % SECTOR + len(directory), b"\x00")
    tables = 1
    while tables * SECTOR // 4 < used + len(directory) // SECTOR + tables:
        tables += 1
    chains = [*range(1, used), END]
    chains += [*range(used + 1, used + len(directory) // SECTOR), END]
    first_table = len(chains)
    assert tables <= 109
    chains += [TABLE] * tables
    chains += [FREE] * (tables * SECTOR // 4 - len(chains))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(24, b"\x00")
    head += pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6).ljust(20, b"\x00")
    head += pack("<IIIIIIIII", tables, used, 0, 4096, END, 0, END, 0, first_table)
    listed = [*range(first_table + 1, first_table + tables)]
    head += pack(f"<{len(listed)}I", *listed)
    head = head.ljust(SECTOR, b"\xff")
    return head + stream + directory + pack(f"<{len(chains)}I", *chains)
