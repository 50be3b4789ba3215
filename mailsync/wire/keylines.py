"""The lines of a file that holds keys: a heading, then `name: value` lines.

Blank lines and lines that begin with # say nothing. Every fault is cited as file:line; no text of a secret is ever
in one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mailsync.core.errors import ConfigurationError

T = TypeVar("T")


class Lines:
    """The `name: value` lines of a file under its heading. Faults are gathered; `finish` raises them together."""

    def __init__(self, text: str, file: str, heading: str, names: set[str]) -> None:
        self.file = file
        self.found: dict[str, list[tuple[int, str]]] = {}
        self._faults: list[str] = []
        lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
        said = [(number, line) for number, line in lines if line and not line.startswith("#")]
        if not said or said[0][1] != heading:
            self.fault(said[0][0] if said else 1, f'the first line must be "{heading}"')
            self.finish()
        for number, line in said[1:]:
            name, colon, value = line.partition(":")
            if colon and name in names:
                self.found.setdefault(name, []).append((number, value.strip()))
            else:
                self.fault(number, "expected one of: " + ", ".join(f"{known}:" for known in sorted(names)))

    def one(self, name: str, read: Callable[[str], T | None], wanted: str) -> T | None:
        """The value of the one line of a name; None, and a fault, when there is none or it cannot be read."""
        given = self.found.get(name, [])
        if not given:
            self.fault(1, f'"{name}" is missing')
            return None
        for number, _ in given[1:]:
            self.fault(number, f'"{name}" is given twice')
        value = read(given[0][1])
        if value is None:
            self.fault(given[0][0], f'"{name}" is not {wanted}')
        return value

    def fault(self, line: int, text: str) -> None:
        """Notes what is wrong in a line."""
        self._faults.append(f"{self.file}:{line}: {text}")

    def finish(self) -> None:
        """Raises ConfigurationError with every fault, when there is one."""
        if self._faults:
            raise ConfigurationError(tuple(self._faults), hint="make the file anew, or copy it again")
