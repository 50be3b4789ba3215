"""The truth table of server/rules.py, leaf by leaf."""

from __future__ import annotations

import pytest

from mailsync.core.fields import FIELD_BY_NAME
from mailsync.core.model import Volume
from mailsync.core.outcome import Change, Operation, Result
from mailsync.server.rules import Standing, change_volume, settled_flags, value_fault

HERE = Volume(repository="LIBR", current_repository="LIBR", confirmed_repository="LIBR")
MOVING = HERE._replace(repository="OFFS", flags="M")
STANDING = Standing({"LIBR", "OFFS", "RACK"}, "LIBR", newer=False)


def operation(change: Change, volume: str = "A00001", **fields: str) -> Operation:
    return Operation(change, volume, tuple(fields), tuple(fields.values()), 0, 1, 1)


def update(volume: Volume | None, standing: Standing = STANDING, **fields: str):
    return change_volume(volume, operation(Change.UPDATE, **fields), standing)


def confirm(volume: Volume | None, place: str):
    return change_volume(volume, operation(Change.CONFIRM, confirmed_repository=place), STANDING)


def test_setting_the_repository_changes_the_target_and_nothing_that_was_seen():
    after, result = update(HERE, repository="OFFS")
    assert result.result is Result.OK
    assert after == HERE._replace(repository="OFFS", flags="M")


def test_a_confirmation_at_the_target_completes_the_move():
    after, result = confirm(MOVING, "OFFS")
    assert result.result is Result.OK
    assert after == Volume(repository="OFFS", current_repository="OFFS", confirmed_repository="OFFS")


def test_a_confirmation_elsewhere_is_refused_and_says_where_it_was_seen():
    after, result = confirm(MOVING, "RACK")
    assert (after, result.result) == (MOVING, Result.INVALID)
    assert result.text == "seen in RACK, but should be in OFFS"


def test_a_second_confirmation_changes_nothing():
    assert confirm(HERE, "LIBR")[1].result is Result.UNCHANGED


def test_setting_the_target_back_cancels_the_move_and_leaves_a_warning():
    after, result = update(MOVING, repository="LIBR")
    assert (result.result, after) == (Result.OK, HERE._replace(flags="W"))


def test_a_confirmation_takes_the_warning_away():
    after, _ = confirm(HERE._replace(flags="W", confirmed_repository=""), "LIBR")
    assert after == HERE


def test_redirecting_a_moving_volume_is_no_cancellation():
    assert update(MOVING, repository="RACK")[0] == MOVING._replace(repository="RACK")


def test_a_volume_that_was_never_seen_anywhere_does_not_move():
    created = Volume(repository="LIBR")
    assert update(created, repository="OFFS")[0] == Volume(repository="OFFS")


def test_a_value_that_is_there_already_is_unchanged_even_when_locked():
    assert update(HERE._replace(flags="L"), repository="LIBR")[1].result is Result.UNCHANGED


def test_an_unset_flag_equals_no():
    assert update(HERE, scratch="no")[1].result is Result.UNCHANGED


def test_a_locked_volume_is_left_alone():
    locked = HERE._replace(flags="L")
    assert update(locked, slot="7")[0] == locked
    assert update(locked, slot="7")[1].result is Result.FORBIDDEN
    assert confirm(locked._replace(confirmed_repository=""), "LIBR")[1].result is Result.FORBIDDEN


def test_an_unmovable_volume_keeps_its_target_but_takes_other_fields():
    fixed = HERE._replace(flags="l")
    assert update(fixed, repository="OFFS") == (fixed, (Result.FORBIDDEN, "the volume may not be moved"))
    assert update(fixed, slot="7")[0] == fixed._replace(slot="7")


def test_a_repository_cannot_be_unset():
    assert update(HERE, repository="")[1].result is Result.INVALID


def test_a_volume_changed_since_is_a_conflict_before_its_locks_are_looked_at():
    newer = STANDING._replace(newer=True)
    assert update(HERE._replace(flags="L"), newer, slot="7")[1].result is Result.CONFLICT


def test_a_missing_volume_is_not_found_rather_than_created():
    assert update(None, slot="7") == (None, (Result.NOT_FOUND, "no such volume"))
    assert confirm(None, "LIBR")[1].result is Result.NOT_FOUND


def test_a_new_volume_goes_to_the_given_repository_and_was_seen_nowhere():
    after, result = change_volume(None, operation(Change.CREATE, repository="RACK", slot="1"), STANDING)
    assert result.result is Result.OK
    assert after == Volume(repository="RACK", slot="1")


def test_a_new_volume_without_a_repository_gets_the_default_one():
    assert change_volume(None, operation(Change.CREATE), STANDING)[0] == Volume(repository="LIBR")


def test_a_volume_that_exists_is_not_created_again():
    assert change_volume(HERE, operation(Change.CREATE, slot="1"), STANDING)[1].result is Result.EXISTS


def test_a_volume_deleted_since_is_not_created():
    deleted = STANDING._replace(newer=True)
    assert change_volume(None, operation(Change.CREATE), deleted)[1].result is Result.CONFLICT


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"repository": "NONE"}, 'repository: repository "NONE" is unknown'),
        ({"home_repository": "NONE"}, 'home_repository: repository "NONE" is unknown'),
        ({"flags": "L"}, "flags: not a field that a report may set"),
        ({"current_repository": "LIBR"}, "current_repository: not a field that a report may set"),
        ({"nonsense": "1"}, "nonsense: not a field that a report may set"),
        ({"slot": "12345678901"}, "slot: 11 characters, at most 10"),
    ],
)
def test_what_a_field_cannot_hold_is_said_and_nothing_of_the_row_is_set(fields, text):
    after, result = update(HERE, description="new", **fields)
    assert (after, result) == (HERE, (Result.INVALID, text))


@pytest.mark.parametrize("name", ["a00001", "A", "A0000000001", "-A0001", "A00001\n", "Ä00001", ""])
def test_what_is_no_volume_is_invalid(name):
    assert change_volume(None, operation(Change.CREATE, name), STANDING)[1].result is Result.INVALID


@pytest.mark.parametrize("fields", [{}, {"repository": "LIBR"}, {"confirmed_repository": ""}, {"slot": "1"}])
def test_a_confirmation_that_is_none_is_invalid(fields):
    assert change_volume(HERE, operation(Change.CONFIRM, **fields), STANDING)[1].result is Result.INVALID


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("move_date", "2026-02-30"),
        ("move_date", "2026-1-1"),
        ("move_date", "20260101"),
        ("move_date", "\u0662\u0660\u0662\u0666-01-01"),
        ("write_time", "2026-01-31T24:00:01Z"),
        ("write_time", "2026-01-31 18:30:00Z"),
        ("scratch", "maybe"),
        ("description", "a\x00b"),
        ("description", "a\nb"),
        ("description", "a\ud800"),
        ("description", "x" * 257),
        ("flags", "L1"),
    ],
)
def test_a_value_that_is_not_canonical_is_a_fault(field, value):
    assert value_fault(FIELD_BY_NAME[field], value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("move_date", "2028-02-29"),
        ("write_time", "2026-01-31T18:30:00Z"),
        ("scratch", "yes"),
        ("encrypted", ""),
        ("description", "Bänder\tfür Köln"),
        ("description", "x" * 256),
        ("flags", "LMl"),
    ],
)
def test_a_canonical_value_is_none(field, value):
    assert value_fault(FIELD_BY_NAME[field], value) == ""


def test_flags_are_sorted_letters_and_say_moving_exactly_when_it_is():
    assert settled_flags(HERE._replace(flags="lMLL")).flags == "Ll"
    assert settled_flags(HERE._replace(repository="OFFS", flags="l")).flags == "Ml"
