"""What a stack has set up in an account, by its marks: what goes with it, and what stays; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dt_logs_handler.names import LEFT_TAG


@dataclass(frozen=True)
class MarkedLoadBalancer:
    """A load balancer that logs where a stack of ours turned logging on.

    `shared` if another stack uses it; `inherited` if another stack turned it on and left.
    """

    name: str
    shared: bool = False
    inherited: bool = False


@dataclass(frozen=True)
class MarkedBucket:
    """A bucket with marks of ours; `logs` tells whether it holds any, None if that is unread.

    `disarmed` counts the `statements` that name the bucket's own account and so grant nothing.
    """

    name: str
    made: bool  # by this stack
    statements: int = 0  # that register this stack in its policy
    disarmed: int = 0
    notifications: int = 0  # ours, except those of other stacks' locations
    user: str = ""  # who else needs it
    logs: bool | None = None  # read only for a bucket that is to go
    inherited: bool = False  # made by another stack that no longer uses it; goes with this one
    note: str = ""  # what a Delete has left, by the bucket's tag

    @property
    def ours(self) -> bool:
        """Whether it goes with the stack, unless something keeps it."""
        return self.made or self.inherited


@dataclass(frozen=True)
class MarkedTopic:
    """A topic of ours that no other stack uses; `own` are our confirmed subscriptions to it."""

    arn: str
    own: tuple[str, ...] = ()
    others: int = 0  # of somebody else


@dataclass(frozen=True)
class Marks:
    """What a search found for one stack; `unread` describes what could not be read."""

    load_balancers: tuple[MarkedLoadBalancer, ...] = ()
    buckets: tuple[MarkedBucket, ...] = ()
    topics: tuple[MarkedTopic, ...] = ()
    log_group: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hints:
    """What is known about a stack beforehand, to find what it left without a mark.

    Once its custom resource is `deleted`, its function does not run again. Then what other stacks
    made counts only if it is named here, or registered by this stack.
    """

    load_balancers: tuple[str, ...] = ()  # names
    buckets: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    function: str = ""
    endpoint: str = ""
    deleted: bool = False

    def after(self, before: Marks) -> Hints:
        """Return what is known once the stack is deleted: what it takes over has no mark of it."""
        return Hints(
            tuple(each.name for each in before.load_balancers),
            tuple(each.name for each in before.buckets),
            tuple(dict.fromkeys((*self.topics, *(each.arn for each in before.topics)))),
            self.function,
            self.endpoint,
            deleted=True,
        )


@dataclass(frozen=True)
class Left:
    """Something of a stack, before the stack is deleted or after.

    `expected` if it stays by the rules. `fix` is for what should not be left; `remedy` is the AWS
    CLI's command that removes a topic, a subscription or a log group.
    """

    what: str
    name: str
    found: str
    expected: bool
    fix: str = ""
    remedy: str = ""

    @property
    def why(self) -> str:
        """Why it is left, and what to do."""
        return f"{self.found}; {self.fix}" if self.fix else self.found

    @property
    def described(self) -> str:
        """One line about it."""
        return f"{self.what} {self.name}: {self.found}"


def leftovers(marks: Marks, documented: bool, *, deleted: bool = True) -> list[Left]:
    """Return what is left of a stack; before it is `deleted`, what is not `expected` goes with it.

    Under the documented privileges the stack's role may not delete topics.
    """
    return [
        *map(_logging, marks.load_balancers),
        *(left for each in marks.buckets for left in _in_bucket(each, deleted)),
        *(left for each in marks.topics for left in _topic(each, documented)),
        *_log_group(marks.log_group),
    ]


def _logging(found: MarkedLoadBalancer) -> Left:
    if found.shared:
        why = "it goes on logging, because another stack uses it"
        return Left("load balancer", found.name, why, expected=True)
    why = "it logs to a location of ours"
    if found.inherited:
        why = "a stack that no longer uses it turned its logging on"
    return Left("load balancer", found.name, why, False, "turn its access logs off")


def _in_bucket(found: MarkedBucket, deleted: bool) -> Iterator[Left]:
    def left(why: str, *, expected: bool, fix: str = "") -> Left:
        return Left("bucket", found.name, why, expected, fix)

    empty = found.ours and not found.user and found.logs is False
    if deleted or not empty:
        if granting := found.statements - found.disarmed:
            why = f"{_count(granting, 'statement')} of the stack's in its policy"
            yield left(why, expected=False, fix="remove from the policy")
        if found.disarmed:
            why = f"{_count(found.disarmed, 'statement')} of the stack's, which grant nothing"
            yield left(why, expected=deleted)
        if found.notifications:
            why = f"{_count(found.notifications, 'notification')} of ours"
            yield left(why, expected=False, fix="remove from the bucket")
    # The note also tells of earlier versions of objects.
    note = f" (its tag {LEFT_TAG} says: {found.note})" if found.note else ""
    if empty:
        other = "; a stack that no longer uses it created it" if found.inherited else ""
        why = f"it is empty, and nobody uses it{other}"
        yield left(why, expected=False, fix=f"delete it{note}")
    elif found.ours and found.user:
        yield left(f"{found.user} uses it", expected=True)
    elif found.ours and found.logs:
        fix = f"empty and delete it when you like{note}"
        yield left("it holds logs, which are yours", expected=True, fix=fix)
    elif found.ours:
        yield left("whether it holds logs could not be read", expected=True)


def _topic(found: MarkedTopic, documented: bool) -> Iterator[Left]:
    role = ", and the stack's role may not delete it" if documented else ""
    if not found.others:
        command = f"aws sns delete-topic --topic-arn {found.arn}"
        why = f"no other stack uses it{role}"
        yield Left("topic", found.arn, why, documented, remedy=command)
        return
    yield Left("topic", found.arn, "somebody else is subscribed to it", expected=True)
    for arn in found.own:
        command = f"aws sns unsubscribe --subscription-arn {arn}"
        yield Left("subscription", arn, f"it is ours{role}", documented, remedy=command)


def _log_group(name: str) -> Iterator[Left]:
    if name:
        command = f"aws logs delete-log-group --log-group-name {name}"
        why = "Lambda made it, so it is not a resource of the stack"
        yield Left("log group", name, why, expected=True, remedy=command)


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"
