"""What the rows under known captions hold, gathered in one reading: whether they can be what the captions say.

a row with one text, in the volume's column and unlike the volumes       may be a title: `RETURNS`, `To vault:`
a row with one text that has letters, in any other column                may be one too
a row with more, whose volume is none and speaks of moves                may be one too
a row with one text that looks like the other volumes                    a volume of which the row says no more
"""

from __future__ import annotations

from collections.abc import Sequence

from mailsync.core.model import VOLUME as VOLUME_ID
from mailsync.definition.date_forms import MOST_TEXTS
from mailsync.definition.dictionary import VOLUME, field_of
from mailsync.definition.movements import title_moves


class CaptionedRows:
    """What the rows hold: distinct texts of each column, how many rows, how many with a Volume-ID, how wide the widest
    is, and how many have a caption for volumes once more.

    `alone` are texts that are all their row says, one of each shape, by place and shape; `odd` are those in the
    volume's column that are none; `unlike` is True when columns for the volume differ; `beside` is what is said of
    the rows outside them.
    """

    def __init__(self, volumes: Sequence[int], width: int) -> None:
        self._volume, *self._twins = volumes
        self.texts: list[set[str]] = [set() for _ in range(width)]
        self.rows = self.volumes = self.widest = self.again = 0
        self.alone: dict[tuple[int, str], str] = {}
        self.odd: set[str] = set()
        self.unlike = False
        self.beside: set[str] = set()

    def add(self, filled: Sequence[str]) -> None:
        """A row that is not blank, without blanks around its texts."""
        self.rows += 1
        if len(filled) > self.widest:
            self.widest = max(self.widest, *(place for place, cell in enumerate(filled, 1) if cell))
        named = filled[self._volume] if len(filled) > self._volume else ""
        for twin in self._twins:
            self.unlike = self.unlike or (filled[twin] if len(filled) > twin else "") != named
        sure, digits = VOLUME_ID.match(named) is not None, any(map(str.isdigit, named))
        self.volumes += sure
        self.again += not digits and field_of(named) == VOLUME
        if not (sure and digits) and len(self.odd) <= MOST_TEXTS:
            self.odd.add(named)
        if filled.count("") == len(filled) - 1 and len(self.alone) <= MOST_TEXTS:
            place, cell = next((place, cell) for place, cell in enumerate(filled) if cell)
            self.alone.setdefault((place, _shape(cell)), cell)
            return
        for known, cell in zip(self.texts, filled, strict=False):
            if cell and len(known) <= MOST_TEXTS:
                known.add(cell)


def title_among(columns: CaptionedRows, volume: int) -> str:
    """The text of a row that may be a title, empty without one; `volume` is the place of the volume's column."""
    shapes = {_shape(text) for text in columns.texts[volume] - columns.odd}
    for (place, shape), text in columns.alone.items():
        volume_like = shape in shapes or text.startswith("CLN")
        if not volume_like if place == volume else any(map(str.isalpha, text)):
            return text
    return min(filter(title_moves, columns.odd), default="")


def _shape(text: str) -> str:
    """The text with every letter and every digit alike."""
    return "".join("A" if one.isalpha() else "0" if one.isdigit() else one for one in text)
