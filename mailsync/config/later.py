"""Keys that are documented for a later version: recognised, and refused as such rather than as unknown.

A site that sets one of them counts on something that would not happen; it is told so before a mail arrives.
"""

from __future__ import annotations

from mailsync.definition.document import Section

SITE = ("lmtp", "jobs", "trusted_hosts", "border_strips", "authserv_id")
SERVER = ("kind",)
AUTHENTICATE = ("dkim", "results", "ed25519", "local")
NOT_YET = "not in this version"


def refuse_later(section: Section, keys: tuple[str, ...], hint: str = "") -> bool:
    """Notes a fault for each of the keys that the section has; true when it has one."""
    given = [key for key in section.keys() if key in keys]  # noqa: SIM118 - a Section is no dict
    for key in given:
        section.has(key)
        section.fault(key, f'"{key}" is {NOT_YET}', hint)
    return bool(given)
