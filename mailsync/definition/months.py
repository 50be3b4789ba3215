"""The names of months, as reports in other languages write them.

Nothing is asked of the machine's locale: a definition says which language its report is in, or lists the names. The
English ones are always known. Of two names that both fit, the longer one is meant; a dot after a short name belongs
into the date's format.
"""

from __future__ import annotations

from collections.abc import Sequence

ENGLISH = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
)
# Full names, then short ones, then other short ones, each twelve.
LANGUAGES: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "da": "januar februar marts april maj juni juli august september oktober november december"
        " jan feb mar apr maj jun jul aug sep okt nov dec",
        "de": "januar februar märz april mai juni juli august september oktober november dezember"
        " jan feb mär apr mai jun jul aug sep okt nov dez"
        " jän feber mrz apr mai juni juli aug sept okt nov dez",
        "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
        " ene feb mar abr may jun jul ago sep oct nov dic"
        " ene feb mar abr may jun jul ago sept oct nov dic",
        "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
        " janv févr mars avr mai juin juil août sept oct nov déc"
        " jan fév mar avr mai jui jul aoû sep oct nov déc",
        "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
        " gen feb mar apr mag giu lug ago set ott nov dic",
        "nl": "januari februari maart april mei juni juli augustus september oktober november december"
        " jan feb mrt apr mei jun jul aug sep okt nov dec",
        "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
        " jan fev mar abr mai jun jul ago set out nov dez",
        "sv": "januari februari mars april maj juni juli augusti september oktober november december"
        " jan feb mar apr maj jun jul aug sep okt nov dec",
    }.items()
}


def month_names(more: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """(name in lower case, month from 1) of the English names and of `more`, twelve by twelve; longest first.

    A name of `more` counts before an English one of the same length.
    """
    named = [(name.lower(), place % 12 + 1) for names in (more, ENGLISH) for place, name in enumerate(names) if name]
    return tuple(sorted(named, key=lambda one: -len(one[0])))
