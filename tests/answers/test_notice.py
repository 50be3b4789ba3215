"""The plain mails to the operator: what they say, and what they must not."""

from mailsync.mail.notice import MAX_LOST, HeldMail, LostMail, crash_alert, given_up_notice, lost_notice

TOKEN = "abcdefghijklmnopqrstuvwxyz234567"
MAIL = HeldMail("5a" * 32, "backup@example.com", "Nightly tapes", "no route takes mails of this sender", 3)


def test_a_given_up_notice_lists_every_scope():
    notice = given_up_notice(MAIL, ("US01.LTO: done", "US01.3592: the server did not answer"))
    assert "Scopes:\n  US01.LTO: done\n  US01.3592: the server did not answer\n" in notice.text
    assert "none was reached" in given_up_notice(MAIL, ()).text


def test_a_crash_alert_ends_with_the_end_of_the_traceback():
    notice = crash_alert(MAIL, "x\n" * 50_000 + "ValueError: the end\n")
    assert "failed 3 times" in notice.text
    assert notice.text.endswith("  ValueError: the end\n")
    assert len(notice.text) < 20_000


def test_a_notice_of_lost_mails_names_each_by_run_and_subject_up_to_a_bound():
    one = LostMail("5a" * 32, "backup@example.com", f"Nightly\nBcc: x {TOKEN}", 7, ("US01.LTO", "US01.DLT"))
    notice = lost_notice([one])
    assert notice.subject == "[mailsync] lost: 1 mail was applied and lost by the server"
    assert "  5a5a5a5a5a5a5a5a  US01.LTO, US01.DLT  backup@example.com\n    Nightly Bcc: x" in notice.text
    assert TOKEN not in notice.text
    many = lost_notice([one] * (MAX_LOST + 3))
    assert many.text.count("5a5a5a5a5a5a5a5a") == MAX_LOST
    assert "and 3 more: mailsync audit lost" in many.text


def test_no_notice_shows_a_token_or_more_lines_than_it_has():
    mail = MAIL._replace(
        sender=f"sync+nightly.{TOKEN}@example.com", subject=f"x\nFrom: root {TOKEN}", reason=f"a\r\n\r\nb {TOKEN}"
    )
    plain = (given_up_notice(MAIL, ("US01.LTO: done",)), crash_alert(MAIL, "Error: x"))
    notices = (
        given_up_notice(mail, (f"US01.LTO: {TOKEN}\n",)),
        crash_alert(mail, f"Error: sync+nightly.{TOKEN}@example.com {TOKEN}"),
    )
    for notice, expected in zip(notices, plain, strict=True):
        assert TOKEN not in notice.subject + notice.text
        assert "\n" not in notice.subject
        assert len(notice.text.splitlines()) == len(expected.text.splitlines())
