"""Templates: where they are found, what they are given, and that a wrong one is named with its line."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.errors import ConfigurationError
from mailsync.core.guard import Objection
from mailsync.core.model import Count, Mapped, Origin, Problem, Scope
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summarise import summarise
from mailsync.core.summary import Context, Facts, Moving, Unfinished, Verdict
from mailsync.core.tally import foreseen
from mailsync.mail.moves import moves_csv, neutral
from mailsync.mail.render import TEMPLATES, environment, render
from mailsync.mail.sample import sample_facts, sample_summaries
from mailsync.mail.shown import one_line
from mailsync.mail.view import MAX_MOVES, MAX_PROBLEMS, view_of
from mailsync.mail.wording import advice, courier_subject, headline, subject_line

LTO = Scope("US01", "LTO")
OURS = environment()
FACTS = sample_facts()


def moving(count, **said):
    steps = tuple(
        Step(f"{number:06d}L5", "repository", Action.MOVE, "LIBR", "OFFS", "", Origin("", "a.csv", "", number, number))
        for number in range(1, count + 1)
    )
    plan = Plan(LTO, bytes(16), 7, 9_000, count, 0, steps, (), ())
    mapped = Mapped("a.csv", "csv", "d", "", count, 0, (), (), (), ())
    return summarise(
        Facts(**({"route": "nightly", "run": "00", "plan": "11", "mapped": (mapped,)} | said), rounds=(foreseen(plan),))
    )


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_renders_every_sample(template):
    for summary in sample_summaries():
        rendered = render(OURS, template, summary=summary, facts=FACTS)
        assert rendered.text.endswith("\n")
        assert "</html>" in rendered.html
        assert max(map(len, rendered.text.splitlines())) <= 76


def test_the_samples_say_something_of_everything():
    told = [view_of(summary, FACTS) for summary in sample_summaries()]
    for name in (
        "objections",
        "routes",
        "pending",
        "notes",
        "sources",
        "advice",
        "moved",
        "waiting",
        "cancelled",
        "seen",
    ):
        assert any(getattr(one, name) for one in told), name
    assert any(one.changes.settings and one.changes.additions for one in told)
    assert any(one.problems.total and one.alerts.total for one in told)
    assert {one.tone for one in told} == {"problems", "refused", "failed"}


def test_a_sites_own_template_comes_first_and_may_build_on_ours(tmp_path):
    (tmp_path / "operator.txt.j2").write_text(
        '{% import "parts.txt.j2" as parts %}\nOurs: {{ route }}\n{{ parts.title("Hi") }}'
    )
    rendered = render(environment(site=tmp_path), "operator", summary=moving(1), facts=FACTS)
    assert rendered.text == "Ours: nightly\nHi\n--\n"
    assert "1 volume" in rendered.html


def test_a_site_without_a_folder_of_templates_gets_ours(tmp_path):
    rendered = render(environment(site=tmp_path / "none"), "operator", summary=moving(1), facts=FACTS)
    assert "Send" not in rendered.text
    assert "Move 1 volume: LIBR -> OFFS (US01.LTO)" in rendered.text


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("one\n{{ nonsuch }}", "templates/operator.txt.j2:2:1: 'nonsuch' is undefined"),
        ("one\n\n{% if %}", "templates/operator.txt.j2:3:1: Expected an expression, got 'end of statement block'"),
        ("{{ moved + route }}", "templates/operator.txt.j2:1:1: unsupported operand"),
        ("{% include 'none.j2' %}", "templates/none.j2:1:1: there is no such template"),
        ("{{ ''.__class__.__mro__ }}", "templates/operator.txt.j2:1:1: access to attribute '__class__'"),
        ("{{ range(10 ** 9) | list }}", "templates/operator.txt.j2:1:1: Range too big"),
    ],
)
def test_a_wrong_template_is_a_fault_with_its_line(tmp_path, source, fault):
    (tmp_path / "operator.txt.j2").write_text(source)
    with pytest.raises(ConfigurationError) as caught:
        render(environment(site=tmp_path), "operator", summary=moving(1), facts=FACTS)
    assert caught.value.faults[0].startswith(fault)


def test_a_template_that_does_not_exist_is_named():
    with pytest.raises(ConfigurationError, match=r"templates/weekly\.txt\.j2:1:1: there is no such template"):
        render(OURS, "weekly", summary=moving(1), facts=FACTS)


def test_compiled_templates_are_kept_in_a_private_folder_and_used(tmp_path):
    cache = tmp_path / "cache"
    first = render(environment(cache=cache), "operator", summary=moving(1), facts=FACTS)
    assert cache.stat().st_mode & 0o777 == 0o700
    kept = {file.name: file.stat().st_mtime_ns for file in cache.iterdir()}
    assert kept
    assert render(environment(cache=cache), "operator", summary=moving(1), facts=FACTS) == first
    assert {file.name: file.stat().st_mtime_ns for file in cache.iterdir()} == kept


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_is_not_used_as_cache(tmp_path, mode):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    assert render(environment(cache=cache), "operator", summary=moving(1), facts=FACTS).text
    assert not list(cache.iterdir())


def test_a_link_or_a_file_is_not_used_as_cache(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file", "file/below"):
        assert environment(cache=tmp_path / name).bytecode_cache is None


def test_a_cache_that_cannot_be_written_costs_the_saving_and_not_the_reply(tmp_path):
    templates = environment(cache=tmp_path / "cache")
    (tmp_path / "cache").rmdir()
    assert render(templates, "operator", summary=moving(1), facts=FACTS).text


@pytest.mark.parametrize("template", TEMPLATES)
def test_up_to_two_hundred_moves_are_all_in_the_mail(template):
    rendered = render(OURS, template, summary=moving(MAX_MOVES), facts=FACTS)
    assert rendered.csv == b""
    for body in (rendered.text, rendered.html):
        assert all(f"{number:06d}L5" in body for number in range(1, MAX_MOVES + 1))


@pytest.mark.parametrize("template", TEMPLATES)
def test_more_moves_are_counted_in_the_mail_and_attached_whole(template):
    rendered = render(OURS, template, summary=moving(MAX_MOVES + 7), facts=FACTS)
    for body in (rendered.text, rendered.html):
        assert f"{MAX_MOVES:06d}L5" in body
        assert f"{MAX_MOVES + 1:06d}L5" not in body
        assert "and 7 more" in body
        assert "moves.csv" in body
    rows = list(csv.DictReader(io.StringIO(rendered.csv.decode())))
    assert [row["volume"] for row in rows] == [f"{number:06d}L5" for number in range(1, MAX_MOVES + 8)]
    assert rows[0] == {
        "scope": "US01.LTO",
        "volume": "000001L5",
        "from": "LIBR",
        "to": "OFFS",
        "action": "move",
        "state": "done",
        "description": "",
        "move_date": "",
        "place": "a.csv:1",
    }


def test_the_bound_is_on_all_pairs_together_and_each_still_says_its_count():
    summary = moving(MAX_MOVES - 1)
    (leg,) = summary.legs
    back = leg._replace(before="OFFS", after="LIBR", moves=leg.moves[:5])
    listed = [
        (route.total, len(route.moves)) for route in view_of(summary._replace(legs=(leg, back, back)), FACTS).routes
    ]
    assert listed == [(MAX_MOVES - 1, MAX_MOVES - 1), (5, 1), (5, 0)]


def test_problems_beyond_the_bound_are_counted_with_those_nobody_kept():
    problems = tuple(Problem(Origin("", "a.csv", "", line, line), "bad") for line in range(1, MAX_PROBLEMS + 4))
    mapped = Mapped("a.csv", "csv", "d", "", 1_001, 1_000, (), (), problems, (), unlisted=947)
    rendered = render(OURS, "operator", summary=moving(1, mapped=(mapped,)), facts=FACTS)
    assert "Problems: 1000" in rendered.text
    assert "and 950 more" in rendered.text
    assert "1000 problems" in rendered.subject


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_begins_like_a_formula_is_made_text(start):
    assert neutral(f"{start}1+1") == f"'{start}1+1"
    assert neutral(f"1{start}") == f"1{start}"
    described = Context(LTO, (), (Moving("000001L5", f"{start}cmd"),))
    (row,) = csv.DictReader(io.StringIO(moves_csv(moving(1, contexts=(described,))).decode(), newline=""))
    assert row["description"] == f"'{start}cmd"


def test_html_is_escaped_and_text_is_not():
    described = Context(LTO, (), (Moving("000001L5", '<b title="x">&</b>'),))
    rendered = render(OURS, "operator", summary=moving(1, contexts=(described,)), facts=FACTS)
    assert '<b title="x">&</b>' in rendered.text
    assert "&lt;b title=&#34;x&#34;&gt;&amp;&lt;/b&gt;" in rendered.html


def test_html_loads_nothing_from_anywhere():
    for summary in sample_summaries():
        for template in TEMPLATES:
            html = render(OURS, template, summary=summary, facts=FACTS).html
            for mark in ("src=", "href=", "url(", "@import", "<script", "<link", "<form"):
                assert mark not in html


@settings(max_examples=60, deadline=None)
@given(
    before=st.text(max_size=100),
    separator=st.sampled_from(["\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]),
    after=st.text(max_size=100),
)
def test_nothing_a_report_says_can_forge_a_line_of_the_reply(before, separator, after):
    text = f"{before}{separator}FORGED{separator}{after}"
    evil = Problem(Origin("", text), text, text)
    mapped = Mapped(text, text, text, text, 2, 1, (Count(text, 0),), (), (evil,), (evil,))
    described = Context(LTO, (), (Moving("000001L5", text, text),))
    summary = moving(1, mapped=(mapped,), contexts=(described,), route=text, problems=(Problem(Origin(), text),))
    facts = FACTS._replace(subject=text, sender=text, message_id=text, method=text, kept=text)
    for template in TEMPLATES:
        rendered = render(OURS, template, summary=summary, facts=facts)
        assert "FORGED" in rendered.text
        assert not [line for line in rendered.text.splitlines() if line.startswith("FORGED")]
        assert len(rendered.subject.splitlines()) == 1
        assert len(rendered.subject) <= 160


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=2_000))
def test_one_line_is_one_bounded_line_without_anything_unseen(text):
    line = one_line(text)
    assert len(line) <= 300
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line
    assert not {"\x1b", "\u202e", "\u2066", "\u200b", "\x00"} & set(line)
    assert one_line(line) == line


@pytest.mark.parametrize(
    ("summary", "subject"),
    [
        (moving(3), "[mailsync] done: US01.LTO 3 moved (nightly)"),
        (moving(0), "[mailsync] no change: US01.LTO 0 unchanged (nightly)"),
        (moving(0, problems=(Problem(Origin(), "x"),)), "[mailsync] no change: US01.LTO 1 problem (nightly)"),
        (moving(1, problems=(Problem(Origin(), "x"),)), "[mailsync] done: US01.LTO 1 moved, 1 problem (nightly)"),
        (
            moving(1, unfinished=(Unfinished(Scope("US01", "3592"), "down"),)),
            "[mailsync] failed: US01.3592 not done, US01.LTO done, 1 moved (nightly)",
        ),
        (
            moving(1, unfinished=tuple(Unfinished(Scope("US01", f"A{number}"), "down") for number in range(9))),
            "[mailsync] failed: US01.A0 not done, US01.A1 not done, US01.A2 not done, 7 more scopes, 1 moved (nightly)",
        ),
    ],
)
def test_a_subject_says_verdict_scopes_and_counts(summary, subject):
    assert subject_line(summary) == subject


def test_a_subject_is_bounded_and_keeps_the_route():
    subject = subject_line(moving(1, route="r" * 500))
    assert len(subject) <= 160
    assert subject.endswith("r...")


def test_a_pick_list_says_what_is_to_do_and_nothing_of_problems():
    summary = moving(3, problems=(Problem(Origin(), "x"),))
    assert render(OURS, "courier", summary=summary, facts=FACTS).subject == (
        "[mailsync] pick list: US01.LTO 3 to move (nightly)"
    )
    assert courier_subject(moving(0)) == "[mailsync] pick list: nothing to move (nightly)"
    called_off = summary._replace(legs=(), cancelled=summary.legs)
    assert courier_subject(called_off) == "[mailsync] pick list: US01.LTO nothing to move, 3 cancelled (nightly)"


def test_a_cancelled_move_is_told_to_the_courier_and_is_no_pick():
    summary = moving(1)
    called_off = summary._replace(
        legs=(), cancelled=tuple(leg._replace(before="OFFS", after="LIBR") for leg in summary.legs)
    )
    rendered = render(OURS, "courier", summary=called_off, facts=FACTS)
    assert "Nothing to move." in rendered.text
    assert "Stays in LIBR: 1 volume (US01.LTO), not moved to OFFS\n  000001L5\n" in rendered.text
    assert "Stays in LIBR: 1 volume" in rendered.html
    assert "[ ]" not in rendered.text
    assert "Pick list" not in rendered.html


def test_a_volume_seen_elsewhere_is_told_to_the_operator_and_not_to_the_courier():
    summary = moving(1)
    seen = summary._replace(legs=(), seen=summary.legs)
    assert "Seen in OFFS: 1 volume (US01.LTO), expected in LIBR\n  000001L5\n" in (
        render(OURS, "operator", summary=seen, facts=FACTS).text
    )
    assert "000001L5" not in render(OURS, "courier", summary=seen, facts=FACTS).text


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_day_to_move_on_is_on_every_list(template):
    due = Context(LTO, (), (Moving("000001L5", "payroll", "2026-04-01"),))
    rendered = render(OURS, template, summary=moving(1, contexts=(due,)), facts=FACTS)
    assert "payroll, move date 2026-04-01" in rendered.text
    assert "move date 2026-04-01" in rendered.html


@pytest.mark.parametrize("kind", ["text", "html"])
def test_the_auditor_reads_how_the_mail_was_authenticated_where_it_is_kept_and_what_each_volume_is(kind):
    described = Context(LTO, (), (Moving("000001L5", "payroll"),))
    facts = FACTS._replace(method="token nightly", kept="5a5a:2,S")
    summary = moving(1, contexts=(described,))
    body = getattr(render(OURS, "auditor", summary=summary, facts=facts), kind)
    for said in ("token nightly", "5a5a:2,S", "payroll", "a.csv:1"):
        assert said in body
    without = getattr(render(OURS, "auditor", summary=summary, facts=facts._replace(method="", kept="")), kind)
    assert "Proof" not in without
    assert "Kept" not in without


def test_moves_made_are_said_to_be_on_their_way_and_others_are_not():
    assert "on their way" in render(OURS, "operator", summary=moving(1), facts=FACTS).text
    (_, refused, _) = sample_summaries()
    assert "on their way" not in render(OURS, "operator", summary=refused, facts=FACTS).text


def refused(*guards, rows=1, **said):
    """A report of that many usable rows, each a move, that these guards refuse."""
    summary = moving(rows, objections=tuple(Objection(guard, "x") for guard in guards), **said)
    counts = summary.counts._replace(moved=0, pending=rows)
    return summary._replace(legs=(), pending=summary.legs, counts=counts)


@pytest.mark.parametrize(
    ("guards", "limits"),
    [
        (["max_share_moved"], "raise max_share_moved"),
        (["max_share_problems"], "raise max_share_problems"),
        (["min_rows"], "lower min_rows"),
        (["min_rows", "max_share_moved", "max_share_moved"], "lower min_rows and raise max_share_moved"),
    ],
)
def test_a_refusal_says_which_setting_would_let_the_report_pass(guards, limits):
    said = advice(refused(*guards))
    assert said[1].startswith(f"If it is right: {limits} in the guards of route nightly in mailsync.yaml")


def test_a_report_nothing_could_be_read_of_is_to_be_sent_again_and_no_guard_is_to_be_changed():
    empty = Problem(Origin("", "a.csv"), "the attachment is empty")
    summary = refused("min_rows", rows=0, problems=(empty,), notes=(empty,))
    assert advice(summary) == (
        "Nothing could be read: see Problems and Notes. Have the report sent again, as a new mail.",
    )
    assert subject_line(summary) == "[mailsync] refused: US01.LTO nothing could be read, 1 problem (nightly)"
    assert advice(refused("min_rows", rows=0))[0].startswith("Nothing could be read: see the figures above.")


def test_a_refused_plan_without_moves_counts_what_is_not_applied():
    summary = refused("max_share_moved", rows=2)
    assert "US01.LTO 2 would move" in subject_line(summary)
    others = summary._replace(pending=())
    assert "US01.LTO 2 not applied" in subject_line(others)


def test_a_subject_counts_what_was_cancelled_and_seen_elsewhere_apart():
    summary = moving(0)
    summary = summary._replace(verdict=Verdict.DONE, counts=summary.counts._replace(moved=1, cancelled=2, seen=3))
    assert subject_line(summary) == "[mailsync] done: US01.LTO 1 moved, 2 cancelled, 3 seen elsewhere (nightly)"


def test_the_list_as_csv_has_every_kind_of_leg():
    summary = moving(1)
    summary = summary._replace(cancelled=summary.legs, seen=summary.legs, pending=summary.legs)
    rows = csv.DictReader(io.StringIO(moves_csv(summary).decode()))
    assert [(row["action"], row["state"]) for row in rows] == [
        ("move", "done"),
        ("cancel", "done"),
        ("seen", "done"),
        ("move", "pending"),
    ]


@pytest.mark.parametrize("which", ["legs", "cancelled", "seen", "pending"])
def test_any_list_too_long_for_a_mail_is_attached(which):
    summary = moving(MAX_MOVES + 1)
    assert view_of(summary._replace(legs=())._replace(**{which: summary.legs}), FACTS).csv


def test_the_figures_shown_add_up_to_the_rows_read():
    for summary in sample_summaries():
        read, *figures = view_of(summary, FACTS).figures
        assert read.rows == sum(figure.rows for figure in figures if not figure.depth)
        (matched,) = [figure.rows for figure in figures if figure.label == "match a volume"]
        assert matched == sum(figure.rows for figure in figures if figure.depth)


def test_no_change_with_alerts_says_so_in_the_subject_and_in_the_first_line():
    alerts = (Problem(Origin(), "x"), Problem(Origin(), "y"))
    summary = moving(0)._replace(alerts=alerts)
    assert subject_line(summary) == "[mailsync] no change, 2 alerts: US01.LTO 0 unchanged (nightly)"
    assert headline(summary).startswith("No change, 2 alerts: ")
    summary = summary._replace(more_alerts=3, problems=alerts, verdict=Verdict.PROBLEMS)
    assert subject_line(summary) == "[mailsync] no change, 5 alerts: US01.LTO 2 problems (nightly)"
