"""`mailsync explain`: a mail decided and not done; nothing moves, nothing is kept, nobody is written to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mailsync.cli.main import add_config
from mailsync.cli.source import TooLargeError, read_input
from mailsync.mail.shown import plural

if TYPE_CHECKING:
    import argparse

    from mailsync.config.site import Site
    from mailsync.core.model import Problem
    from mailsync.core.plan import Plan
    from mailsync.flow.foresee import Foreseen

_EXAMPLE = """\
example:
  mailsync explain --recipient sync+nightly.TOKEN@example.com report.eml
  mailsync explain --json < report.eml

ends in 0 when the mail would be processed without a problem or objection, 1 otherwise, 75 without server and cache
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = _EXAMPLE
    parser.add_argument("file", metavar="FILE", nargs="?", help="the mail; else stdin")
    parser.add_argument(
        "--recipient", default="", metavar="ADDR", help='the envelope recipient, or what follows its "+"'
    )
    parser.add_argument("--sender", metavar="ADDR", help="the envelope sender")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_config(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints what the mail would do; 0, or 1 when it has problems, objections, or would not be processed."""
    from mailsync.config.site import find_config, load_site

    seen = _foreseen(load_site(find_config(arguments.config)), arguments)
    if arguments.json:
        print(json.dumps(_document(seen), indent=2))
    else:
        _print(seen)
    summary = seen.summary
    return 0 if summary is not None and not summary.problems and not summary.objections else 1


def _foreseen(site: Site, arguments: argparse.Namespace) -> Foreseen:
    from mailsync.config.ownership import require_owner
    from mailsync.flow.foresee import Foreseen, foresee
    from mailsync.flow.world import World
    from mailsync.mail.verdict import Action, Envelope, Verdict

    most = site.limits.mail_size
    try:
        mail = read_input(arguments.file, most)
    except TooLargeError:
        return Foreseen(Verdict(Action.HOLD, f"larger than mail_size: {most} bytes"))
    require_owner(site.state)  # a journal, a cache and compiled templates may be made there
    with World(site) as world:
        return foresee(mail, Envelope(arguments.recipient, arguments.sender), world)


def _document(seen: Foreseen) -> dict[str, Any]:
    """The document of docs: keys that scripts rely on."""
    verdict, decision, summary = seen.verdict, seen.decision, seen.summary
    plans = [one.plan for one in decision.scopes] if decision else []
    records = decision.facts.merged.records if decision else ()
    return {
        "verdict": {"action": verdict.action.value, "reason": verdict.reason, "route": verdict.route},
        "attachments": [
            {"name": one.attachment, "kind": one.kind, "definition": one.definition, "rows": one.read}
            for one in (summary.attachments if summary else ())
        ],
        "records": sum(len(one.volumes) for one in records),
        "problems": _findings(summary.problems if summary else ()),
        "plan": {
            "id": decision.facts.plan if decision else "",
            "steps": [step for plan in plans for step in _steps(plan)],
        },
        "objections": [
            {"guard": one.guard, "text": one.text, "scope": str(one.scope or "")}
            for one in (decision.facts.objections if decision else ())
        ],
        "alerts": _findings(summary.alerts if summary else ()),
        "notes": _findings(summary.notes if summary else ()),
        "replies": [
            {"audience": one.audience, "to": list(one.to), "subject": one.rendered.subject} for one in seen.letters
        ],
        "cached": [str(scope) for scope in seen.stale],
    }


def _steps(plan: Plan) -> list[dict[str, str]]:
    return [
        {
            "action": step.action.value,
            "volume": f"{plan.scope}.{step.volume}",
            "field": step.field,
            "from": step.before,
            "to": step.after,
            "reason": step.reason,
            "origin": str(step.origin),
        }
        for step in plan.steps
    ]


def _findings(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    return [{"origin": str(one.origin), "text": one.text, "hint": one.hint} for one in problems]


def _print(seen: Foreseen) -> None:
    verdict = seen.verdict
    print(f"verdict      {verdict.action.value}: {verdict.reason}")
    if seen.decision is None or seen.summary is None:
        return
    for one in seen.summary.attachments:
        print(f"attachment   {one.attachment}: {one.kind}, read by {one.definition}, {plural(one.read, 'row')}")
    for scope in seen.stale:
        print(f"cache        {scope} as last seen: the server did not answer")
    print(f"plan         {seen.decision.facts.plan[:16]}")
    for plan in (decided.plan for decided in seen.decision.scopes):
        for step in plan.steps:
            change = f"{step.field} {step.before or '-'} -> {step.after or '-'}"
            print(f"  {step.action.value:8} {plan.scope}.{step.volume:11} {change}   {step.origin}")
    for letter in seen.letters:
        print(f"reply        to {letter.audience} ({', '.join(letter.to)}): {letter.rendered.subject}\n")
        print(letter.rendered.text)
