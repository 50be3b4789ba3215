"""The audit trail on disk: every mail in and every reply out, byte for byte, in a Maildir any mail program opens.

    audit/cur            mails dealt with, and those being dealt with
    audit/.Held/new      mails not acted on
    audit/.Replies/cur   replies, kept before they are sent

Strategy: names are made from the run id, so keeping the same mail twice is keeping it once. A file is written to
tmp/, synced, renamed into place, and its folder synced: a file that has its name is whole, and survives power loss.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mailsync.core.errors import TemporaryError
from mailsync.core.model import RunId

HELD, REPLIES = ".Held", ".Replies"
_CHUNK = 1 << 20
_OLD_DRAFT = 36 * 3600
_SEEN = ":2,S"  # the Maildir flag for a mail somebody has looked at


class Archive:
    """The Maildir of a site. Every method returns when its effect is on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, run: RunId, mail: bytes) -> Path:
        """Keeps the mail of a run; the path it has, also when it was kept before."""
        kept = self.find(run)
        return kept or self._write(self._folder, "cur", run.hex() + _SEEN, mail)

    def hold(self, run: RunId, mail: bytes) -> Path:
        """Moves the kept mail among the held ones; the path it has there."""
        target, kept = self._held(run), self._kept(run)
        if kept.exists():
            self._move(kept, target)
            return target
        return target if target.exists() else self._write(self._folder / HELD, "new", run.hex(), mail)

    def spool(self, head: bytes, rest: BinaryIO) -> tuple[Path, bytes]:
        """Writes a mail too large for memory to a draft on disk: its path, and the SHA-256 of the mail."""
        draft = self._folder / "tmp" / f"large.{os.getpid()}"
        state = hashlib.sha256(head)
        try:
            self._prepare(self._folder)
            with _drafted(draft) as file:
                file.write(head)
                while chunk := rest.read(_CHUNK):
                    state.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise _failed(draft, error) from error
        return draft, state.digest()

    def hold_draft(self, run: RunId, draft: Path) -> Path:
        """Moves a spooled mail among the held ones; the path it has there."""
        self._move(draft, self._held(run))
        return self._held(run)

    def release(self, run: RunId) -> None:
        """Moves a held mail back among those dealt with; nothing when it is not held."""
        held = self._held(run)
        if held.exists():
            self._move(held, self._kept(run))

    def find(self, run: RunId) -> Path | None:
        """The path of a run's mail, or None when it was not kept."""
        return next((path for path in (self._kept(run), self._held(run)) if path.exists()), None)

    def reply(self, run: RunId, audience: str) -> Path | None:
        """The path of the reply kept for an audience, or None when none was made yet."""
        path = self._reply_path(run, audience)
        return path if path.exists() else None

    def replies(self, run: RunId) -> tuple[tuple[str, Path], ...]:
        """The replies kept for a run, each with its audience."""
        found = sorted((self._folder / REPLIES / "cur").glob(f"{run.hex()}.*{_SEEN}"))
        return tuple((path.name.removeprefix(f"{run.hex()}.").removesuffix(_SEEN), path) for path in found)

    def keep_reply(self, run: RunId, audience: str, message: bytes) -> Path:
        """Keeps a reply before it is sent; the path it has."""
        return self._write(self._folder / REPLIES, "cur", self._reply_path(run, audience).name, message)

    def _kept(self, run: RunId) -> Path:
        return self._folder / "cur" / (run.hex() + _SEEN)

    def _held(self, run: RunId) -> Path:
        return self._folder / HELD / "new" / run.hex()

    def _reply_path(self, run: RunId, audience: str) -> Path:
        return self._folder / REPLIES / "cur" / f"{run.hex()}.{audience}{_SEEN}"

    def _write(self, folder: Path, part: str, name: str, content: bytes) -> Path:
        target = folder / part / name
        try:
            self._prepare(folder)
            deliver(folder, part, name, content)
        except OSError as error:
            raise _failed(target, error) from error
        return target

    def _move(self, source: Path, target: Path) -> None:
        try:
            self._prepare(target.parent.parent)
            source.rename(target)
            _sync_folder(target.parent)
            _sync_folder(source.parent)
        except OSError as error:
            raise _failed(target, error) from error

    def _prepare(self, folder: Path) -> None:
        make_maildir(self._folder)
        _remove_old_drafts(self._folder / "tmp")
        if folder != self._folder:
            make_maildir(folder)
            # Maildir++: this marks a folder within a Maildir.
            (folder / "maildirfolder").touch(mode=0o600)


def make_maildir(folder: Path) -> None:
    """Makes a Maildir, its owner's alone, where there is none yet. Raises OSError."""
    for path in (folder, folder / "tmp", folder / "new", folder / "cur"):
        path.mkdir(mode=0o700, exist_ok=True)


def deliver(folder: Path, part: str, name: str, content: bytes) -> None:
    """Writes a file into a Maildir durably: tmp, fsync, rename, fsync of the folder. Raises OSError."""
    draft = folder / "tmp" / f"{name}.{os.getpid()}"
    with _drafted(draft) as file:
        file.write(content)
    draft.rename(folder / part / name)
    _sync_folder(folder / part)


@contextmanager
def _drafted(draft: Path) -> Iterator[BinaryIO]:
    """A new private file, synced at the end; nothing of it stays if that end is not reached."""
    try:
        with open(draft, "wb", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _remove_old_drafts(folder: Path) -> None:
    """Removes what killed attempts left, as the Maildir convention has it: files in tmp/ older than 36 hours."""
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - _OLD_DRAFT:
                path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(path: Path, error: OSError) -> TemporaryError:
    hint = "check free space, permissions, and Postfix's mailbox_size_limit; the mail stays queued"
    return TemporaryError(f"cannot keep {path}: {error.strerror or error}", hint=hint)
