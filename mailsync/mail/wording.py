"""What a reply says in sentences: its subject, its headline, and what to do next, each chosen by the verdict.

Strategy: the words are here and not in the templates, so that mail, terminal and lists say the same. A subject has
the verdict first and the route last, and loses figures rather than either when it grows too long.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailsync.core.summary import Leg, Summary, Verdict, changed
from mailsync.mail.shown import one_line, plural, shortened

MAX_SUBJECT = 160
_MAX_SCOPES = 3


def subject_line(summary: Summary) -> str:
    """The reply's subject: verdict, scopes, counts, route; one line of at most 160 characters."""
    names = [str(scope) for scope in summary.scopes]
    if summary.verdict is Verdict.FAILED:
        undone_first = sorted(summary.states, key=lambda state: state.done)
        names = [f"{state.scope} {'done' if state.done else 'not done'}" for state in undone_first]
    hidden = len(names) - _MAX_SCOPES
    listed = names[:_MAX_SCOPES] + ([f"{hidden} more scopes"] if hidden > 0 else [])
    between = ", " if summary.verdict is Verdict.FAILED else " "
    said = between.join(part for part in (", ".join(listed), ", ".join(_counted(summary))) if part)
    text = one_line(f"[mailsync] {_word(summary)}: {said}")
    route = one_line(f" ({summary.route})")
    return shortened(text, MAX_SUBJECT - len(shortened(route, 60))) + shortened(route, 60)


def _word(summary: Summary) -> str:
    if summary.verdict is Verdict.PROBLEMS:
        return "done" if changed(summary) else "no change"
    word: str = summary.verdict.value
    return word


def _counted(summary: Summary) -> list[str]:
    counts = summary.counts
    done = ((counts.moved, "moved"), (counts.added, "added"), (counts.changed, "changed"))
    said = [f"{count} {word}" for count, word in (*done, (counts.confirmed, "confirmed")) if count]
    if summary.verdict is Verdict.REFUSED:
        said.append(f"{moves_in(summary.pending)} would move")
    if summary.verdict is Verdict.UNCHANGED:
        said.append(f"{counts.unchanged} unchanged")
    troubles = ((_problem_count(summary), "problem"), (len(summary.alerts), "alert"))
    return said + [plural(count, noun) for count, noun in troubles if count]


def headline(summary: Summary) -> str:
    """The verdict as a sentence."""
    problems = plural(_problem_count(summary), "problem")
    states = summary.states
    done = sum(state.done for state in states)
    return {
        Verdict.DONE: "Done: the server now says what the report says.",
        Verdict.UNCHANGED: "No change: the server already says what the report says.",
        Verdict.PROBLEMS: f"Done, except for {problems}.",
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
    if summary.verdict is Verdict.REFUSED:
        said.append("If the report is wrong: correct it and send it again, as a new mail.")
        said.append(
            f"If it is right: raise the guard named above in route {one_line(summary.route)} of mailsync.yaml, "
            "and send the report again, as a new mail."
        )
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
