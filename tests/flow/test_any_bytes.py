"""Whatever comes on stdin: it ends in 0 or 75, and the mail is in exactly one place."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sites import extract, library_csv, load, make_site, report_mail, served, volume_names

from mailsync.client.journal import DONE, HELD, OPEN
from mailsync.config.site import load_site
from mailsync.core.errors import MailsyncError
from mailsync.flow.intake import deliver, judged
from mailsync.flow.world import World
from mailsync.mail.verdict import Action, Envelope

NUMBERS = count(1)
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = make_site(tmp_path_factory.mktemp("bytes") / "site")
    load(made, library_csv(50))
    with served(made):
        yield made


def places(world: World, run: bytes) -> list[str]:
    """Where the mail of a run is: among those dealt with, among the held, or still with the MTA."""
    known = world.journal.find(run)
    path = world.archive.find(run)
    assert path is not None
    if known.state == OPEN:
        return ["queue"]
    assert {DONE: "cur", HELD: "new"}[known.state] == path.parent.name
    return [known.state]


def deal_with(site, mail: bytes) -> None:
    with World(load_site(site.config)) as world:
        envelope = Envelope(site.recipient)
        intake = judged(mail, envelope, world)
        try:
            ending = deliver(mail, envelope, world)
        except MailsyncError:
            assert places(world, intake.run) == ["queue"]
        else:
            if ending.action is Action.DUPLICATE:
                # What names it came before, and is there; this copy differs in what names nothing.
                assert places(world, intake.run) == ["done"]
                return
            assert places(world, intake.run) in (["done"], ["held"])
        audit = site.folder / "audit"
        copies = [path for path in audit.rglob(f"{intake.run.hex()}*") if ".Replies" not in str(path)]
        assert [path.read_bytes() for path in copies] == [mail]


@RELAXED
@given(mail=st.binary(max_size=3000))
def test_random_bytes_are_dealt_with(site, mail):
    deal_with(site, mail)


@RELAXED
@given(data=st.data())
def test_mails_damaged_anywhere_are_dealt_with(site, data):
    name = volume_names(50)[data.draw(st.integers(0, 49))]
    target = data.draw(st.sampled_from(["LIBR", "OFFS", "RACK", "", "é", "NOWHERE"]))
    mail = bytearray(report_mail(site, extract([(name, target)]), number=next(NUMBERS)))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, 2000)) % len(mail)
        if data.draw(st.booleans()):
            mail[at] = data.draw(st.integers(0, 255))
        else:
            del mail[at : at + data.draw(st.integers(1, 80))]
    deal_with(site, bytes(mail))
