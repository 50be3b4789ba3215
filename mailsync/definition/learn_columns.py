"""Which column of an unknown table is which field: by its caption, and by what its cells look like.

    volume          the column whose cells are most surely Volume-IDs (learn_shapes.py); its caption adds to that
    repository      a caption that means places, else one that often does (state, robot), else cells that name places
    dates, slot,    a caption that means them; dates only with a format that fits, and commented out where several do
    description
Every field is given to one column at most. What nobody claims is told, so that a person can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailsync.core.fields import FIELD_BY_NAME, Kind
from mailsync.definition.cells import FLAGS
from mailsync.definition.date_forms import date_form
from mailsync.definition.dictionary import VOLUME, VOLUME_RANKS, field_of, speaks_of_places, squeezed
from mailsync.definition.learn_candidate import Candidate
from mailsync.definition.learn_shapes import column_surety, first_volume, is_likely, place_share, several_volumes

LEAST_SURETY = 0.25
_LEAST_PLACE = 0.9
_SHOWN = 3
# Words within captions, for what no dictionary has; the first field that fits takes the column.
_WITHIN = (
    ("expiry_date", ("expir", "retain", "retent", "scadenza", "ablauf")),
    ("write_time", ("lastwrit", "writtendate", "writedate", "datewritten", "lastupdate", "lastwrite")),
    ("slot", ("slot", "element")),
    ("description", ("pool", "description", "policy", "mediaset")),
)
_VOLUME_WORDS = ("vol", "barcode", "tape", "media", "cartridge", "serial", "tag")
# (word in the caption, how much it says of a place)
_PLACE_WORDS = (
    *(("inchanger", 1.4), ("homelocation", 1.6), ("robottype", 1.3), ("state", 0.8), ("status", 0.5), ("robot", 0.7)),
    *(("library", 1.5), ("changer", 0.9), ("jukebox", 1.5), ("home", 0.3), ("where", 1.0), ("position", 0.7)),
    *(("residence", 1.5), ("residing", 1.5), ("resides", 1.5), ("place", 1.0), ("depot", 1.5), ("storedat", 1.5)),
    *(("heldat", 1.5), ("facility", 1.5), ("building", 1.2), ("aufbewahr", 1.5)),
)
# Captions that mean a place as a whole, and are part of other words.
_PLACE_NAMES = frozenset(("ort", "lieu", "lugar", "luogo", "local", "plaats", "plats", "sted", "lager", "tresor"))
_MOST_DATED = 20
_USUAL = 6


class Role(NamedTuple):
    """A column (its place) as a field: its YAML beside the column, what to say of it, whether it is only proposed.

    `also` is the place of a column that says it where this one does not (-1: none).
    """

    field: str
    place: int
    settings: tuple[tuple[str, object], ...] = ()
    remark: str = ""
    proposed: bool = False
    also: int = -1


class Roles(NamedTuple):
    """How surely the volume's column is one, the fields, and the places of the columns nobody claims."""

    surety: float
    roles: tuple[Role, ...]
    left: tuple[int, ...]
    split: str = ""


def assign(candidate: Candidate) -> Roles:
    """What each column of the candidate is."""
    places = range(len(candidate.columns))
    columns = [candidate.column(place) for place in places]
    at = ","
    scores = [_volume_score(candidate.captions[place], columns[place], at) for place in places]
    best = max(places, key=lambda place: (scores[place], -place), default=-1)
    if best < 0 or scores[best] < LEAST_SURETY:
        return Roles(0.0, (), tuple(places))
    split = at if any(several_volumes(cell, at) for cell in columns[best]) else ""
    free = [place for place in places if place != best and field_of(candidate.captions[place]) in ("", VOLUME)]
    also = -1 if split else _also(columns[best], columns, sorted(free, key=lambda place: (-scores[place], place)))
    also = also if also >= 0 and scores[also] > LEAST_SURETY else -1
    found = [_volume_role(best, [*columns[best], *(columns[also] if also >= 0 else ())], split, also)]
    place = _place_column(candidate, columns, {best, also})
    if place >= 0:
        found.append(
            Role("repository", place, remark=f"{_examples(columns[place])}: what the route's repositories map")
        )
    for field in ("expiry_date", "write_time", "move_date", "slot", "description", "scratch"):
        taken = {place for role in found for place in (role.place, role.also)}
        column = _by_caption(candidate, field, taken)
        role = _role(field, column, columns[column]) if column >= 0 else None
        if role:
            found.append(role)
    taken = {place for role in found for place in (role.place, role.also)}
    return Roles(scores[best], tuple(found), tuple(one for one in places if one not in taken), split)


def _volume_score(caption: str, cells: Sequence[str], at: str) -> float:
    parts = [part.strip() for cell in cells for part in cell.split(at)] if any(at in cell for cell in cells) else cells
    several = any(several_volumes(cell, at) for cell in cells)
    sure = column_surety(parts if several else cells)
    if sure == 0:
        return 0.0
    name = squeezed(caption)
    if name in VOLUME_RANKS:
        return sure + 0.35 - VOLUME_RANKS[name] * 0.002
    return sure + (0.15 if any(word in name for word in _VOLUME_WORDS) else 0.0)


def _also(best: Sequence[str], columns: Sequence[Sequence[str]], others: Sequence[int]) -> int:
    """The first of the others with a likely volume in a row where the best says nothing (`-`, `NONE`); -1 for none."""
    silent = [row for row, cell in enumerate(best) if not cell.strip("-*? ") or cell.upper() == "NONE"]
    return next((place for place in others if any(first_volume(columns[place][row]) for row in silent)), -1)


def _volume_role(place: int, cells: Sequence[str], split: str, also: int) -> Role:
    """The volume's column, with an extraction where its cells have more than the volume."""
    volumes = [first_volume(cell) for cell in cells if first_volume(cell)]
    more = [cell for cell in cells if cell and not is_likely(cell) and first_volume(cell)]
    settings: list[tuple[str, object]] = []
    if (more or also >= 0) and not split:
        least, most = min(map(len, volumes)), max(map(len, volumes))
        settings.append(("extract", {"regex": f"^[^A-Za-z0-9]*([A-Za-z0-9-]{{{least},{most}}})(?:[^A-Za-z0-9_./-]|$)"}))
    if any(volume != volume.upper() for volume in volumes):
        settings.append(("upper", "true"))
    return Role(VOLUME, place, tuple(settings), _examples(volumes), also=also)


def _place_column(candidate: Candidate, columns: Sequence[Sequence[str]], taken: set[int]) -> int:
    """The column that most likely says where volumes are, -1 for none."""
    scores = {
        place: _place_score(candidate.captions[place], cells)
        for place, cells in enumerate(columns)
        if place not in taken and any(cells)
    }
    best = max(scores, key=lambda place: (scores[place], -place), default=-1)
    return best if best >= 0 and scores[best] >= _LEAST_PLACE else -1


def _place_score(caption: str, cells: Sequence[str]) -> float:
    filled = [cell for cell in cells if cell]
    name, field = squeezed(caption), field_of(caption)
    if field not in ("", "repository") or _is_dated(filled):
        return 0.0
    score = 3.0 if field == "repository" else 2.0 if speaks_of_places(caption) else 0.0
    score += 1.5 if name in _PLACE_NAMES else 0.0
    score += max((weight for word, weight in _PLACE_WORDS if word in name), default=0.0)
    score += place_share(filled) * (0.9 if caption else 1.1)
    score += 0.1 if len(set(filled)) <= max(2, len(filled) // 2) else -0.1
    return score * (0.5 + 0.5 * len(filled) / len(cells))


def _is_dated(filled: Sequence[str]) -> bool:
    """True for cells of which most are dates: no place is called that, whatever the caption ("Retain To")."""
    known = list(dict.fromkeys(filled))[:_MOST_DATED]
    dated = [any(map(str.isdigit, cell)) and bool((form := date_form([cell])).text or form.several) for cell in known]
    return 2 * sum(dated) > len(known)


def volume_like(cells: Sequence[str]) -> bool:
    """True for a column of which half the filled cells or more begin with a likely volume, no shorter than most are."""
    filled = [cell for cell in cells if cell]
    return bool(filled) and 2 * sum(len(first_volume(cell)) >= _USUAL for cell in filled) >= len(filled)


def _by_caption(candidate: Candidate, field: str, taken: set[int]) -> int:
    """The column whose caption means the field, else has a word for it; -1 for none."""
    free = [place for place, caption in enumerate(candidate.captions) if caption and place not in taken]
    words = dict(_WITHIN).get(field, ())
    exact = [place for place in free if field_of(candidate.captions[place]) == field]
    within = [place for place in free if any(word in squeezed(candidate.captions[place]) for word in words)]
    return next(iter((*exact, *within)), -1)


def _role(field: str, place: int, cells: Sequence[str]) -> Role | None:
    """The column as the field, as far as its cells can be that."""
    filled = [cell for cell in cells if cell]
    kind = FIELD_BY_NAME[field].kind
    if not filled:
        return None
    if kind is Kind.FLAG:
        return Role(field, place) if all(cell.lower() in FLAGS for cell in filled) else None
    if kind in (Kind.DATE, Kind.TIME):
        return _dated(field, place, filled)
    longest = FIELD_BY_NAME[field].longest
    return Role(field, place, (("max", longest),) if any(len(cell) > longest for cell in filled) else ())


def _dated(field: str, place: int, filled: Sequence[str]) -> Role | None:
    """The column as a date, with the words in it that mean none."""
    dates = [cell for cell in filled if (alone := date_form([cell])).text or alone.several]
    words = sorted({cell for cell in filled if cell not in dates})
    if not dates or len(words) > 5:
        return None
    form = date_form(dates)
    never = (("never", words),) if words else ()
    if form.text:
        return Role(field, place, (("date", form.text), *never))
    alone = date_form(dates[:1])
    guess = next(iter(form.several or alone.several), alone.text)
    return Role(field, place, (("date", guess), *never), form.why, proposed=True)


def _examples(cells: Sequence[str]) -> str:
    known = list(dict.fromkeys(cell for cell in cells if cell))
    return ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
