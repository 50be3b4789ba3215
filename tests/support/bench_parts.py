"""The measurements of `python -m tests.bench`: processes timed whole, beside their floors."""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from sites import Site, extract, library_csv, load, make_site, report_mail, served, volume_names

ROOT = Path(__file__).resolve().parents[2]
MEASURED = str(Path(__file__).resolve().parent / "measured.py")
# The layout of the documentation's sample: six captions over seven columns, the last a date.
DEFINITION = """\
name: nightly-csv
claim: {attachment: "*.csv"}
table: {kind: delimited, delimiter: ",", header: first}
fields:
  volume: {column: volume}
  repository: {column: location}
  move_date: {column: 7, date: "%Y-%m-%d", never: ["1970-01-01"]}
"""
NAMES = {"LIBR": "Library", "OFFS": "Offsite", "RACK": "Racking"}
IMPORTS = (
    "import mailparser, jinja2, yaml\n"
    "from cryptography.hazmat.primitives.ciphers.aead import AESGCM\n"
    "from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey\n"
)
DECODE = """
import csv, email, io, sys, zipfile
message = email.message_from_binary_file(open(sys.argv[1], "rb"))
for part in message.walk():
    if part.get_filename():
        content = part.get_payload(decode=True)
        if content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(archive.namelist()[0])
        for row in csv.reader(io.StringIO(content.decode())):
            pass
"""


class Cost(NamedTuple):
    """One process: seconds of wall and CPU time, peak memory in bytes, exit status, what it said on stderr."""

    wall: float
    cpu: float
    memory: int
    status: int
    said: str

    @property
    def exchanged(self) -> str:
        """Application bytes up and down, as the filter reports them."""
        found = re.search(r"(\d+) bytes up, (\d+) bytes down", self.said)
        return f"{int(found[1]):,} up, {int(found[2]):,} down" if found else "none"


def measure(words: Sequence[str], stdin: bytes = b"") -> Cost:
    """Runs a program once, and reads what the kernel counted for it."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.NamedTemporaryFile() as mail, tempfile.NamedTemporaryFile() as counts:
        mail.write(stdin)
        mail.flush()
        command = [sys.executable, "-I", "-S", MEASURED, counts.name, mail.name, *words]
        done = subprocess.run(command, stderr=subprocess.PIPE, env=environment, check=True)
        wall, cpu, memory, status = json.load(counts)
    return Cost(wall, cpu, memory, status, done.stderr.decode(errors="replace"))


def median(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> float:
    """The median of one figure of several runs."""
    return statistics.median(figure(cost) for cost in costs)


def several(times: int, words: Sequence[str], stdin: bytes = b"") -> list[Cost]:
    """A program run several times, after one run that warms the caches of the file system."""
    measure(words, stdin)
    return [measure(words, stdin) for _ in range(times)]


def install(folder: Path) -> str:
    """Builds the wheel and installs it into an environment of its own; the program in it."""
    say("building and installing the wheel")
    run_quietly([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)])
    run_quietly([sys.executable, "-m", "venv", str(folder / "venv")])
    (wheel,) = folder.glob("*.whl")
    run_quietly([str(folder / "venv" / "bin" / "pip"), "install", "--quiet", f"{wheel}[postgres]"])
    return str(folder / "venv" / "bin" / "mailsync")


def run_quietly(words: Sequence[str]) -> None:
    """Runs a program that has nothing to say unless it fails."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def start_up(folder: Path, program: str) -> float:
    """Bare interpreter, import floor, and the program's own start; returns the import floor's wall time."""
    python = str(Path(program).parent / "python")
    bare = median(several(9, [python, "-c", "pass"]), lambda cost: cost.wall)
    floor = median(several(9, [python, "-c", IMPORTS]), lambda cost: cost.wall)
    own = median(several(9, [program, "filter", "--help"]), lambda cost: cost.wall)
    title("start-up, wall")
    line("bare interpreter", f"{bare * 1000:.0f} ms", "floor")
    line("import floor", f"{floor * 1000:.0f} ms", "floor")
    line("filter --help", f"{own * 1000:.0f} ms", f"{own / floor:.2f} import floors")
    return floor


def small_mails(folder: Path, program: str, floor: float) -> None:
    """A duplicate and a 2 KB mail, end to end, with what the parts of it cost."""
    site = make_site(folder / "small", program=program)
    load(site, library_csv(10_000))
    names = volume_names(10_000)
    with served(site):
        words = filter_words(site)
        mails = [small_mail(site, names, number) for number in range(1, 31)]
        done = [measure(words, mail) for mail in mails]
        assert all(cost.status == 0 for cost in done), done[0].said
        again = several(9, words, mails[0])
        title(f"a mail of {len(mails[0]):,} bytes, 10,000 volumes on the server")
        wall = median(done[1:], lambda cost: cost.wall)
        line("2 KB mail, end to end", f"{wall * 1000:.0f} ms", f"{wall / floor:.2f} import floors (aim 2)")
        duplicate = median(again, lambda cost: cost.wall)
        line("duplicate", f"{duplicate * 1000:.0f} ms", f"{duplicate / floor:.2f} import floors (aim 0.5)")
        unchanged = measure(words, report_mail(site, extract([(names[0], place_of(site, names[0]))]), number=98))
        line("bytes, nothing changes", unchanged.exchanged, "aim 2,600 in all")
        moves = [(name, "OFFS" if place != "OFFS" else "LIBR") for name, place in places(site, names[500:600])]
        moved = measure(words, report_mail(site, extract(moves), number=99))
        line("bytes, 100 moves", moved.exchanged, "aim 3,000 up")
        breakdown(site, small_mail(site, names, 40))


def breakdown(site: Site, mail: bytes) -> None:
    """Where the time of one mail goes, from a run that looks at the clock between its stages."""
    python = str(Path(site.program).parent / "python")
    watch = str(Path(__file__).resolve().parent / "timed.py")
    done = measure([python, watch, "filter", "--config", str(site.config), "--recipient", site.recipient], mail)
    for found in re.finditer(r"stage: (.+?) +([\d.]+)$", done.said, re.MULTILINE):
        line(f"  {found[1]}", f"{float(found[2]):.0f} ms", "")


def extracts(folder: Path, program: str, rows: int) -> None:
    """A whole library as an extract, 1 % of it moved (at most 1,000 volumes): cold cache, then warm, then unchanged."""
    site = make_site(folder / f"rows{rows}", program=program)
    for old in (site.folder / "definitions").iterdir():
        old.unlink()
    (site.folder / "definitions" / "nightly-csv.yaml").write_text(DEFINITION)
    state = library(rows)
    load(site, library_file(state))
    dice = random.Random(rows)
    zipped = rows >= 1_000_000
    with served(site):
        title(f"{rows:,} rows{' (zipped)' if zipped else ''}")
        for number, (words, moves) in enumerate((("cold cache", 1000), ("warm cache", 1000), ("no change", 0)), 1):
            for name in dice.sample(sorted(state), min(moves, rows // 100)):
                state[name] = "RACK" if state[name] != "RACK" else "LIBR"
            mail, unzipped = extract_mail(site, state, number, zipped=zipped)
            path = folder / "mail"
            path.write_bytes(mail)
            floor = several(3, [str(Path(program).parent / "python"), "-c", DECODE, str(path)])
            cost = measure(filter_words(site), mail)
            assert cost.status == 0, cost.said
            report(words, unzipped, cost, floor)


def library(rows: int) -> dict[str, str]:
    """Where every volume is, by name."""
    dice = random.Random(1)
    return {name: dice.choice(tuple(NAMES)) for name in volume_names(rows)}


def library_file(state: dict[str, str]) -> bytes:
    """The library for `server load`, with the dates its extracts will have."""
    lines = ["customer,media,volume,description,repository,move_date"]
    lines += [
        f"US01,LTO,{name},weekly full,{place},{date(number)}" for number, (name, place) in enumerate(state.items())
    ]
    return ("\n".join(lines) + "\n").encode()


def library_extract(state: dict[str, str]) -> bytes:
    """The library as backup software lists it."""
    lines = ["volume,barcode,family,type,location,pool"]
    for number, (name, place) in enumerate(state.items()):
        lines.append(f"{name},US01.LTO.{name},weekly full,LTO8,{NAMES[place]},pool{number % 7},{date(number)}")
    return ("\n".join(lines) + "\n").encode()


def date(number: int) -> str:
    """One of 336 dates."""
    return f"2031-{number % 12 + 1:02d}-{number % 28 + 1:02d}"


def report(words: str, size: int, cost: Cost, floor: Sequence[Cost]) -> None:
    """One extract beside its decode floor."""
    cpu, wall = median(floor, lambda one: one.cpu), median(floor, lambda one: one.wall)
    allowed = 40e6 + 12 * size
    line(f"{words}: wall", f"{cost.wall:.2f} s", f"{cost.wall / wall:.1f} decode floors")
    line(f"{words}: CPU", f"{cost.cpu:.2f} s", f"{cost.cpu / cpu:.1f} decode floors of {cpu:.2f} s")
    line(
        f"{words}: memory",
        f"{cost.memory / 1e6:.0f} MB",
        f"mail {size / 1e6:.1f} MB unzipped; 40 MB + 12 x = {allowed / 1e6:.0f}",
    )
    line(f"{words}: bytes", cost.exchanged, "")


def small_mail(site: Site, names: Sequence[str], number: int) -> bytes:
    """A mail of about 2 KB with a row that moves a volume and some that do not."""
    rows = [(names[number], "OFFS" if number % 2 else "RACK")]
    return report_mail(site, extract(rows) + b"#" * 900, number=number)


def extract_mail(site: Site, state: dict[str, str], number: int, *, zipped: bool) -> tuple[bytes, int]:
    """The whole library as an attached extract, and the size the mail has, or would have, without a zip."""
    content = library_extract(state)
    plain = report_mail(site, content, number=number)
    if not zipped:
        return plain, len(plain)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("extract.csv", content)
    return report_mail(site, packed.getvalue(), number=number, name="extract.zip"), len(plain)


def places(site: Site, names: Sequence[str]) -> list[tuple[str, str]]:
    """Where the server says the volumes should be."""
    held = site.export()
    return [(name, held[name]["repository"]) for name in names]


def place_of(site: Site, name: str) -> str:
    """Where the server says one volume should be."""
    return site.export()[name]["repository"]


def filter_words(site: Site) -> list[str]:
    """The command that takes a mail of the site."""
    return [site.program, "filter", "--config", str(site.config), "--recipient", site.recipient]


def title(text: str) -> None:
    """Begins a table."""
    print(f"\n{text}")


def line(name: str, figure: str, remark: str) -> None:
    """One figure."""
    print(f"  {name:28}{figure:>24}   {remark}")


def say(text: str) -> None:
    """What is going on, to whom watches."""
    print(text, file=sys.stderr)
