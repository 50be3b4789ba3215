"""What captions mean: the words over the columns of tape reports, in several languages, and the field each one is.

A caption is compared without case, accents, blanks and punctuation, as a whole: `Volume_ID`, `VolumeId` and
`volume id` are one caption, `Volumes` is another. Only captions that mean one thing wherever they occur are listed:
what they decide moves tapes (by_captions.py). `PLACES` are words that make a caption one about places, whichever of
them it means; `OWNERS` say whose the volumes are, which a route's scope would contradict.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

VOLUME = "volume"
# From the one that names the piece of plastic most surely to the least: a report may have several.
_VOLUMES = (
    ("barcode", "bar code", "volume barcode", "tape barcode", "media barcode", "cartridge barcode", "barcode label"),
    ("strichcode", "code barres", "code a barres", "codigo de barras", "codice a barre", "streepjescode", "stregkode"),
    ("streckkod", "volume tag", "voltag", "vol tag", "volumetag name"),
    ("volume", "volume id", "volume name", "volume serial", "volume serial number", "volume serial no", "volser"),
    ("vol ser", "volid", "vol id", "vol", "vol name", "volsers", "serial volume", "volumen", "volume label"),
    ("cartridge", "cartridge id", "cartridge name", "cassette", "kassette", "cartouche", "cartucho"),
    ("tape", "tape id", "tape name", "tape number", "tape no", "tape label", "band", "bandnummer", "bandname", "bande"),
    ("cinta", "nastro", "fita", "band id", "bandetikett"),
    ("media id", "medium", "medium id", "media name", "media label", "medium name", "medium label"),
    ("medien id", "datentrager"),
)
_OTHERS = {
    "repository": (
        ("location", "current location", "media location", "tape location", "volume location", "cartridge location"),
        ("location name", "repository", "repository id", "repository name", "current repository"),
        ("vault", "vault name"),
        ("media vault", "standort", "lagerort", "aktueller standort", "ubicacion", "ubicazione", "posizione"),
        ("locatie", "localizacao", "localisation", "placering", "sijainti", "lokalizacja", "umisteni"),
    ),
    "home_repository": (("home location", "home repository", "home vault"),),
    "slot": (("slot", "slot number", "slot no", "slot id", "library slot", "vault slot", "steckplatz", "fach"),),
    "container": (("container", "container id", "container name", "behalter"),),
    "description": (
        ("description", "volume description", "media description", "tape description", "desc", "beschreibung"),
        ("descripcion", "descrizione", "omschrijving", "descricao", "beskrivning", "beskrivelse", "bezeichnung"),
    ),
    "move_date": (("move date", "next move", "next move date", "date to move", "umzugsdatum"),),
    "expiry_date": (
        ("expiry date", "expiry", "expiration", "expiration date"),
        ("expires", "expires on", "expire date", "expires at"),
        ("retain until", "retention date", "retention end", "ablaufdatum", "verfallsdatum", "ablauf"),
        ("date d expiration", "date expiration", "expire le", "fecha de caducidad", "fecha de expiracion", "caducidad"),
        ("data di scadenza", "scadenza", "vervaldatum", "data de expiracao", "validade", "utgangsdatum", "udlobsdato"),
    ),
    "write_time": (
        ("last written", "last write", "last write date", "last write time", "last written date", "write date"),
        ("last written on", "written", "written on", "write time", "date written", "time written", "last backup"),
        ("zuletzt beschrieben", "zuletzt geschrieben", "derniere ecriture", "ultima escritura", "ultima scrittura"),
        ("laatst geschreven", "senast skriven", "ultima gravacao"),
    ),
    "scratch": (("scratch", "is scratch"),),
    "encrypted": (("encrypted", "is encrypted", "verschlusselt", "chiffre", "cifrado"),),
}
PLACES = (
    *("location", "repository", "vault", "destination", "standort", "lagerort", "ubicacion", "ubicazione", "locatie"),
    *("localizacao", "localisation", "offsite", "onsite", "site", "place", "whereabouts"),
    *("to", "from", "target", "source"),
)
_WITHIN = 4  # these count within a word too: NewLocation
OWNERS = ("customer", "customerid", "kunde", "kundennummer", "mandant")


def squeezed(caption: str) -> str:
    """The caption as captions are compared: letters and digits alone, without case and accents."""
    plain = unicodedata.normalize("NFKD", caption.casefold())
    return "".join(character for character in plain if character.isalnum())


def _listed(lines: Sequence[Sequence[str]]) -> list[str]:
    return [squeezed(caption) for line in lines for caption in line]


VOLUME_RANKS = {caption: rank for rank, caption in enumerate(_listed(_VOLUMES))}
_FIELDS = {caption: field for field, lines in _OTHERS.items() for caption in _listed(lines)}
_FIELDS |= dict.fromkeys(VOLUME_RANKS, VOLUME)


def field_of(caption: str) -> str:
    """The field that the caption means, empty when it is not known."""
    return _FIELDS.get(squeezed(caption), "")


def speaks_of_places(caption: str) -> bool:
    """True for a caption with a word for places in it, as `To location` and `Vault code` have."""
    words = "".join(character if character.isalnum() else " " for character in caption.casefold()).split()
    joined = squeezed(caption).replace("allocation", "")
    return any(squeezed(word) in PLACES for word in words) or any(one in joined for one in PLACES[:_WITHIN])


def speaks_of_owners(caption: str) -> bool:
    """True for a caption that says whose a volume is."""
    return squeezed(caption) in OWNERS
