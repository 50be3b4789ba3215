"""What a mail says itself: its text, and the HTML beside it.

the mail, or forwarded mail, has     becomes
text                                 `(body)`
text and HTML, in any order          `(body)` with the HTML as its `html`: one report in two forms
HTML, or more HTML than texts        `(html)`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mailsync.core.model import Attachment

BODY, HTML = "(body)", "(html)"


def is_html(attachment: Attachment) -> bool:
    """True for a mail's own HTML."""
    return attachment.body and attachment.content_type == "text/html"


def pair_bodies(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """The attachments in their order, each HTML put to a text of the same mail: the last before it, or the next."""
    kept: list[Attachment | None] = []
    texts: dict[str, list[int]] = defaultdict(list)
    waiting: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(attachments):
        kept.append(one)
        if not one.body:
            continue
        mail = one.path.rpartition("!/")[0]
        mine, others = (waiting, texts) if is_html(one) else (texts, waiting)
        if not others[mail]:
            mine[mail].append(index)
            continue
        other = others[mail].pop()
        text, html = (other, index) if is_html(one) else (index, other)
        kept[text], kept[html] = _both(kept[text], kept[html]), None
    return tuple(one for one in kept if one)


def _both(text: Attachment | None, html: Attachment | None) -> Attachment | None:
    return text._replace(html=html) if text else None
