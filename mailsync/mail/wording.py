"""What a reply says in sentences: its subject, its headline, and what to do next, each chosen by the verdict.

Strategy: the words are here and not in the templates, so that mail, terminal and lists say the same. A subject has
the verdict first and the route last, and loses figures rather than either when it grows too long. The courier's says
what there is to do, and nothing of problems that are not the courier's.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailsync.core.guard import GRANTS, Objection
from mailsync.core.summary import Leg, Summary, Verdict, changed
from mailsync.mail.shown import one_line, plural, shortened

MAX_SUBJECT = 160
_MAX_SCOPES = 3
_OTHER_LIMITS = {"max_share_moved": "raise", "max_share_problems": "raise", "min_rows": "lower"}


def subject_line(summary: Summary) -> str:
    """The reply's subject: verdict, scopes, counts, route; one line of at most 160 characters."""
    names = [str(scope) for scope in summary.scopes]
    some = {Verdict.FAILED: "not done", Verdict.PARTLY: "refused"}.get(summary.verdict)
    if some:
        undone_first = sorted(summary.states, key=lambda state: state.done)
        names = [f"{state.scope} {'done' if state.done else some}" for state in undone_first]
    between = ", " if some else " "
    said = between.join(part for part in (_some(names), ", ".join(_counted(summary))) if part)
    return _bounded(f"[mailsync] {_word(summary)}: {said}", summary)


def courier_subject(summary: Summary) -> str:
    """The subject of a pick list: how much there is to move, and what was called off."""
    scopes = _some(sorted({leg.scope for leg in (*summary.legs, *summary.cancelled)}))
    moved, cancelled = moves_in(summary.legs), moves_in(summary.cancelled)
    said = [f"{moved or 'nothing'} to move", *([f"{cancelled} cancelled"] if cancelled else [])]
    return _bounded(f"[mailsync] pick list: {' '.join(part for part in (scopes, ', '.join(said)) if part)}", summary)


def _some(names: list[str]) -> str:
    hidden = len(names) - _MAX_SCOPES
    return ", ".join(names[:_MAX_SCOPES] + ([f"{hidden} more scopes"] if hidden > 0 else []))


def _bounded(text: str, summary: Summary) -> str:
    route = shortened(one_line(f" ({summary.route})"), 60)
    return shortened(one_line(text), MAX_SUBJECT - len(route)) + route


def _word(summary: Summary) -> str:
    if summary.verdict is Verdict.PROBLEMS:
        return "done" if changed(summary) else f"no change{_alerted(summary)}"
    word: str = summary.verdict.value
    return f"{word}{_alerted(summary)}" if summary.verdict is Verdict.UNCHANGED else word


def _alerted(summary: Summary) -> str:
    """What is said beside "no change", which must not sound as if all were well."""
    alerts = len(summary.alerts) + summary.more_alerts
    return f", {plural(alerts, 'alert')}" if alerts else ""


def _counted(summary: Summary) -> list[str]:
    counts = summary.counts
    done = (
        (counts.moved, "moved"),
        (counts.cancelled, "cancelled"),
        (counts.seen, "seen elsewhere"),
        (counts.added, "added"),
        (counts.changed, "changed"),
        (counts.confirmed, "confirmed"),
    )
    said = [f"{count} {word}" for count, word in done if count]
    if summary.verdict in (Verdict.REFUSED, Verdict.PARTLY):
        said.append(_refused(summary))
    if summary.verdict is Verdict.UNCHANGED:
        said.append(f"{counts.unchanged} unchanged")
    alerts = 0 if _alerted(summary) in _word(summary) else len(summary.alerts) + summary.more_alerts
    troubles = ((_problem_count(summary), "problem"), (alerts, "alert"))
    return said + [plural(count, noun) for count, noun in troubles if count]


def _refused(summary: Summary) -> str:
    if _nothing_read(summary):
        return "nothing could be read"
    moves = moves_in(summary.pending)
    return f"{moves} would move" if moves else f"{summary.counts.pending} not applied"


def _nothing_read(summary: Summary) -> bool:
    """True when no row of the mail could be used."""
    counts = summary.counts
    return counts.read == counts.skipped + counts.refused


def headline(summary: Summary) -> str:
    """The verdict as a sentence."""
    problems = plural(_problem_count(summary), "problem")
    states = summary.states
    done = sum(state.done for state in states)
    return {
        Verdict.DONE: "Done: the server now says what the report says.",
        Verdict.UNCHANGED: f"No change{_alerted(summary)}: the server already says what the report says.",
        Verdict.PROBLEMS: f"Done, except for {problems}.",
        Verdict.PARTLY: f"Refused in part: {done} of {plural(len(states), 'scope')} done.",
        Verdict.REFUSED: "Refused: nothing was applied.",
        Verdict.FAILED: f"Not finished: {done} of {plural(len(states), 'scope')} done.",
    }[summary.verdict]


def _problem_count(summary: Summary) -> int:
    return len(summary.problems) + summary.unlisted


def moves_in(legs: Iterable[Leg]) -> int:
    """How many moves the legs have together."""
    return sum(len(leg.moves) for leg in legs)


def advice(summary: Summary) -> tuple[str, ...]:
    """What to do next, verdict by verdict; nothing when nothing is to be done."""
    said = []
    if summary.verdict in (Verdict.REFUSED, Verdict.PARTLY):
        said += _advice_nothing_read(summary) if _nothing_read(summary) else _advice_refused(summary)
    if summary.verdict is Verdict.FAILED:
        said.append(f"The mail is held; to look at it: mailsync held show {one_line(summary.run)[:16]}")
        said.append("When the cause is gone, send the report again, as a new mail: what is done is not done twice.")
    if summary.problems and summary.verdict is Verdict.PROBLEMS:
        said.append(
            "Correct what is listed under Problems (in the report, in its definition, or on the server) and send the "
            "report again, as a new mail: volumes that are as it says are left alone."
        )
    if summary.alerts:
        said.append("Look for the volumes listed under Alerts: they are not where they should be.")
    return tuple(said)


def _advice_nothing_read(summary: Summary) -> list[str]:
    sections = (("Problems", summary.problems), ("Notes", summary.notes))
    named = " and ".join(name for name, found in sections if found) or "the figures above"
    return [f"Nothing could be read: see {named}. Have the report sent again, as a new mail."]


def _advice_refused(summary: Summary) -> list[str]:
    guards = [one for one in summary.objections if one.guard != GRANTS]
    said = ["If the report is wrong: correct it and send it again, as a new mail."]
    if guards:
        limits = " and ".join(dict.fromkeys(_other_limit(one) for one in guards))
        place = f"in the guards of route {one_line(summary.route)} in mailsync.yaml"
        said.append(f"If it is right: {limits} {place}, and send the report again, as a new mail.")
    customers = sorted({one.scope.customer for one in summary.objections if one.guard == GRANTS and one.scope})
    if customers:
        filters = f"'{','.join(customers)}:write'"
        said.append(
            f"If it is right: have it granted on the server (mailsync server grant add USER {filters}), and send the "
            "report again, as a new mail."
        )
    return said


def _other_limit(objection: Objection) -> str:
    """What lets a refused report pass: `raise max_share_moved`."""
    return f"{_OTHER_LIMITS.get(objection.guard, 'change')} {objection.guard}"
