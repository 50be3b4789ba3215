"""A scope as a plain dictionary: the smallest real snapshot, and the server that plans are carried out on."""

import pytest

from mailsync.core.fields import FIELD_NAMES
from mailsync.core.model import Place, Records, Repository, Scope, Volume
from mailsync.core.plan import Action

LTO = Scope("US01", "LTO")
PLACES = ("LIBR", "OFFS", "RACK")


class Shelf:
    """Volumes by name. `carry_out` does what a server does with the steps of a plan."""

    def __init__(self, volumes=None, scope=LTO):
        self.scope, self.epoch, self.version = scope, bytes(16), 7
        self.volumes = dict(volumes or {})
        self.repositories = {name: Repository(name, f"{name} room", offsite=name == "OFFS") for name in PLACES}

    @property
    def size(self):
        return len(self.volumes)

    def rows(self, fields):
        columns = [FIELD_NAMES.index(field) for field in fields]
        for name in sorted(self.volumes):
            yield (name, *(self.volumes[name][column] for column in columns))

    def lookup(self, volumes, fields):
        known = {row[0]: row for row in self.rows(fields)}
        return [known[name] for name in volumes if name in known]

    def inside(self, container):
        return [name for name, held in ((row[0], row[1]) for row in self.rows(("container",))) if held == container]

    def carry_out(self, steps):
        for step in steps:
            volume = self.volumes.get(step.volume, Volume())
            if step.action is Action.SKIP:
                continue
            if step.action is Action.CONFIRM:
                volume = volume._replace(confirmed_repository=step.after, current_repository=step.after)
            else:
                volume = volume._replace(**{step.field: step.after})
            self.volumes[step.volume] = volume


@pytest.fixture(scope="session")
def shelf():
    return Shelf


@pytest.fixture(scope="session")
def records():
    """Records from `{volume: {field: value}}`, one line each, in the given order."""

    def make(said, *, scope=LTO, attachment="a.csv", mail="<1@example.com>"):
        fields = tuple(name for name in FIELD_NAMES if any(name in values for values in said.values()))
        lines = tuple(range(2, len(said) + 2))
        return Records(
            scope,
            fields,
            tuple(said),
            tuple(tuple(values.get(name) for name in fields) for values in said.values()),
            lines,
            lines,
            (Place(mail, attachment),),
            (0,) * len(said),
        )

    return make
