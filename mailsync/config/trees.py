"""The trees of a site's YAML files, kept beside the site's databases: a file is parsed once, not once a mail.

Importing the YAML library and parsing takes a quarter of the time that a duplicate takes. What is kept names the
SHA-256 of the text it was made from, so it can be old but never wrong. It is looked at only in a folder that nobody
else may write, as the interpreter's own compiled files are; without such a folder, every file is parsed.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailsync.definition.tree import Flaw, Kind, Tree, compose

_DIGEST = 32
_LAYOUT = f"1 {sys.implementation.cache_tag}"


def remembering(
    state: Path, name: str, *, compose: Callable[[str], Tree | Flaw] = compose
) -> Callable[[str], Tree | Flaw]:
    """A way to compose the text of the file `name` that remembers in the cache under a site's state folder."""
    folder = state / "cache" / "trees"
    kept = folder / f"{name}.tree"

    def composed(text: str) -> Tree | Flaw:
        made_of = f"{_LAYOUT} {hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"
        tree = _read(kept, made_of)
        if tree is not None:
            return tree
        found = compose(text)
        if isinstance(found, Tree) and _is_ours(state):
            _write(kept, made_of, found)
        return found

    return composed


def _read(kept: Path, made_of: str) -> Tree | None:
    if not _is_ours(kept.parent):
        return None
    try:
        content = kept.read_bytes()
        if content[:_DIGEST] != hashlib.sha256(content[_DIGEST:]).digest():
            return None  # cut short by a power failure: unmarshalling that may end the interpreter
        source, nodes = marshal.loads(content[_DIGEST:])  # noqa: S302 - only this user can have written it
        return _tree(nodes) if source == made_of else None
    except (OSError, ValueError, EOFError, TypeError):
        return None


def _write(kept: Path, made_of: str, tree: Tree) -> None:
    # A saving and no more: a full disk costs it, not the mail.
    draft = kept.with_name(f"{kept.name}.{os.getpid()}")
    with suppress(OSError):
        for folder in (kept.parent.parent, kept.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        if _is_ours(kept.parent):
            content = marshal.dumps((made_of, _plain(tree)))
            draft.touch(mode=0o600)
            draft.write_bytes(hashlib.sha256(content).digest() + content)
            draft.replace(kept)


def _is_ours(folder: Path) -> bool:
    """True for a folder of this user that no other user may write."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _plain(tree: Tree) -> tuple[Any, ...]:
    kind, value, line, column = tree
    if kind is Kind.MAPPING:
        value = tuple((_plain(key), _plain(item)) for key, item in value)
    elif kind is Kind.LIST:
        value = tuple(_plain(item) for item in value)
    return kind.value, value, line, column


def _tree(nodes: tuple[Any, ...]) -> Tree:
    kind, value, line, column = nodes
    if kind == Kind.MAPPING.value:
        return Tree(Kind.MAPPING, tuple((_tree(key), _tree(item)) for key, item in value), line, column)
    if kind == Kind.LIST.value:
        return Tree(Kind.LIST, tuple(_tree(item) for item in value), line, column)
    return Tree(Kind.TEXT, value, line, column)
