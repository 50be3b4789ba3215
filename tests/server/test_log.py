"""The log: one line per connection, in either form, and never a secret or a word of a report."""

from __future__ import annotations

import base64
import json
import sqlite3

import pytest
from listening import KEY, RING, TOKEN

from mailsync.client.failures import ServerError
from mailsync.core.cursor import Cursor
from mailsync.core.errors import MailsyncError, TemporaryError
from mailsync.server.access import ADMINISTRATOR
from mailsync.server.log import Form, Log
from mailsync.server.store import LoadRow
from mailsync.wire.batches import encode_apply
from mailsync.wire.keys import Token

AT = 1_790_000_000.0  # 2026-09-21T14:13:20Z
DESCRIPTION = "monthly payroll, do not lose"


@pytest.fixture
def store_url(tmp_path):
    """Nothing here is about the kind of store."""
    return f"sqlite:{tmp_path / 'server.db'}"


def written(form: Form, event: str, **values) -> str:
    lines: list[str] = []
    Log(lines.append, form=form, clock=lambda: AT).event(event, **values)
    (line,) = lines
    return line


def test_an_event_is_logfmt_with_quotes_where_they_are_needed():
    assert (
        written(Form.LOGFMT, "connection", peer="[2001:db8::1]:5000", user="", requests=2, seconds=0.12345, end="bye")
        == "time=2026-09-21T14:13:20Z event=connection peer=[2001:db8::1]:5000 user=- requests=2 seconds=0.123 end=bye"
    )
    assert written(Form.LOGFMT, "x", cause='a "b"\nend=bye é') == (
        'time=2026-09-21T14:13:20Z event=x cause="a \\"b\\"\\nend=bye \\u00e9"'
    )


def test_an_event_is_one_json_object():
    line = written(Form.JSON, "connection", peer="192.0.2.7:1", user="", cause="two\nlines", seconds=0.5)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-09-21T14:13:20Z",
        "event": "connection",
        "peer": "192.0.2.7:1",
        "user": "",
        "cause": "two\nlines",
        "seconds": 0.5,
    }


def test_a_value_without_an_end_is_cut():
    assert len(written(Form.LOGFMT, "x", cause="y" * 10**6)) < 1100


def test_a_fault_is_told_by_kind_and_place_and_never_by_its_words():
    lines: list[str] = []
    try:
        int(DESCRIPTION)
    except ValueError as error:
        Log(lines.append).fault(error, key="site")
    (line,) = lines
    assert " event=fault key=site error=ValueError places=" in line
    assert "test_log.py:" in line
    assert DESCRIPTION not in line


def conversations(served, library, make_batch, move, monkeypatch) -> None:
    """Everything that is logged: a good session, every refusal, a store that fails, a fault that quotes a row."""
    with served.link() as link:
        (page,) = link.sync(library.scopes(ADMINISTRATOR)[0].scope, Cursor(), 0)
        assert any(DESCRIPTION in row for row in page.rows)
        link.apply(encode_apply(make_batch(move("A2", description=DESCRIPTION + " 2"))))
        with pytest.raises(MailsyncError):
            link.apply(encode_apply(make_batch(move("A3", description=DESCRIPTION + " 3"))))
    for wrong in (Token("filter", b"w" * 32), Token("nobody", TOKEN.secret)):
        with served.link(token=wrong) as link, pytest.raises(MailsyncError):
            link.ping()
    for key in (KEY._replace(secret=b"x" * 32), KEY._replace(id="nobody")):
        with pytest.raises(MailsyncError):
            served.link(key=key)
    for fault in (
        ValueError(DESCRIPTION),
        sqlite3.IntegrityError(DESCRIPTION),
        TemporaryError("the disk is full"),
    ):
        with served.link() as link, monkeypatch.context() as patched:

            def fail(*_, fault=fault):
                raise fault

            patched.setattr(library, "sync", fail)
            with pytest.raises(ServerError):
                list(link.sync(library.scopes(ADMINISTRATOR)[0].scope, Cursor(), 0))


def test_no_key_token_or_text_of_a_volume_is_ever_in_the_log(  # noqa: PLR0917 - fixtures
    serve, library, scope, make_batch, move, monkeypatch
):
    library.load(("description",), [LoadRow(scope, "A1", (DESCRIPTION,), 0)])
    served = serve()
    conversations(served, library, make_batch, move, monkeypatch)
    served.stop()
    log = "\n".join(served.log)
    assert log.count(" event=connection ") == 8
    assert log.count(" event=fault ") == 2
    assert 'cause="the disk is full"' in log
    for secret in (KEY.secret, TOKEN.secret, RING.static, b"w" * 32, b"x" * 32):
        for text in (
            secret.decode("latin-1")[:8],
            secret.hex()[:16],
            base64.b64encode(secret).decode()[:12],
            base64.b32encode(secret).decode()[:12].lower(),
        ):
            assert text not in log
    assert DESCRIPTION[:12] not in log


def test_a_line_has_the_correlation_id_that_both_ends_know(serve, scope):
    served = serve()
    with served.link() as link:
        list(link.sync(scope, Cursor(), 0))
        name, sent, received = link._session.log_id, link.sent, link.received
    served.stop()
    (line,) = served.log
    assert len(name) == 16
    assert f" key=site user=filter id={name} requests=1 " in line
    bye = link.sent - sent
    assert f" received={sent + bye} sent={received} " in line
