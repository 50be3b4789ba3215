"""What is administered in a store, and the values that takes: users, groups, grants, scopes, repositories, clusters.

Every change is one transaction with its entry in the ledger: a scope's own in its chain, everything else in the
site's. What the store refuses is a `store.RequestError`. Names and limits are TapeTrack's published ones; groups,
grants by filter, and a repository's next one are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from mailsync.core.model import Repository, Scope
from mailsync.server.access import Access, Asker, Grant
from mailsync.wire.passwords import TOKEN, Kdf
from mailsync.wire.scram import Verifier

REPOSITORY_KINDS = (  # TapeTrack's types; "" is one that nobody has given yet
    "Destruction",
    "Disaster Recovery",
    "Legal Hold",
    "Library",
    "Ordered",
    "Rack",
    "Scratch",
    "Transport",
    "Vault",
)
LONGEST_CUSTOMER_DESCRIPTION, LONGEST_DESCRIPTION = 40, 20  # a customer's; a media type's and a repository's
MOST_VOLUMES = 2**53 - 1
PASSWORD = "password"  # noqa: S105 - the kind of user that is no `TOKEN`


class ScopeState(NamedTuple):
    """A scope and where its life stands. `default_repository` is the target of new volumes that name none.

    `volume_filter` is what new volumes must be called ("": anything), `cap` how many volumes there may be (0: any
    number); in a `locked` media type only administrators change volumes.
    """

    scope: Scope
    description: str
    default_repository: str
    epoch: bytes
    version: int
    floor: int
    repositories_version: int
    volumes: int
    customer_description: str = ""
    volume_filter: str = ""
    cap: int = 0
    locked: bool = False


class ScopeChange(NamedTuple):
    """What to change of a scope; None stays as it is."""

    description: str | None = None
    customer_description: str | None = None
    default_repository: str | None = None
    volume_filter: str | None = None
    cap: int | None = None
    locked: bool | None = None


class RepositoryState(NamedTuple):
    """A repository, where volumes go from there by default ("": nowhere), and how many have it as their target."""

    repository: Repository
    next: str
    volumes: int


class RepositoryChange(NamedTuple):
    """What to change of a repository; None stays as it is."""

    description: str | None = None
    kind: str | None = None
    offsite: bool | None = None
    next: str | None = None


class Cluster(NamedTuple):
    """A data cluster that volumes may name."""

    id: str
    description: str = ""


def kind_of(verifier: Verifier) -> str:
    """The kind of user that it proves: TOKEN or PASSWORD."""
    return TOKEN if verifier.kdf.name == TOKEN else PASSWORD


class TokenUser(NamedTuple):
    """A machine that may log on with a token. `created` and `revoked` are Unix seconds; `revoked` 0 means live."""

    name: str
    created: int
    revoked: int


class User(NamedTuple):
    """Who may log on, with a token or a password. `email` is another name; times as in `TokenUser`.

    `digest` is true while an imported MD5 proves the user; from `upgrade_by` on (0: never) it is not enough any more.
    """

    name: str
    kind: str
    email: str
    created: int
    revoked: int
    groups: tuple[str, ...]
    digest: bool
    upgrade_by: int


class Login(NamedTuple):
    """A live user as a login finds it: what proves it, and from when on (Unix seconds, 0: never) that is not enough.

    `created` is when the user was let in: Unix seconds, later than whoever had the name before.
    """

    user: str
    verifier: Verifier
    upgrade_by: int
    created: int


class Group(NamedTuple):
    """Users who are granted things together."""

    name: str
    description: str
    members: tuple[str, ...]


class Administration(Protocol):
    """What people administer. Each method that changes something raises RequestError INVALID for what is off."""

    def scopes(self, asker: Asker) -> tuple[ScopeState, ...]:
        """Every scope that the user may read, ascending. Raises RequestError FORBIDDEN for a revoked user."""
        ...

    def add_scope(
        self,
        scope: Scope,
        *,
        description: str = "",
        repositories: Sequence[Repository] = (),
        default_repository: str = "",
    ) -> None:
        """Adds a media type, its customer where that is new, and its repositories.

        Raises RequestError INVALID when the scope exists, a name or text is off, or the default repository is not one.
        """
        ...

    def set_scope(self, scope: Scope, change: ScopeChange) -> None:
        """Changes a scope. Raises RequestError NO_SUCH_SCOPE, INVALID."""
        ...

    def repositories(self, scope: Scope) -> tuple[Repository, ...]:
        """The scope's repositories, ascending. Raises RequestError NO_SUCH_SCOPE."""
        ...

    def places(self, scope: Scope) -> tuple[RepositoryState, ...]:
        """The scope's repositories with what only the server knows of them. Raises RequestError NO_SUCH_SCOPE."""
        ...

    def add_repository(self, scope: Scope, repository: Repository) -> None:
        """Adds a repository, or changes the one of this id. Raises RequestError NO_SUCH_SCOPE, INVALID."""
        ...

    def set_repository(self, scope: Scope, name: str, change: RepositoryChange) -> None:
        """Changes a repository that is there. Raises RequestError NO_SUCH_SCOPE, INVALID."""
        ...

    def clusters(self) -> tuple[Cluster, ...]:
        """Every data cluster, ascending."""
        ...

    def add_cluster(self, cluster: Cluster) -> None:
        """Adds a data cluster, or changes the description of the one of this name."""
        ...

    def verifier(self, user: str) -> Verifier | None:
        """What proves the user's token or password, None for an unknown or revoked one; its `kdf` tells which."""
        ...

    def login(self, name: str) -> tuple[Login | None, tuple[Kdf, ...]]:
        """The live user of a name or an e-mail address, None when there is none, and how each live password is
        protected: users that do not exist are made to look like one of these.
        """
        ...

    def tokens(self) -> tuple[TokenUser, ...]:
        """Every token user, ascending by name."""
        ...

    def users(self) -> tuple[User, ...]:
        """Every user, ascending by name."""
        ...

    def add_token(self, user: str, verifier: Verifier, now: int, *, grants: Sequence[tuple[str, Access]] = ()) -> None:
        """Lets the user log on, with these grants besides those it has; one revoked before gets the new token.

        What was open before it was revoked stays without rights. Raises RequestError INVALID for a live one, and for
        what proves a password.
        """
        ...

    def rotate_token(self, user: str, successor: str, verifier: Verifier, now: int) -> None:
        """Lets a new user log on, with the grants and in the groups of one with a live token, which stays as it is.

        Raises RequestError INVALID where there is no such token, or somebody was ever called like the new one.
        """
        ...

    def revoke_token(self, user: str, now: int) -> bool:
        """Ends the user's token; False when there is no live one. Sessions already open may do nothing more."""
        ...

    def add_user(  # noqa: PLR0913 - a user
        self,
        user: str,
        verifier: Verifier,
        now: int,
        *,
        email: str = "",
        upgrade_by: int = 0,
        grants: Sequence[tuple[str, Access]] = (),
    ) -> None:
        """Lets the user log on with a token or a password, whatever the verifier is of, as `add_token` does.

        From `upgrade_by` on (Unix seconds, 0: never) an imported MD5 is not enough any more.
        """
        ...

    def set_password(self, user: str, verifier: Verifier) -> None:
        """Replaces what proves a live user's password. Raises RequestError FORBIDDEN where there is none."""
        ...

    def revoke_user(self, user: str, now: int) -> bool:
        """Ends a user of either kind; False when there is no live one."""
        ...

    def groups(self) -> tuple[Group, ...]:
        """Every group with its members, ascending."""
        ...

    def add_group(self, name: str, description: str = "") -> None:
        """Adds a group, or changes its description."""
        ...

    def remove_group(self, name: str) -> None:
        """Removes a group, its memberships and its grants."""
        ...

    def join_group(self, name: str, user: str) -> None:
        """Makes a user a member."""
        ...

    def leave_group(self, name: str, user: str) -> None:
        """Ends a membership."""
        ...

    def grants(self) -> tuple[Grant, ...]:
        """Every grant, ascending."""
        ...

    def add_grant(self, grant: Grant) -> None:
        """Adds a grant, or changes the access of the one with this holder and filter."""
        ...

    def remove_grant(self, kind: str, holder: str, customers: str) -> None:
        """Takes a grant back, at once."""
        ...
