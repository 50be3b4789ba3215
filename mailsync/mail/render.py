"""A summary as a mail's subject, text and HTML, through templates that a site may replace.

Strategy: everything a template is given has been made harmless and short before (view.py), so that no template, the
site's own included, can be made to lie by what a report or a volume says. HTML is escaped, text is not; an unknown
name is an error; templates run in a sandbox. Templates are looked for in the site's own folder, then in the package
(an installed wheel has them inside), then beside it (a checkout).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailsync.core.errors import ConfigurationError
from mailsync.core.summary import Summary
from mailsync.mail.moves import moves_csv
from mailsync.mail.shown import plural
from mailsync.mail.view import ReplyFacts, View, view_of
from mailsync.mail.wording import courier_subject

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment

COURIER = "courier"
TEMPLATES = ("operator", COURIER, "auditor")


class Rendered(NamedTuple):
    """A reply's subject (one line of at most 160 characters), its bodies, and the move list when it is too long.

    `csv` is empty when the bodies list every move.
    """

    subject: str
    text: str
    html: str
    csv: bytes


def environment(*, site: Path | None = None, cache: Path | None = None) -> Environment:
    """The place templates are loaded from: `site` first, if it exists.

    `cache` is a private folder (made if absent) for compiled templates; one that others may write is not used.
    """
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    folders = [folder for folder in (site, *_shipped()) if folder is not None and folder.is_dir()]
    made = SandboxedEnvironment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=_is_html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_bytecode_cache(cache) if cache is not None and _private(cache) else None,
        auto_reload=False,
    )
    made.filters |= {"fill": fill, "count": plural}
    return made


def render(templates: Environment, name: str, *, summary: Summary, facts: ReplyFacts) -> Rendered:
    """The reply to an audience whose template is `name` (`operator` means operator.txt.j2 and operator.html.j2).

    Raises ConfigurationError with the template's file and line when a template is missing or wrong.
    """
    view = view_of(summary, facts)
    if name == COURIER:
        view = view._replace(subject=courier_subject(summary))
    return Rendered(
        subject=view.subject,
        text=_settled(_render(templates, f"{name}.txt.j2", view)),
        html=_render(templates, f"{name}.html.j2", view),
        csv=moves_csv(summary) if view.csv else b"",
    )


def fill(text: str, first: str = "", rest: str | None = None) -> str:
    """The text in lines of at most 72 characters; `first` goes before the first line, `rest` before the others."""
    import textwrap

    later = first if rest is None else rest
    return textwrap.fill(text, 72, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def _render(templates: Environment, name: str, view: View) -> str:
    from jinja2 import TemplateNotFound, TemplateSyntaxError

    try:
        return templates.get_template(name).render(view._asdict())
    except TemplateNotFound as error:
        raise _fault(f"templates/{error.name}:1:1: there is no such template") from error
    except TemplateSyntaxError as error:
        raise _fault(f"templates/{error.name or name}:{error.lineno}:1: {error.message}") from error
    except Exception as error:
        raise _fault(f"{_place(error, name)}: {error}") from error


def _settled(text: str) -> str:
    """The text without blanks at line ends, and with blank lines in a row made one: empty sections leave no gap."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    kept = [line for index, line in enumerate(lines) if line or lines[index - 1]]
    return "\n".join(kept) + "\n"


def _fault(text: str) -> ConfigurationError:
    return ConfigurationError(
        (text,), hint="templates/operator.txt.j2 begins with what a template is given; run: mailsync check"
    )


def _place(error: Exception, name: str) -> str:
    """The innermost line of a template that the error passed through, as `templates/NAME:LINE:1`."""
    place = f"templates/{name}:1:1"
    frame = error.__traceback__
    while frame is not None:
        path = Path(frame.tb_frame.f_code.co_filename)
        if path.suffix == ".j2":
            place = f"templates/{path.name}:{frame.tb_lineno}:1"
        frame = frame.tb_next
    return place


def _is_html(name: str | None) -> bool:
    # Jinja's own choice goes by the last suffix, which is .j2 for both.
    return name is None or name.endswith(".html.j2")


def _shipped() -> tuple[Path, Path]:
    package = Path(__file__).resolve().parent.parent
    return package / "templates", package.parent / "templates"


def _private(folder: Path) -> bool:
    """True when nobody else can put code into the folder; it is made when absent."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _bytecode_cache(folder: Path) -> BytecodeCache:
    from jinja2 import FileSystemBytecodeCache
    from jinja2.bccache import Bucket

    class Cache(FileSystemBytecodeCache):
        """A cache that is only ever a saving: a full disk costs it, not the reply."""

        def dump_bytecode(self, bucket: Bucket) -> None:
            with suppress(OSError):
                super().dump_bytecode(bucket)

    return Cache(str(folder))
