"""A site whose store, journal, cache and audit trail lie on small disks, which fill up or cannot be written.

    python disk_faults.py full|read-only FOLDER      within disks.in_namespace; ends in 0 when all is as it should be

Whatever the fault: the mail stays queued, however often it is tried, nothing is held, and the error says what to do.
Once the fault is mended the same mail is applied once and answered once.
"""

from __future__ import annotations

import sys
from pathlib import Path

from crash import check, crash_site, sent_copies, two_moves
from disks import Disk
from sites import Site, served

KIB = 4096
TRIES = 4  # one more than make a poison mail of one that dies: of attempts that begin, and cannot end
# What is left on a full disk, and the tries: nothing, and as much as lets an attempt begin.
LEFT = {
    "store": ((0, TRIES),),
    "journal": ((0, 1), (36 << 10, TRIES)),
    "cache": ((0, 1),),
    "audit": ((0, 1), (4 << 10, 1)),
}
SAYS = {
    "store": "the store cannot answer now",
    "journal": "check free space, permissions",
    "cache": "check free space and permissions",
    "audit": "check free space, permissions",
}


def on_disks(site: Site) -> dict[str, Disk]:
    """Puts what a site writes on disks of their own, as one does that links state/server.db to another place."""
    state = site.folder / "state"
    for name in ("server", "journal"):
        folder = state / name
        folder.mkdir(0o700)
        for path in state.glob(f"{name}.db*"):
            path.rename(folder / path.name)
        (state / f"{name}.db").symlink_to(folder / f"{name}.db")
    places = {"store": state / "server", "journal": state / "journal", "cache": state / "cache"}
    return {name: Disk(folder, KIB) for name, folder in {**places, "audit": site.folder / "audit"}.items()}


def tried(site: Site, mail: bytes, place: str, tries: int = 1, *, sure: bool = True) -> None:
    """Tries a mail while `place` is faulty; an attempt may succeed where it is not `sure` that none can."""
    for _ in range(tries):
        done = site.filter(mail)
        said = done.stderr.decode()
        assert done.returncode == 75 or not sure, f"{place}: {done.returncode} {said}"
        if done.returncode == 0:
            return
        assert "this should not happen" not in said, f"{place}: {said}"
        assert SAYS[place] in said, f"{place}: {said}"
        assert "mailsync: hint: " in said, f"{place}: {said}"


def mended(site: Site, number: int, mail: bytes, volumes: tuple[str, str]) -> None:
    """The same mail once more: applied once, answered once."""
    done = site.filter(mail)
    assert done.returncode == 0, done.stderr.decode()
    check(site, number, volumes)
    assert len(sent_copies(site, number)) == 1, f"mail {number} was answered twice"


def disk_full(site: Site, disks: dict[str, Disk], log: Path) -> None:
    number = 1
    with served(site, log=log):
        for place, disk in disks.items():
            for left, tries in LEFT[place]:
                mail, volumes = two_moves(site, number)
                disk.fill(left)
                tried(site, mail, place, tries, sure=not left)
                disk.empty()
                mended(site, number, mail, volumes)
                number += 1
    assert "database or disk is full" in log.read_text(), "the server's log does not tell why"
    assert "the disk is full; nothing was changed" in log.read_text(), "the server's log does not say what to do"


def disk_read_only(site: Site, disks: dict[str, Disk], log: Path) -> None:
    for number, place in enumerate(("journal", "cache", "audit"), 1):
        mail, volumes = two_moves(site, number)
        with served(site, log=log):
            disks[place].read_only()
            tried(site, mail, place)
            disks[place].writable()
            mended(site, number, mail, volumes)
    disks["store"].read_only()
    refused = site.run("server", "run")
    assert refused.returncode == 75, refused.stderr
    assert b"hint: " in refused.stderr, refused.stderr
    mail, volumes = two_moves(site, 4)
    assert site.filter(mail).returncode == 75
    disks["store"].writable()
    with served(site, log=log):
        mended(site, 4, mail, volumes)


def main() -> None:
    fault, folder = sys.argv[1], Path(sys.argv[2])
    site = crash_site(folder, mails=20)
    log = folder / "server.log"
    with served(site, log=log):
        done = site.filter(two_moves(site, 0)[0])
        assert done.returncode == 0, done.stderr
    disks = on_disks(site)
    (disk_full if fault == "full" else disk_read_only)(site, disks, log)
    held = site.run("held", "list")
    assert b"no mail is held" in held.stderr, held.stdout
    verified = site.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout


if __name__ == "__main__":
    main()
