"""Whose rights are more, and whose fewer: two roles compared by what covers what.

It is no new right if an old one covers it: wildcards count, and so does a test more.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.diff.flattened import Right, property_of, rights_of
from dt_logs_cfn.diff.patterns import Reader, exact
from dt_logs_handler.documents import Json

ROLE = "AWS::IAM::Role"

# What this module compares; other properties of a role are as those of any resource.
PROPERTIES = frozenset(
    {"AssumeRolePolicyDocument", "ManagedPolicyArns", "PermissionsBoundary", "Policies"}
)


def compare_roles(
    name: str, old: Mapping[str, Json], new: Mapping[str, Json], readers: tuple[Reader, Reader]
) -> Iterator[Change]:
    """Yield what is added to, and taken from, the rights of a role; `old` may be empty.

    Raises VerifyError for policies beyond what IAM takes.
    """
    before, after = rights_of(old, readers[0]), rights_of(new, readers[1])
    found = list(_boundary(name, (old, readers[0]), (new, readers[1])))
    for gained, ones, others in ((True, after, before), (False, before, after)):
        left = [each for each in ones if not any(other.covers(each) for other in others)]
        found += _told(name, left, gained)
    yield from found
    if not found and any(_differ(old, new, each) for each in PROPERTIES):
        what = f"{name}: its policies are written otherwise, and give the same rights"
        yield Change(Level.PATCH, "right", what)


def _boundary(
    name: str, old: tuple[Mapping[str, Json], Reader], new: tuple[Mapping[str, Json], Reader]
) -> Iterator[Change]:
    before, after = (
        reader.told(property_of(each, "PermissionsBoundary")) for each, reader in (old, new)
    )
    if before == after:
        return
    if before == "null":
        yield Change(Level.MINOR, "right", f"{name} gets a permissions boundary")
    else:
        how = "loses its permissions boundary" if after == "null" else "gets another boundary"
        yield Change(Level.MAJOR, "right", f"{name} {how}")


def _told(name: str, rights: Iterable[Right], gained: bool) -> Iterator[Change]:
    """Yield one change for all actions on the same resource under the same conditions."""
    grouped: dict[Right, list[str]] = {}
    for right in rights:
        grouped.setdefault(replace(right, action=()), []).append(right.spelled)
    for right, actions in grouped.items():
        wider = right.effect not in ("Allow", "Deny") or gained != (right.effect == "Deny")
        level = Level.MAJOR if wider else Level.MINOR
        yield Change(level, right.kind, f"{name}: {_phrase(right, actions, gained)}")


def _phrase(right: Right, actions: Iterable[str], gained: bool) -> str:
    verb, on = ", ".join(actions), "".join(right.resource)
    tests = " and ".join(sorted(map(str, right.tests)))
    guards = " and ".join(map(str, sorted(right.guards)))
    rest = f"{f', if {tests}' if tests else ''}{f', where {guards}' if guards else ''}"
    how = "added" if gained else "taken away"
    what = {"Allow": "right", "Deny": "denial"}.get(right.effect, "something unreadable")
    match right.kind:
        case "managed policy":
            return f"managed policy {how}: {on}{rest}"
        case "trust":
            return f"{what} {how}: {on} takes the role by {verb}{rest}"
        case _:
            return f"{what} {how}: {verb} on {on}{rest}"


def _differ(old: Mapping[str, Json], new: Mapping[str, Json], name: str) -> bool:
    return exact(property_of(old, name)) != exact(property_of(new, name))
