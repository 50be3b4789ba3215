"""A token that a report quotes is told to nobody, whole or in part."""

from sites import extract, library_csv, load, make_site, report_mail, served

from mailsync.core.model import Mapped
from mailsync.core.summarise import summarise
from mailsync.core.summary import Addition, Facts, Leg, Move, Setting
from mailsync.flow.masked import masked_summary
from mailsync.mail.render import environment, render
from mailsync.mail.sample import sample_facts
from mailsync.mail.sender import redact_told


def test_a_token_in_a_report_is_hidden_in_the_reply_and_in_the_journal(tmp_path):
    site = make_site(tmp_path / "site")
    load(site, library_csv(5))
    token = site.recipient.partition(".")[2].partition("@")[0]
    with served(site):
        assert (
            site.filter(
                report_mail(
                    site,
                    extract([("A00001L8", site.recipient)], captions="volume,repository"),
                    name=f"{site.recipient}.csv",
                )
            ).returncode
            == 0
        )
    (reply,) = site.replies()
    told = reply.decode().replace("=\n", "")
    assert "+...@" in told
    assert token[:12] not in told
    found = [one.name for one in site.folder.rglob("journal.db*") if token[:12].encode() in one.read_bytes()]
    assert found == []


def test_a_token_in_the_description_of_a_volume_that_moves_is_hidden_in_the_pick_list():
    moves = (Move("A00001L8", "sync+nightly.abcdefghij", "sync+nightly.abcdefghij.csv:2"),)
    leg = Leg("US01.LTO", "LIBR", "OFFS", "", "", "send", moves)
    (masked,) = masked_summary(summarise(Facts("nightly", "", ""))._replace(legs=(leg,))).legs
    assert masked.moves == (Move("A00001L8", "sync+...", "sync+....csv:2"),)


def test_a_token_in_a_change_or_in_the_name_of_what_was_read_is_hidden():
    quoted, name = "sync+nightly.abcdefghij", "sync+nightly.abcdefghij.csv"
    summary = summarise(Facts("nightly", "", "", mapped=(Mapped(name, "csv", "d", "", 1, 0, (), (), (), ()),)))
    summary = summary._replace(
        settings=(Setting("US01.LTO.A00001L8", "description", quoted, quoted, f"{name}:2"),),
        additions=(Addition("US01.LTO.A00002L8", (("description", quoted),), f"{name}:3"),),
    )
    masked = masked_summary(summary)
    assert masked.settings == (Setting("US01.LTO.A00001L8", "description", "sync+...", "sync+...", "sync+....csv:2"),)
    assert masked.additions == (Addition("US01.LTO.A00002L8", (("description", "sync+..."),), "sync+....csv:3"),)
    assert [one.attachment for one in masked.attachments] == ["sync+....csv"]
    rendered = render(environment(), "auditor", summary=masked, facts=sample_facts())
    assert "abcdefgh" not in rendered.text + rendered.html


def test_a_token_that_was_cut_is_hidden_too():
    assert redact_told("row: sync+nightly.abcdefghij") == "row: sync+..."
    assert redact_told(f"sync+nightly.{'a2' * 16}@example.com.csv") == "sync+...@example.com.csv"
    assert redact_told("A00001+1.5 and C++.net") == "A00001+1.5 and C++.net"
