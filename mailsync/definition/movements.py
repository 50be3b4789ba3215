"""Words by which a table says which way its volumes go: beside them its captions do not say where they are.

    a caption     of a movement, a status, or one end of a pair: `Direction`, `Next`, `Status`, `Target`
    a title       of a movement: `Recall list`, `Tapes from the vault`, `to_offsite.csv`; a `Tape status` is none

Words are compared without case, accents and punctuation, in several languages: the short ones whole, the others as
beginnings, because reports say return, returned and Rückgabe, Rückholung. A few count wherever they stand: they are
parts of no other words. Too many words cost a report its reading, too few move tapes the wrong way.
"""

from __future__ import annotations

import re

from mailsync.definition.dictionary import squeezed

_LOOKED_AT = 2000
_WORD = re.compile(r"[^\W\d_]+")
_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WHOLE = frozenset(
    (
        *("to", "from", "out", "send", "sends", "sent", "sending", "moving", "lost", "collection", "collected"),
        *("nach", "von", "aus", "vers", "desde", "hacia", "para", "verso", "naar", "van", "til", "till", "fra", "fran"),
        *("envoi", "envois", "envoyes", "envio", "envios", "enviar", "invio", "rappel", "terug", "sortie", "sorties"),
    )
)
_BEGINNINGS = (
    *("return", "recall", "retriev", "eject", "ship", "pick", "pull", "distribut", "deliver", "dispatch", "despatch"),
    *("transfer", "transport", "move", "inbound", "outbound", "incoming", "outgoing", "checkin", "checkout", "rotat"),
    *("request", "missing", "destroy", "remov", "restor"),
    *("rucks", "ruckg", "ruckh", "ruckl", "zuruck", "auslager", "einlager", "versand"),
    *("versend", "abhol", "liefer", "anlieferung", "auslieferung", "umlager", "retour", "retorn", "ritorn", "retur"),
    *("expedi", "livrais", "mouvement", "devol", "recog", "recol", "movimi", "moviment", "traslad", "restitu", "spedi"),
    *("preliev", "verzend", "ophal", "verplaats", "tilbage", "tillbaka", "flytt"),
)
_ANYWHERE = ("return", "recall", "picking", "distribution", "movement")
_CAPTION_WHOLE = frozenset(
    (
        *("in", "action", "actions", "actie", "acao", "aktion", "state", "old", "new", "due", "next", "prior", "sens"),
        *("event", "ziel", "stato", "etat", "ny", "nye", "alt", "alter", "altes"),
    )
)
_CAPTION_BEGINNINGS = (
    *("status", "next", "previous", "former", "target", "destin", "planned", "proposed", "instruction", "disposition"),
    *("retired", "deleted", "operation", "activity", "transaction", "statut", "estado", "zustand", "nachst", "neu"),
    *("richtung", "bewegung", "vorgang", "prochain", "nouve", "accion", "azione", "direc", "direz", "proxim", "nuev"),
    *("origen", "origin", "provenien", "prossim", "nuov", "richting", "beweging", "volgend", "nieuw", "bestemming"),
    *("situac", "retning", "handling", "næst", "nast", "naechst", "tilstand", "tillstand"),
)
_CAPTION_ANYWHERE = (*_ANYWHERE, "direction", "status", "target")


def title_moves(text: str) -> bool:
    """True for a text above or beside a table that may say that its volumes go somewhere."""
    words = _words(text)
    return any(word in _WHOLE or word.startswith(_BEGINNINGS) for word in words) or _holds(text, _ANYWHERE)


def caption_moves(caption: str) -> bool:
    """True for a caption whose column may say which way each volume goes, or what becomes of it."""
    own = any(word in _CAPTION_WHOLE or word.startswith(_CAPTION_BEGINNINGS) for word in _words(caption))
    return own or _holds(caption, _CAPTION_ANYWHERE) or title_moves(caption)


def _words(text: str) -> list[str]:
    """The words of the text as they are compared; `NextLocation` and `next_location` are two."""
    parted = _WITHIN.sub(" ", text[:_LOOKED_AT])
    return [squeezed(word) for word in _WORD.findall(parted)]


def _holds(text: str, parts: tuple[str, ...]) -> bool:
    joined = squeezed(text[:_LOOKED_AT])
    return any(part in joined for part in parts)
