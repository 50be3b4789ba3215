"""format=flowed: rows that were wrapped come out whole, and rows that were not stay what they are."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsync.mail.flowed import unflow
from mailsync.mail.unpack import UnpackLimits, unpack

ROW = b"A%05d Offsite daily kept in the vault of the second building, rack %d, until the year 2031 at least"
ROWS = b"\r\n".join(ROW % (number, 7 * number) for number in range(40))


def _body(text, more="; format=flowed", encoding="7bit"):
    head = f"From: a@example.com\nContent-Type: text/plain{more}\nContent-Transfer-Encoding: {encoding}\n\n"
    (found,) = unpack(head.encode() + text, UnpackLimits()).attachments
    return found.content


def _wrapped(row, width=72):
    """A row as a mail program wraps it: soft breaks behind a blank, lines that need it stuffed."""
    lines = []
    while len(row) > width:
        cut = row.rfind(b" ", 0, width) + 1
        lines.append(row[:cut])
        row = row[cut:]
    return b"\r\n".join(b" " + line if line.startswith((b" ", b">", b"From ")) else line for line in (*lines, row))


@pytest.mark.parametrize("width", [66, 72, 76, 78])
def test_a_row_that_was_wrapped_comes_out_whole(width):
    text = b"\r\n".join(_wrapped(row, width) for row in ROWS.split(b"\r\n"))
    assert text.count(b"\r\n") > ROWS.count(b"\r\n")
    assert _body(text) == ROWS.replace(b"\r\n", b"\n")


def test_blanks_that_were_put_before_lines_are_taken_off():
    assert (
        _body(b" > not a quotation\n From here\n  indented\nplain") == b"> not a quotation\nFrom here\n indented\nplain"
    )


def test_a_body_that_is_not_flowed_stays_byte_for_byte():
    text = b"".join(b"%-64s \r\n" % (b"A%05d Offsite" % number) for number in range(5)) + b" x \r\n"
    assert _body(text, "") == text
    assert _body(text, "; format=fixed") == text


def test_the_output_of_a_command_is_not_joined_because_a_label_says_so():
    short = b"volume pool \nA00001 daily \nA00002 weekly \n"
    padded = b"".join(b"%-70s\n" % (b"A%05d Offsite" % number) for number in range(9))
    wide = b"".join(b"%-130s\n" % (b"A%05d" % number) for number in range(2))
    for text in (short, padded, wide):
        assert _body(text) == text


def test_words_that_were_cut_for_del_sp_are_put_together_again():
    wide = b"A00001;" + b"x" * 62 + b" \n" + b"yy;Offsite\nA00002;LIBR"
    assert _body(wide, "; format=flowed; delsp=yes") == b"A00001;" + b"x" * 62 + b"yy;Offsite\nA00002;LIBR"
    assert _body(wide, "; Format=Flowed; DelSp=no") == b"A00001;" + b"x" * 62 + b" yy;Offsite\nA00002;LIBR"


def test_quotations_of_another_depth_and_signatures_are_not_joined():
    line = b"quoted words that go on and on until the right margin of it is near "
    assert _body(b">" + line + b"\n>> deeper\nmine") == b"> " + line + b"\n>> deeper\nmine"
    assert _body(b"> " + line + b"\n> and on\nmine") == b"> " + line + b"and on\nmine"
    assert _body(b"a list\n-- \nsomebody") == b"a list\n-- \nsomebody"


def test_soft_breaks_of_quoted_printable_are_joined_before():
    text = b"A00001 Offsite daily kept in the vault of the second building, rack 7, =\nuntil=20\n2031\n"
    assert _body(text, encoding="quoted-printable") == text.replace(b"=\n", b"").replace(b"=20\n", b" ")
    assert _body(b"A00001,=\nOffsite=20\n", "", encoding="quoted-printable") == b"A00001,Offsite \n"


def test_a_text_with_a_line_that_ends_in_two_blanks_is_left_as_it_is():
    rows = [b"A%05d   Offsite   %-30s Default%s" % (n, b"daily", b"  " if n == 3 else b"") for n in range(6)]
    rows[1] += b" " * 5
    text = b"1REPORT 7 \n FROM A \n" + b"\n".join(rows)
    assert _body(text) == text
    assert _body(text.replace(b"\n", b"\r\n")) == text


def test_a_row_is_not_joined_to_one_that_begins_like_it():
    rows = [
        b"A%05dL6,Offsite,%s" % (n, b"x" if n % 2 else b"the weekly full backup of the second file server ")
        for n in range(6)
    ]
    text = b"Barcode,Location,Description\n" + b"\n".join(rows)
    assert _body(text) == text


def test_it_is_counted_how_many_lines_were_joined():
    head = b"Content-Type: text/plain; format=flowed\n\n"
    for text, joined in (
        (_wrapped(ROW % (1, 7)), 1),
        (b"a \nb\nc \nd", 0),
        (b"two blanks  \n" + _wrapped(ROW % (1, 7)), 0),
    ):
        (found,) = unpack(head + text, UnpackLimits()).attachments
        assert found.joined == joined


@given(st.lists(st.sampled_from([b">", b" ", b"x", b"y" * 65, b"\n", b"\r\n", b"-- ", b"\xff\xfe"]), max_size=60))
@settings(max_examples=400, deadline=None)
def test_nothing_but_blanks_marks_and_line_ends_is_lost(pieces):
    text = b"".join(pieces)
    for delete_space in (True, False):
        kept = unflow(text, delete_space=delete_space)
        for byte in (b"x", b"y", b"-", b"\xff"):
            assert kept.count(byte) == text.count(byte)


def test_many_empty_lines_take_no_more_memory_than_their_size():
    text = b"\n" * 200_000
    tracemalloc.start()
    try:
        assert unflow(text, delete_space=False) == text
        assert tracemalloc.get_traced_memory()[1] < 6 * len(text)
    finally:
        tracemalloc.stop()
