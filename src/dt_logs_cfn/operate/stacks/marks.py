"""What a stack has marked in an account; what of it goes, and what stays, when it is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dt_logs_handler.names import LEFT_TAG


@dataclass(frozen=True)
class MarkedLoadBalancer:
    """A load balancer that logs where a stack of ours turned it on.

    `shared` if another stack uses it; `inherited` if another one turned it on, and uses it no more.
    """

    name: str
    shared: bool = False
    inherited: bool = False


@dataclass(frozen=True)
class MarkedBucket:
    """A bucket with marks of ours; `logs` tells whether it holds any, None if that is unread.

    Those of the `statements` that are `disarmed` name the bucket's own account, and grant nothing.
    """

    name: str
    made: bool  # by this stack
    statements: int = 0  # by which this stack is registered in its policy
    disarmed: int = 0
    notifications: int = 0  # of ours, but for those of other stacks' locations
    user: str = ""  # who else needs it
    logs: bool | None = None  # looked for only in a bucket that is to go
    inherited: bool = False  # made by another stack, which uses it no more, and goes with this one
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
    """What was found of one stack; `unread` says in words what could not be looked at."""

    load_balancers: tuple[MarkedLoadBalancer, ...] = ()
    buckets: tuple[MarkedBucket, ...] = ()
    topics: tuple[MarkedTopic, ...] = ()
    log_group: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hints:
    """What is known of a stack beforehand, for what it left without a mark.

    Where its custom resource is `deleted`, and its function so asked no more, what other stacks
    made counts only if it is named here, or registered by this one.
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
    """What is left of a stack, and why.

    `expected` tells that it stays by the rules; `remedy` is the AWS CLI's command that removes a
    topic, a subscription or a log group, and empty where we would not do that.
    """

    what: str
    name: str
    why: str
    expected: bool
    remedy: str = ""

    @property
    def told(self) -> str:
        """One line of it."""
        return f"{self.what} {self.name}: {self.why}"


_BY_LAMBDA = "Lambda made it, so it is no resource of the stack"


def fate(marks: Marks, documented: bool) -> tuple[list[str], list[str]]:
    """Return what goes with the stack, and what stays, a line each.

    Under the documented privileges the stack's role may not delete topics.
    """
    goes: list[str] = []
    stays: list[str] = []
    for one in marks.load_balancers:
        if one.shared:
            stays.append(f"logging of {one.name}: another stack uses it")
        else:
            who = "a stack that uses it no more" if one.inherited else "the stack"
            goes.append(f"logging of {one.name}, which {who} turned on")
    for each in marks.buckets:
        _bucket_fate(each, goes, stays)
    for topic in marks.topics:
        if documented:
            stays.append(f"topic {topic.arn}, inert: the documented role may not delete it")
        elif topic.others:
            stays.append(f"topic {topic.arn}: somebody else is subscribed to it")
        else:
            goes.append(f"topic {topic.arn} with its subscription")
    if marks.log_group:
        stays.append(f"log group {marks.log_group}: {_BY_LAMBDA}")
    return goes, stays


def _bucket_fate(found: MarkedBucket, goes: list[str], stays: list[str]) -> None:
    ours = "statements and notifications of ours"
    if not found.ours:
        if found.statements or found.notifications:
            goes.append(f"{ours} in bucket {found.name}, which stays as it was before")
    elif found.user:
        goes.append(f"{ours} in bucket {found.name}")
        stays.append(f"bucket {found.name}: {found.user} uses it")
    elif found.logs:
        goes.append(f"{ours} in bucket {found.name}")
        stays.append(f"bucket {found.name}: it holds logs, which are yours")
    elif found.logs is None:
        stays.append(f"bucket {found.name}, if it holds logs: that could not be looked at")
    else:
        made = "; a stack that uses it no more made it" if found.inherited else ""
        goes.append(f"bucket {found.name}, which is empty{made}")


def leftovers(marks: Marks, documented: bool) -> list[Left]:
    """Return what is left after the stack was deleted."""
    return [*_logging_left(marks), *_buckets_left(marks), *_others_left(marks, documented)]


def _logging_left(marks: Marks) -> Iterator[Left]:
    for each in marks.load_balancers:
        why = "it still logs to a location of ours; turn its access logs off"
        if each.shared:
            why = "it goes on logging, since another stack uses it"
        yield Left("load balancer", each.name, why, expected=each.shared)


def _buckets_left(marks: Marks) -> Iterator[Left]:
    for each in marks.buckets:
        if granting := each.statements - each.disarmed:
            why = f"{granting} statements of the stack's are in its policy; take them out"
            yield Left("bucket", each.name, why, expected=False)
        if each.disarmed:
            why = f"{each.disarmed} statements in its policy are the stack's and grant nothing"
            yield Left("bucket", each.name, why, expected=True)
        if each.notifications:
            why = f"{each.notifications} notifications of ours are in it; take them out"
            yield Left("bucket", each.name, why, expected=False)
        if not each.ours:
            continue
        if each.user:
            yield Left("bucket", each.name, f"{each.user} uses it", expected=True)
        elif each.logs is None:
            yield Left("bucket", each.name, "it could not be looked into", expected=True)
        else:
            why = "it is empty, and nobody uses it; delete it"
            if each.logs:
                why = "it holds logs, which are yours; empty and delete it when you like"
            if each.note:  # it also tells of earlier versions of objects
                why += f" (its tag {LEFT_TAG} says: {each.note})"
            yield Left("bucket", each.name, why, expected=each.logs)


def _others_left(marks: Marks, documented: bool) -> Iterator[Left]:
    why = "the stack's role may not delete it" if documented else "it was not deleted"
    for topic in marks.topics:
        if topic.others:
            theirs = "somebody else is subscribed to it"
            yield Left("topic", topic.arn, theirs, expected=True)
            for arn in topic.own:
                command = f"aws sns unsubscribe --subscription-arn {arn}"
                yield Left("subscription", arn, why, documented, command)
        else:
            command = f"aws sns delete-topic --topic-arn {topic.arn}"
            yield Left("topic", topic.arn, f"inert; {why}", documented, command)
    if marks.log_group:
        command = f"aws logs delete-log-group --log-group-name {marks.log_group}"
        yield Left("log group", marks.log_group, _BY_LAMBDA, True, command)
