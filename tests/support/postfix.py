"""A private Postfix: its own configuration, queue and data, bound over the packaged places in a mount namespace.

Nothing under /etc or /var changes outside that namespace, and the packaged daemon is never started. A namespace is
needed because a user's `sendmail` (set-group-id postdrop) takes no other configuration than /etc/postfix.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_MAIN = """\
compatibility_level = 3.6
queue_directory = /var/spool/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.com
mydestination = example.com
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
recipient_delimiter = +
alias_maps =
alias_database =
local_recipient_maps =
mailbox_command = /usr/bin/procmail -a "$EXTENSION"
virtual_mailbox_domains = replies.example.com
virtual_mailbox_base = {mailboxes}
virtual_mailbox_maps = static:ops/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
maillog_file = /dev/stdout
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
local     unix - n n - - local
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
showq     unix n - n - - showq
postlog   unix-dgram n - n - 1 postlogd
"""
_START = """\
mount --bind "$1/etc" /etc/postfix
mount --bind "$1/spool" /var/spool/postfix
mount --bind "$1/lib" /var/lib/postfix
exec postfix start-fg
"""
SECONDS = 120


class Postfix(NamedTuple):
    """A running private Postfix: its SMTP port on loopback, its log, and its first process."""

    port: int
    log: Path
    process: subprocess.Popen

    def command(self, *words: str) -> str:
        """What a Postfix command prints, run where this Postfix is the system's."""
        entered = ["nsenter", "-t", str(self.process.pid), "-m", *words]
        done = subprocess.run(entered, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    def queued(self) -> int:
        """How many mails are in the queue."""
        return sum(
            line[:1].isalnum() for line in self.command("mailq").splitlines() if "Mail queue is empty" not in line
        )


def missing() -> str:
    """Why a private Postfix cannot be started here, or "" when it can."""
    if os.geteuid() != 0:
        return "needs root: a user of its own and a mount namespace"
    absent = [name for name in ("postfix", "procmail", "unshare", "nsenter") if shutil.which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "mount namespaces are not allowed here"


@contextmanager
def private_postfix(folder: Path, *, port: int, user: pwd.struct_passwd) -> Iterator[Postfix]:
    """A Postfix that delivers local mail through procmail, and replies.example.com into `folder`/mail/ops."""
    mailboxes = folder / "mail"
    for name in ("etc", "spool", "lib", "mail"):
        (folder / name).mkdir()
    shutil.chown(mailboxes, user.pw_uid, user.pw_gid)
    shutil.chown(folder / "lib", "postfix")
    (folder / "etc" / "main.cf").write_text(_MAIN.format(mailboxes=mailboxes, uid=user.pw_uid, gid=user.pw_gid))
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    for name in ("post-install", "postfix-files", "postfix-script", "dynamicmaps.cf"):
        shutil.copy(Path("/etc/postfix") / name, folder / "etc" / name)
    log = folder / "postfix.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _START, "start", str(folder)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    postfix = Postfix(port, log, process)
    try:
        wait_for(lambda: "daemon started" in log.read_text(errors="replace"), "Postfix to start", log)
        yield postfix
    finally:
        postfix.command("postfix", "stop")
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()


def wait_for(condition: Callable[[], object], what: str, log: Path) -> None:
    """Returns when the condition holds; fails with the log when it does not within two minutes."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {SECONDS} s for {what}\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.1)
