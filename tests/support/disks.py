"""Small disks of a test's own: file systems in memory, in a mount namespace that ends with its processes.

A program that uses them is started by `in_namespace`, as root of a user namespace: nobody has to be root for it, where
the machine allows user namespaces at all.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_UNSHARE = ("unshare", "--map-root-user", "--mount")
_BLOCK = 4096


@functools.cache
def _allowed() -> bool:
    if shutil.which("unshare") is None:
        return False
    mounting = [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(mounting, capture_output=True, check=False).returncode == 0


def in_namespace(script: Path, *words: str, seconds: int) -> subprocess.CompletedProcess:
    """The finished run of a Python script that may mount disks. Skips the test where no user may."""
    if not _allowed():
        pytest.skip("needs user namespaces (unshare --map-root-user --mount) for small disks of its own")
    command = [*_UNSHARE, sys.executable, str(script), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


class Disk:
    """A file system of so many KiB at a folder, which keeps what it held. Only within `in_namespace`."""

    def __init__(self, folder: Path, kib: int) -> None:
        self.folder = folder
        before = folder.with_name(folder.name + ".before")
        folder.rename(before)
        folder.mkdir(0o700)
        self._mount("-t", "tmpfs", "-o", f"size={kib}k,mode=0700", "none")
        shutil.copytree(before, folder, dirs_exist_ok=True)

    def fill(self, leaving: int = 0) -> None:
        """Leaves so many bytes, in whole blocks."""
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(_BLOCK))
            except OSError:
                filler.truncate(max(0, filler.tell() // _BLOCK * _BLOCK - leaving))

    def empty(self) -> None:
        """Gives back what `fill` took."""
        (self.folder / "filler").unlink()

    def read_only(self) -> None:
        """From now on nothing can be written; it must not be open for writing."""
        self._mount("-o", "remount,ro")

    def writable(self) -> None:
        """Ends `read_only`."""
        self._mount("-o", "remount,rw")

    def _mount(self, *options: str) -> None:
        subprocess.run(["mount", *options, str(self.folder)], check=True)
