"""The `routes` of a site read into values: which mails, from whom, how proved, to whom the answers go.

Every filter is compiled here, so that a mail is judged without looking at a pattern. What an MTA may pass on instead
of the recipient is the part of its address between `+` and `@`; the filter on it is cut from the recipient's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailsync.config.later import AUTHENTICATE, NOT_YET, refuse_later
from mailsync.config.route import PLACED, SENDER, Audience, Route
from mailsync.core.guard import Guards
from mailsync.core.model import CUSTOMER, MEDIA, REPOSITORY, CustomerId, MediaId, Scope
from mailsync.definition.document import Section, suggestion
from mailsync.definition.filters import FilterFault, compile_filter
from mailsync.mail.address import addresses
from mailsync.mail.sender import AllOf, AnyOf, Condition, TokenOf
from mailsync.mail.verdict import Matcher, RouteRule

MATCH = ("recipient", "from", "subject")
WHEN = ("always", "change", "problem", "failure", "never")
FORWARDED = ("read", "refuse")
TEMPLATES = ("operator", "courier", "auditor")  # an audience of such a name gets the template of its name
# A set of characters rather than a pattern: every mail reads the site, and compiling a pattern costs it time.
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_LONGEST_NAME = 64
_DEPTH = 8
_NOBODY = AnyOf(())  # a condition that nothing meets: what a faulty `authenticate` stands for


def read_routes(section: Section, tokens: Mapping[str, tuple[str, ...]]) -> tuple[Route, ...]:
    """The routes, in file order. Faults are noted in the section's list; a faulty value stands as its default."""
    routes = tuple(_route(name, section.section(name), tokens) for name in _names(section, "route"))
    bound: dict[str, str] = {}
    for route in routes:
        for token in _token_ids(route.rule.authenticate):
            holder = bound.setdefault(token, route.name)
            if holder != route.name:
                text = f'token "{token}" is bound to route "{holder}"'
                section.fault(route.name, text, "a token of its own for each route keeps each revocable")
    return routes


def _token_ids(condition: Condition) -> Iterator[str]:
    if isinstance(condition, TokenOf):
        yield condition.id
        return
    for one in condition.conditions:
        yield from _token_ids(one)


def _route(name: str, section: Section, tokens: Mapping[str, tuple[str, ...]]) -> Route:
    recipient, rule = _rule(name, section, tokens)
    audiences = _audiences(section.section("audiences"))
    places = {key: section.place(key) for key in PLACED}
    places |= {f"audiences.{audience.name}": place for audience, place in audiences}
    route = Route(
        name=name,
        rule=rule,
        definitions=section.texts("definitions"),
        scope=_scope(section.section("scope")) if section.has("scope") else None,
        repositories=_repositories(section.section("repositories")),
        add_unknown=section.boolean("add_unknown"),
        timezone=section.text("timezone", "UTC"),
        expect_every=section.duration("expect_every", 0),
        guards=_guards(section.section("guards")),
        audiences=tuple(audience for audience, _ in audiences),
        reply_from=_reply_from(section, recipient),
        places=places,
        forwarded=section.choice("forwarded", FORWARDED, "read"),
        day_first=section.boolean("day_first") if section.has("day_first") else None,
    )
    section.finish(f'route "{name}"')
    return route


def _rule(name: str, section: Section, tokens: Mapping[str, tuple[str, ...]]) -> tuple[str, RouteRule]:
    """The filter on the recipient as written, and the whole rule."""
    match = section.section("match", required=True)
    recipient = match.text("recipient")
    rule = RouteRule(
        name=name,
        recipient=_filter(match, "recipient", recipient),
        extension=_extension(recipient),
        from_=_filter(match, "from", match.text("from")),
        subject=_filter(match, "subject", match.text("subject")),
        senders=_senders(section),
        authenticate=_authenticate(section, tokens),
    )
    if section.is_section("match") and not any(match.has(key) for key in MATCH):
        section.fault("match", "a route must match something", 'recipient: "*" takes every mail')
    match.finish(f'match of route "{name}"')
    return recipient, rule


def _senders(section: Section) -> tuple[Matcher, ...]:
    texts = section.texts("senders")
    if not texts:
        section.fault("senders", '"senders" is missing', "who may send these reports: filters on the From address")
    compiled = (_filter(section, "senders", text) for text in texts)
    return tuple(one for one in compiled if one is not None)


def _authenticate(section: Section, tokens: Mapping[str, tuple[str, ...]]) -> Condition:
    if section.is_section("authenticate"):
        return _condition(section.section("authenticate"), tokens, _DEPTH)
    word = section.text("authenticate", required=True)
    if word in AUTHENTICATE:
        section.fault("authenticate", f'"{word}" is {NOT_YET}', "authenticate: {token: ID}")
    elif word:
        section.fault("authenticate", f'"{word}" is not a way to authenticate', "authenticate: {token: ID}")
    return _NOBODY


def _condition(section: Section, tokens: Mapping[str, tuple[str, ...]], depth: int) -> Condition:
    """One condition of the tree. All keys of one mapping must be met, as with `all`."""
    if not depth:
        section.fault("", f"nested deeper than {_DEPTH}")
        return _NOBODY
    later = refuse_later(section, AUTHENTICATE, "authenticate: {token: ID}")
    parts: list[Condition] = []
    if section.has("token"):
        parts.append(_token(section, tokens))
    if section.has("any"):
        parts.append(AnyOf(tuple(_condition(one, tokens, depth - 1) for one in section.sections("any"))))
    if section.has("all"):
        parts.append(AllOf(tuple(_condition(one, tokens, depth - 1) for one in section.sections("all"))))
    section.finish("authenticate")
    if not parts and not later:
        section.fault("", "nothing to authenticate by", "authenticate: {token: ID}")
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _token(section: Section, tokens: Mapping[str, tuple[str, ...]]) -> Condition:
    name = section.text("token", required=True)
    if name and name not in tokens:
        hint = suggestion(name, tokens) if tokens else f"tokens: {{{name}: {{file: keys/{name}.tokens}}}}"
        section.fault("token", f'no token "{name}" under tokens', hint)
    return TokenOf(name, tokens.get(name, ()))


def _filter(section: Section, key: str, text: str) -> Matcher | None:
    """The matcher of a filter, None for no text. Addresses and subjects match in any case."""
    if not text:
        return None
    compiled = compile_filter(text, fold=True)
    if isinstance(compiled, FilterFault):
        section.fault(key, f'"{text}" is not a filter: {compiled.text}', compiled.hint)
        return None
    return compiled.matches


def _extension(recipient: str) -> Matcher | None:
    """The matcher of what stands between `+` and `@`; None where the recipient's filter says nothing of it."""
    local = recipient.rpartition("@")[0] or recipient
    text = "*" if local == "*" else local.partition("+")[2]
    compiled = compile_filter(text, fold=True)
    return compiled.matches if text and not isinstance(compiled, FilterFault) else None


def _reply_from(section: Section, recipient: str) -> str:
    """The address of replies: as given, else the recipient's without its extension, as far as it has no wildcards."""
    if section.has("reply_from"):
        return _address(section, "reply_from", section.text("reply_from"))
    local, _, domain = recipient.rpartition("@")
    local = local.partition("+")[0]
    return f"{local if _plain(local) else 'mailsync'}@{domain if _plain(domain) else 'localhost'}"


def _plain(text: str) -> bool:
    """True for what can be a name in files, the ledger and addresses."""
    return 0 < len(text) <= _LONGEST_NAME and _NAME.issuperset(text) and text[0] not in "_.-"


def _address(section: Section, key: str, text: str) -> str:
    if addresses(text) != (text,):
        section.fault(key, f'"{text}" is not an address')
        return ""
    return text


def _scope(section: Section) -> Scope | None:
    customer, media = section.text("customer", required=True), section.text("media", required=True)
    for key, text, pattern in (("customer", customer, CUSTOMER), ("media", media, MEDIA)):
        if text and not pattern.match(text):
            section.fault(key, f'"{text}" is not a {key}', "1 to 4 letters or digits")
    section.finish("scope")
    if CUSTOMER.match(customer) and MEDIA.match(media):
        return Scope(CustomerId(customer), MediaId(media))
    return None


def _repositories(section: Section) -> dict[str, str]:
    found = {name: section.text(name) for name in section.keys()}  # noqa: SIM118 - a Section is no dict
    for name, text in found.items():
        if not REPOSITORY.match(text):
            section.fault(name, f'"{text}" is not a Repository-ID', "1 to 4 letters or digits")
    return found


def _guards(section: Section) -> Guards:
    usual = Guards()
    guards = Guards(
        max_share_moved=section.share("max_share_moved", usual.max_share_moved),
        max_share_problems=section.share("max_share_problems", usual.max_share_problems),
        min_rows=section.number("min_rows", usual.min_rows),
        always_allowed=section.number("always_allowed", usual.always_allowed),
    )
    section.finish("guards")
    return guards


def _audiences(section: Section) -> tuple[tuple[Audience, tuple[int, int]], ...]:
    """Every audience, with the place of what names its template."""
    return tuple(_audience(name, section.section(name)) for name in _names(section, "audience"))


def _audience(name: str, section: Section) -> tuple[Audience, tuple[int, int]]:
    to = tuple(_address(section, "to", text) for text in section.texts("to"))
    if name == SENDER and section.has("to"):
        section.fault("to", "the sender is known by the mail", 'remove "to", or name the audience otherwise')
    if name != SENDER and not to:
        section.fault("to", f'audience "{name}" has nobody to write to', "to: [ops@example.com]")
    usual = name if name in TEMPLATES else TEMPLATES[0]
    template = section.text("template", usual)
    if not _plain(template):
        section.fault("template", f'"{template}" is not the name of a template', "known here: " + ", ".join(TEMPLATES))
    when = section.choice("when", WHEN, "always")
    section.finish(f'audience "{name}"')
    return Audience(name, to, when, template), section.place("template")


def _names(section: Section, noun: str) -> Iterator[str]:
    """The keys, which become names in the journal, the ledger and files of the archive."""
    for name in section.keys():  # noqa: SIM118 - a Section is no dict
        if not _plain(name):
            section.fault(name, f'"{name}" is not a name for a {noun}', "letters, digits, dot, hyphen, underscore")
        yield name
