"""The fields of a volume: names, kinds, longest values, and the one canonical text of each value.

Every value travels and is stored as text, `""` meaning unset: dates as `YYYY-MM-DD`, times as
`YYYY-MM-DDTHH:MM:SSZ` (UTC), flags as `yes` or `no`. The lengths are TapeTrack's published ones;
where it publishes none, 64 is ours.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a field's text means."""

    TEXT = "text"
    DATE = "date"
    TIME = "time"
    FLAG = "flag"
    REPOSITORY = "repository"


class Field(NamedTuple):
    """One field: its name in definitions, CSV and templates, its kind, and the characters its value may have."""

    name: str
    kind: Kind
    longest: int


# In the order of `server export`, which is also the order on the wire and in every store.
VOLUME_FIELDS: tuple[Field, ...] = (
    Field("description", Kind.TEXT, 256),
    Field("repository", Kind.REPOSITORY, 4),
    Field("current_repository", Kind.REPOSITORY, 4),
    Field("confirmed_repository", Kind.REPOSITORY, 4),
    Field("home_repository", Kind.REPOSITORY, 4),
    Field("container", Kind.TEXT, 20),
    Field("slot", Kind.TEXT, 10),
    Field("flags", Kind.TEXT, 16),
    Field("data_cluster", Kind.TEXT, 256),
    Field("system", Kind.TEXT, 10),
    Field("move_date", Kind.DATE, 10),
    Field("write_time", Kind.TIME, 20),
    Field("expiry_date", Kind.DATE, 10),
    Field("scratch", Kind.FLAG, 3),
    Field("encrypted", Kind.FLAG, 3),
)
# Extended attributes 1 to 200, beside the volume: a report may set them, and no client has a copy of them.
ATTRIBUTE, LAST_ATTRIBUTE, LONGEST_ATTRIBUTE = "attribute_", 200, 256
ATTRIBUTE_FIELDS: tuple[Field, ...] = tuple(
    Field(f"{ATTRIBUTE}{number}", Kind.TEXT, LONGEST_ATTRIBUTE) for number in range(1, LAST_ATTRIBUTE + 1)
)
ATTRIBUTE_NAMES: tuple[str, ...] = tuple(field.name for field in ATTRIBUTE_FIELDS)
KEY_FIELDS = ("customer", "media", "volume")
FIELD_NAMES: tuple[str, ...] = tuple(field.name for field in VOLUME_FIELDS)
FIELD_BY_NAME: dict[str, Field] = {field.name: field for field in (*VOLUME_FIELDS, *ATTRIBUTE_FIELDS)}

# What a report may set, attributes last. The places a volume has been seen at and its flags are the server's to keep.
SYNC_FIELDS: tuple[str, ...] = (
    "description",
    "repository",
    "home_repository",
    "container",
    "slot",
    "data_cluster",
    "system",
    "move_date",
    "write_time",
    "expiry_date",
    "scratch",
    "encrypted",
    *ATTRIBUTE_NAMES,
)
YES, NO = "yes", "no"


def same_value(kind: Kind, one: str, other: str) -> bool:
    """True when two canonical texts of a field say the same: an unset flag is `no`."""
    if kind is Kind.FLAG:
        return (one or NO) == (other or NO)
    return one == other
