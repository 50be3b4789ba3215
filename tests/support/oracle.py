"""What a store of volumes should hold and answer, in plain dictionaries: written from docs/, not from its code.

It knows no SQL, no bytes and no clock. `Oracle.apply` gives what an APPLY is to be answered with and does it; loads,
deletions, expiry, grants and new epochs are told to it as they are told to the store. Flags are B, M and W; there are
no locks and no data clusters in these histories, and containers do not stand in each other.
"""

from __future__ import annotations

from typing import NamedTuple

from mailsync.core.outcome import Batch, Change, Operation, Result

PLACES = frozenset({"LIBR", "OFFS", "RACK"})
DEFAULT = "LIBR"
FORBIDDEN, NO_SCOPE, EPOCH, TOO_OLD, REUSED, STALE, OVERTAKEN = 204, 301, 601, 602, 604, 605, 606


class Answer(NamedTuple):
    """What an APPLY is answered with: an error's code, or 0 and the outcome."""

    code: int
    first: int = 0
    last: int = 0
    results: tuple[Result, ...] = ()
    carried: tuple[tuple[int, str], ...] = ()


class Recorded(NamedTuple):
    """A batch that was recorded, in the order of recording."""

    id: bytes
    hash: bytes
    run: bytes
    source: str
    asof: int
    answer: Answer


class Held:
    """One volume: its fields, the version of its last change, and the run that made it (none for a load)."""

    def __init__(self, version: int, run: bytes, **fields: str) -> None:
        self.version, self.run = version, run
        self.fields = {"repository": "", "current": "", "confirmed": "", "container": "", "slot": "", "description": ""}
        self.fields |= fields
        self.warned = self.box = False

    def flags(self) -> str:
        moving = self.fields["current"] not in ("", self.fields["repository"])
        return "".join(letter for letter, on in (("B", self.box), ("M", moving), ("W", self.warned)) if on)

    def copy(self) -> Held:
        twin = Held(self.version, self.run, **self.fields)
        twin.warned, twin.box = self.warned, self.box
        return twin


class Room:
    """One scope."""

    def __init__(self) -> None:
        self.version = self.floor = 0
        self.volumes: dict[str, Held] = {}
        self.tombstones: dict[str, int] = {}
        self.batches: list[Recorded] = []

    def copy(self) -> Room:
        twin = Room()
        twin.version, twin.floor = self.version, self.floor
        twin.volumes = {name: held.copy() for name, held in self.volumes.items()}
        twin.tombstones, twin.batches = dict(self.tombstones), list(self.batches)
        return twin


class _RefusedError(Exception):
    """The operation is refused, with all that would follow from it."""

    def __init__(self, result: Result) -> None:
        self.result = result


class Oracle:
    """Every scope, the epoch, and who may do what: `access` is "", read or write, by customer."""

    def __init__(self, scopes: tuple[str, ...], epoch: bytes) -> None:
        self.rooms = {scope: Room() for scope in scopes}
        self.epoch = epoch
        self.access = {scope[:4]: "write" for scope in scopes}
        self.effects: dict[bytes, set[tuple[str, str]]] = {}

    def copy(self) -> Oracle:
        twin = Oracle((), self.epoch)
        twin.rooms = {scope: room.copy() for scope, room in self.rooms.items()}
        twin.access = dict(self.access)
        return twin

    def volumes(self, scope: str) -> dict[str, dict[str, str]]:
        return {name: {**held.fields, "flags": held.flags()} for name, held in self.rooms[scope].volumes.items()}

    # What is administered.

    def load(self, scope: str, said: dict[str, dict[str, str]]) -> None:
        room = self.rooms[scope]
        for name in sorted(said):
            held = room.volumes.get(name)
            if held is None:
                place = said[name].get("repository") or DEFAULT
                room.version += 1
                settled = {"repository": place, "current": place, "confirmed": place}
                room.volumes[name] = Held(room.version, b"", **settled | said[name])
                room.tombstones.pop(name, None)
            elif any(held.fields[field] != value for field, value in said[name].items()):
                room.version += 1
                held.fields |= said[name]
                held.version, held.run = room.version, b""

    def delete(self, scope: str, name: str) -> bool:
        """Deletes a volume; False when it holds others, and stays."""
        room = self.rooms[scope]
        if self._contents(f"{scope}.{name}"):
            return False
        if name in room.volumes:
            del room.volumes[name]
            room.version += 1
            room.tombstones[name] = room.version
        return True

    def expire(self, scope: str, through: int) -> None:
        room = self.rooms[scope]
        old = {name: version for name, version in room.tombstones.items() if version <= min(through, room.version)}
        room.floor = max([room.floor, *old.values()])
        room.tombstones = {name: version for name, version in room.tombstones.items() if name not in old}

    # What is applied.

    def apply(self, batch: Batch, request_hash: bytes) -> Answer:
        scope = str(batch.scope)
        room = self.rooms[scope]
        for one in room.batches:  # all are of the one user there is
            if one.id == batch.id:
                return one.answer if one.hash == request_hash else Answer(REUSED)
        access = self.access[scope[:4]]
        if not access:
            return Answer(NO_SCOPE)
        if access != "write":
            return Answer(FORBIDDEN)
        if batch.epoch != self.epoch:
            return Answer(EPOCH)
        if batch.source:
            others = (one for one in room.batches if one.source == batch.source and one.run != batch.run)
            carried_out = [one for one in others if one.answer.code != OVERTAKEN]
            if carried_out and batch.asof < carried_out[-1].asof:
                return self._record(room, batch, request_hash, Answer(OVERTAKEN))
            if carried_out and carried_out[-1].answer.last > batch.base:
                return Answer(STALE)
        if not room.floor <= batch.base <= room.version:
            return Answer(TOO_OLD)
        answer = self._operate(room, scope, batch)
        return self._record(self.rooms[scope], batch, request_hash, answer)

    @staticmethod
    def _record(room: Room, batch: Batch, request_hash: bytes, answer: Answer) -> Answer:
        room.batches.append(Recorded(batch.id, request_hash, batch.run, batch.source, batch.asof, answer))
        return answer

    def _operate(self, room: Room, scope: str, batch: Batch) -> Answer:
        before = room.copy()
        changed: dict[str, set[str]] = {one: set() for one in self.rooms}
        results, carried = [], []
        for position, operation in enumerate(batch.operations):
            kept = {one: other.copy() for one, other in self.rooms.items()}
            try:
                touched = self._one(before, scope, batch, operation)
            except _RefusedError as refused:
                self.rooms |= kept
                results.append(refused.result)
                continue
            results.append(Result.OK if touched else Result.UNCHANGED)
            for place, name, moved in sorted(touched):
                changed[place].add(name)
                if moved and (place, name) != (scope, operation.volume):
                    carried.append((position, f"{place}.{name}"))
            if touched:
                self.effects.setdefault(batch.run, set()).add((scope, operation.volume))
        room = self.rooms[scope]
        version = room.version
        for place, names in changed.items():
            for name in sorted(names):
                self.rooms[place].version += 1
                held = self.rooms[place].volumes[name]
                held.version, held.run = self.rooms[place].version, batch.run
        first = version + 1 if room.version > version else version
        return Answer(0, first, room.version, tuple(results), tuple(carried))

    def _one(self, before: Room, scope: str, batch: Batch, operation: Operation) -> set[tuple[str, str, bool]]:
        """Carries out an operation; the volumes it changed, each with True when it was moved or confirmed."""
        name, said = operation.volume, dict(zip(operation.fields, operation.values, strict=True))
        held, was = self.rooms[scope].volumes.get(name), before.volumes.get(name)
        if said.get("repository", "LIBR") not in PLACES:
            raise _RefusedError(Result.INVALID)
        if operation.change is Change.CREATE:
            return self._create(before, scope, batch, operation)
        if held is None:
            raise _RefusedError(Result.NOT_FOUND)
        if was is not None and was.version > batch.base and was.run != batch.run:
            raise _RefusedError(Result.CONFLICT)
        if operation.change is Change.CONFIRM:
            return self._confirm(scope, name, said["confirmed_repository"])
        differs = {field: value for field, value in said.items() if held.fields[field] != value}
        if not differs:
            return set()
        found = self._put(f"{scope}.{name}", differs.get("container", ""))
        moved, box = "repository" in differs, held.box
        self._set(held, differs)
        if moved and box:
            found |= self._along(scope, name, lambda place, one: self._move(place, one, differs["repository"]))
        return found | {(scope, name, moved)}

    def _create(self, before: Room, scope: str, batch: Batch, operation: Operation) -> set[tuple[str, str, bool]]:
        name, said = operation.volume, dict(zip(operation.fields, operation.values, strict=True))
        room = self.rooms[scope]
        if name in room.volumes:
            raise _RefusedError(Result.EXISTS)
        if before.tombstones.get(name, 0) > batch.base:
            raise _RefusedError(Result.CONFLICT)
        said["repository"] = said.get("repository") or DEFAULT
        found = self._put(f"{scope}.{name}", said.get("container", ""))
        room.volumes[name] = Held(0, batch.run, **said)
        room.tombstones.pop(name, None)
        return found | {(scope, name, True)}

    @staticmethod
    def _set(held: Held, differs: dict[str, str]) -> None:
        if differs.get("repository", "") == held.fields["current"] != "":
            held.warned = True
        held.fields |= differs

    def _move(self, scope: str, name: str, target: str) -> bool:
        held = self.rooms[scope].volumes[name]
        if held.fields["repository"] == target:
            return False
        self._set(held, {"repository": target})
        return True

    def _confirm(self, scope: str, name: str, seen: str) -> set[tuple[str, str, bool]]:
        if not self._seen(scope, name, seen):
            return set()
        found = {(scope, name, True)}
        if self.rooms[scope].volumes[name].box:
            found |= self._along(scope, name, lambda place, one: self._seen(place, one, seen))
        return found

    def _seen(self, scope: str, name: str, seen: str) -> bool:
        held = self.rooms[scope].volumes[name]
        if held.fields["repository"] != seen:
            raise _RefusedError(Result.INVALID)
        if held.fields["current"] == held.fields["confirmed"] == seen:
            return False
        held.fields |= {"current": seen, "confirmed": seen}
        held.warned = False
        return True

    def _put(self, barcode: str, container: str) -> set[tuple[str, str, bool]]:
        """Puts a volume into a container, which must be there, and becomes one."""
        if not container:
            return set()
        scope, _, name = container.rpartition(".")
        holder = self.rooms[scope].volumes.get(name) if self.access[scope[:4]] else None
        if holder is None or container == barcode:
            raise _RefusedError(Result.INVALID)
        if holder.box:
            return set()
        if self.access[scope[:4]] != "write":
            raise _RefusedError(Result.FORBIDDEN)
        holder.box = True
        return {(scope, name, False)}

    def _along(self, scope, name, work) -> set[tuple[str, str, bool]]:
        found = set()
        inside = self._contents(f"{scope}.{name}")
        for place, one in inside:
            if self.access[place[:4]] != "write":
                raise _RefusedError(Result.FORBIDDEN)
            if work(place, one):
                found.add((place, one, True))
        return found

    def _contents(self, barcode: str) -> list[tuple[str, str]]:
        return sorted(
            (scope, name)
            for scope, room in self.rooms.items()
            for name, held in room.volumes.items()
            if held.fields["container"] == barcode
        )
