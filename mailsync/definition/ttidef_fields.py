"""TapeTrack's names of fields, and ours."""

from __future__ import annotations

FIELDS = {
    "CONTAINER": "container",
    "CUSTOMER": "customer",
    "DATACLUSTER": "data_cluster",
    "DESCRIPTION": "description",
    "ENCRYPTED": "encrypted",
    "EXPIRYDATE": "expiry_date",
    "HOMEREPOSITORY": "home_repository",
    "MEDIA": "media",
    "MOVEDATE": "move_date",
    "REPOSITORY": "repository",
    "REPOSITORY_DESC": "repository_desc",
    "SCRATCH": "scratch",
    "SLOT": "slot",
    "SYSTEM": "system",
    "VOLUME": "volume",
    "WRITEDATE": "write_time",  # in TapeTrack's examples, beside SetWriteDateFormat
    "WRITETIME": "write_time",
    **{f"USER{number}": f"user{number}" for number in range(1, 10)},
}
# Fields of TapeTrack that the server here does not have.
NOT_KEPT = (
    *("GENERATION", "HIDDEN", "HOMESLOT", "INITIALREPOSITORY", "MOUNTIME", "MOUNTTIME", "MOVELOCK", "QUALITYCHECK"),
    *("READTIME", "STAGE", "STOCKID", "USAGE", "USAGECOUNT"),
)
