"""A large delimited list in a zip, mapped and planned in a process of its own: CPU time of each, for bench_tables.

    python bench_zip.py ZIP floor     csv.reader over its rows, and nothing else
    python bench_zip.py ZIP dates     unpacked, mapped, and planned against as many volumes, of which 1 % are elsewhere
    python bench_zip.py ZIP times     the same, with a time in every row that no other row has

Prints `NAME SECONDS` lines on stderr. The peak of the process's memory is read from outside (measured.py).
"""

from __future__ import annotations

import csv
import io
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence

CAPTIONS = ("volume", "slot", "family", "written", "location", "pool", "moves")
DEFINITION = """
claim: {attachment: "*"}
table: {kind: delimited, delimiter: ","}
fields:
  volume: {column: volume}
  repository: {column: location, translate: [[Library, LIBR], ["*", OFFS]]}
  move_date: {column: moves, date: "%d.%m.%Y"}
"""
TIMES = '  write_time: {column: written, date: "%Y-%m-%d %H:%M:%S"}\n'
PLACES = ("LIBR", "OFFS")


def row(number: int) -> tuple[str, ...]:
    """A row of the list: one of 336 dates, and a time that no other row has."""
    day, clock = divmod(number * 97, 86_400)
    written = f"{2020 + day // 336}-{day // 28 % 12 + 1:02d}-{day % 28 + 1:02d} "
    written += f"{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"
    place = ("Library", "Offsite")[number % 2]
    moves = f"{number % 28 + 1:02d}.{number % 12 + 1:02d}.2031"
    return (f"A{number:07d}", f"{number:,}", "weekly full", written, place, f"pool{number % 7}", moves)


def pack(path: str, rows: int) -> None:
    """Writes the list."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("list.csv", "w") as member:
        text = io.TextIOWrapper(member, "utf-8", newline="")
        csv.writer(text, lineterminator="\n").writerow(CAPTIONS)
        csv.writer(text, lineterminator="\n").writerows(map(row, range(rows)))
        text.close()


class Shelf:
    """A scope's volumes, made as they are asked for: the list's own, but that every hundredth is elsewhere."""

    epoch, version = bytes(16), 1

    def __init__(self, rows: int) -> None:
        from mailsync.core.model import Repository, RepositoryId, Scope

        self.scope = Scope("US01", "LTO")
        self.size = rows
        self.repositories = {name: Repository(RepositoryId(name)) for name in PLACES}

    def rows(self, fields: Sequence[str]) -> Iterator[tuple[str, ...]]:
        for number in range(self.size):
            volume, _, _, written, _, _, moves = row(number)
            place = PLACES[(number + (number % 100 == 0)) % 2]
            said = {"move_date": f"{moves[6:]}-{moves[3:5]}-{moves[:2]}", "write_time": f"{written.replace(' ', 'T')}Z"}
            yield (volume, *(place if field.endswith("repository") else said.get(field, "") for field in fields))


def plan(content: bytes, definition_text: str) -> None:
    """Maps and plans the list, and says how long each took."""
    from mailsync.core.model import Attachment, Scope
    from mailsync.core.planning import PlanRules, make_plan
    from mailsync.definition.load import load_definition
    from mailsync.definition.mapping import Context, map_attachment
    from mailsync.tables.reader import read_table

    definition = load_definition("list.yaml", definition_text, [])
    assert definition is not None
    context = Context(read_table, scope=Scope("US01", "LTO"), timezone="")
    begun = time.process_time()
    mapped = map_attachment(Attachment("list.csv", content, "", "", 0, body=False), definition, context)
    tell("mapped", begun)
    (records,) = mapped.records
    shelf = Shelf(len(records.volumes))
    begun = time.process_time()
    for _ in shelf.rows((*records.fields, "flags", "repository", "confirmed_repository", "current_repository")):
        pass
    tell("shelf", begun)
    begun = time.process_time()
    made = make_plan(records, shelf, PlanRules())
    tell("planned", begun)
    assert (made.listed, len(made.steps)) == (mapped.read, (mapped.read + 99) // 100), mapped.problems[:3]


def tell(name: str, begun: float) -> None:
    """Says how long something took."""
    print(f"{name} {time.process_time() - begun:.3f}", file=sys.stderr)


def main(path: str, what: str) -> None:
    """Measures one of them."""
    with zipfile.ZipFile(path) as archive:
        content = archive.read("list.csv")
    if what == "floor":
        begun = time.process_time()
        for _ in csv.reader(io.StringIO(content.decode())):
            pass
        tell("floor", begun)
    else:
        plan(content, DEFINITION + (TIMES if what == "times" else ""))


if __name__ == "__main__":
    main(*sys.argv[1:])
