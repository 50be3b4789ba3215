"""The server's log: one event a line, as logfmt or JSON, for people and for programs.

    time=2026-11-23T06:00:01Z event=connection peer=192.0.2.7:40112 key=site user=filter id=9f0c... end=bye
    {"time": "2026-11-23T06:00:01Z", "event": "connection", "peer": "192.0.2.7:40112", ...}

Strategy: values are names, addresses, counts and words of our own. What a client sent never is one, and neither is the
message of an exception that we did not raise ourselves: it may quote a row. Of such a fault the log has the type and
the places in the code. Whatever a value holds, an event is one line.
"""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

Value = str | int | float
_PLAIN = re.compile(r"[A-Za-z0-9._:/@%+\[\]-]+\Z", re.ASCII)
_LONGEST = 1000  # characters of one value
_FRAMES = 8  # the innermost of a fault


class Form(StrEnum):
    """How an event is written."""

    LOGFMT = "logfmt"
    JSON = "json"


class Log:
    """Hands each event to `write` as one line, without its end. `clock` gives Unix seconds."""

    def __init__(
        self, write: Callable[[str], None], *, form: Form = Form.LOGFMT, clock: Callable[[], float] = time.time
    ) -> None:
        self._write = write
        self._form = form
        self._clock = clock

    def event(self, event: str, **values: Value) -> None:
        """Writes one event; an empty text is written as `-` in logfmt."""
        at = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        said: dict[str, Value] = {"time": at, "event": event, **{name: _bounded(one) for name, one in values.items()}}
        if self._form is Form.JSON:
            self._write(json.dumps(said))
        else:
            self._write(" ".join(f"{name}={_logfmt(value)}" for name, value in said.items()))

    def fault(self, error: BaseException, **values: Value) -> None:
        """Writes a fault of ours: what kind, and where; not its message, which may quote what a client sent."""
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        places = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
        self.event("fault", **values, error=type(error).__name__, places=places)


def _bounded(value: Value) -> Value:
    if isinstance(value, float):
        return round(value, 3)
    return value[:_LONGEST] if isinstance(value, str) else value


def _logfmt(value: Value) -> str:
    text = str(value)
    if not text:
        return "-"
    return text if _PLAIN.match(text) else json.dumps(text)
