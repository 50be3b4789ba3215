"""Templates: where they are found, what they are given, and that a wrong one is named with its line."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.core.errors import ConfigurationError
from mailsync.core.model import Count, Mapped, Origin, Problem, Scope
from mailsync.core.plan import Action, Plan, Step
from mailsync.core.summarise import summarise
from mailsync.core.summary import Context, Facts, Unfinished
from mailsync.core.tally import foreseen
from mailsync.mail.moves import moves_csv, neutral
from mailsync.mail.render import TEMPLATES, environment, render
from mailsync.mail.sample import sample_facts, sample_summaries
from mailsync.mail.shown import one_line
from mailsync.mail.view import MAX_MOVES, MAX_PROBLEMS, view_of
from mailsync.mail.wording import subject_line

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
    for name in ("objections", "routes", "pending", "notes", "sources", "advice", "moved", "waiting"):
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
    mapped = Mapped("a.csv", "csv", "d", "", 1_001, 1_000, (), (), problems, ())
    rendered = render(OURS, "operator", summary=moving(1, mapped=(mapped,)), facts=FACTS)
    assert "Problems: 1000" in rendered.text
    assert "and 950 more" in rendered.text
    assert "1000 problems" in rendered.subject


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_cell_that_begins_like_a_formula_is_made_text(start):
    assert neutral(f"{start}1+1") == f"'{start}1+1"
    assert neutral(f"1{start}") == f"1{start}"
    described = Context(LTO, (), (("000001L5", f"{start}cmd"),))
    (row,) = csv.DictReader(io.StringIO(moves_csv(moving(1, contexts=(described,))).decode(), newline=""))
    assert row["description"] == f"'{start}cmd"


def test_html_is_escaped_and_text_is_not():
    described = Context(LTO, (), (("000001L5", '<b title="x">&</b>'),))
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
    described = Context(LTO, (), (("000001L5", text),))
    summary = moving(1, mapped=(mapped,), contexts=(described,), route=text, problems=(Problem(Origin(), text),))
    facts = FACTS._replace(subject=text, sender=text, message_id=text)
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
