"""Looks for inputs that break a harness, guided by coverage (docs/fuzzing.md).

    python tests/fuzz NAME FOLDER [libFuzzer options such as -max_total_time=60]

NAME is one of tests/support/harnesses.py. FOLDER keeps what is found; put there first are the inputs kept in
tests/corpus/seeds and what the ends of the protocol really say to each other. An input that breaks an invariant is
written to the folder at hand, as crash-*.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import sys
from pathlib import Path

import atheris

_HERE = Path(__file__).parent
_ROOMS = tuple(f"mailsync.{name}" for name in ("definition", "tables", "mail", "wire", "server", "client"))
_BOUNDS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192", f"-dict={_HERE / 'words.txt'}")


def main() -> None:
    """Runs until the time is over, or something breaks."""
    name, folder, *options = sys.argv[1:]
    sys.path.insert(0, str(_HERE.parent / "support"))
    with atheris.instrument_imports(include=["mailsync"]):
        # Modules are imported where they are used, which here would be too late.
        for room in _ROOMS:
            for module in pkgutil.iter_modules(importlib.import_module(room).__path__, f"{room}."):
                importlib.import_module(module.name)
        harness = importlib.import_module("harnesses").HARNESSES[name]
    Path(folder).mkdir(parents=True, exist_ok=True)
    begin = importlib.import_module("first_inputs").first_inputs(name)
    for seed in (*begin, *importlib.import_module("seeds").read_seeds(name)):
        (Path(folder) / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)
    atheris.Setup([sys.argv[0], *_BOUNDS, *options, folder], harness)
    atheris.Fuzz()


main()
