"""Recognise the things that a stack set up, and those that its deletion removes; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dt_logs_handler import notifications
from dt_logs_handler.model import Bucket, DeleteBucket, LoadBalancer, SetLogging, State
from dt_logs_handler.names import LEFT_TAG, Stack
from dt_logs_handler.plan import plan
from dt_logs_handler.register import Registration
from dt_logs_handler.request import Request, Traces


@dataclass(frozen=True)
class Left:
    """Something that a stack set up, found before or after the stack is deleted.

    `expected` is true if the thing may stay. Before a deletion, false means that the deletion
    removes it. `fix` says how to remove it. `remedy` is the AWS CLI command that removes a topic,
    a subscription or a log group. `part` names the part that the stack set up, if the stack did
    not set up all of it.
    """

    what: str
    name: str
    found: str
    expected: bool
    fix: str = ""
    remedy: str = ""
    part: str = ""

    @property
    def why(self) -> str:
        """Why the thing is left, and the fix."""
        return f"{self.found}; {self.fix}" if self.fix else self.found

    @property
    def described(self) -> str:
        """One line that describes the thing."""
        named = f"{self.what} {self.name}"
        return f"{self.part} of {named}" if self.part else f"{named}: {self.found}"


@dataclass(frozen=True)
class Leftovers:
    """The result of a search for a stack's leftovers; `unread` describes the failed reads."""

    left: tuple[Left, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hints:
    """Facts known about a stack before a search, to find the things that it left without a mark.

    Under the `documented` privileges, the stack's role may not delete topics. Once the custom
    resource is `deleted`, the function does not run again. From then on, a bucket that another
    stack made counts as left behind only if these facts name it or this stack is registered in it.
    """

    load_balancers: tuple[str, ...] = ()  # names
    buckets: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    function: str = ""
    endpoint: str = ""
    documented: bool = False
    deleted: bool = False

    def after(self, before: Leftovers) -> Hints:
        """Return the facts for a search after the deletion.

        These facts name the things found before the deletion, because inherited things do not have
        the stack's mark.
        """

        def names(what: str) -> dict[str, None]:
            return dict.fromkeys(each.name for each in before.left if each.what == what)

        return replace(
            self,
            load_balancers=(*names("load balancer"),),
            buckets=(*names("bucket"),),
            topics=(*dict.fromkeys((*self.topics, *names("topic"))),),
            deleted=True,
        )


@dataclass(frozen=True)
class Marked:
    """A stack, the region's load balancers with a log bucket, and the buckets that were read; pure.

    The last stack that uses something inherits it from the stack that set it up. The handler's plan
    for a Delete shows whether this stack is the last one.
    """

    stack: Stack
    hints: Hints
    logging: Sequence[LoadBalancer]
    buckets: Mapping[str, Bucket]

    @cached_property
    def _goes(self) -> frozenset[str]:
        """Load balancers whose logging a Delete turns off, and buckets that it deletes if empty."""
        # Leave out topics: bucket policies show who uses them, and reading topics needs more
        # permissions.
        state = State({each.arn: each for each in self.logging}, self.buckets, None)
        steps = plan(Request("Delete", self.stack, 0, None, Traces()), state).steps
        off = {each.load_balancer for each in steps if isinstance(each, SetLogging)}
        return frozenset(off | {each.bucket for each in steps if isinstance(each, DeleteBucket)})

    def _claims(self, bucket: str, *, others: bool) -> list[Registration]:
        """Return a bucket's registrations of the stack or, with `others`, of all other stacks."""
        found, tag = self.buckets.get(bucket), self.stack.tag
        claims = found.register(self.stack) if found else []
        return [each for each in claims if (each.stack != tag) is others]

    def load_balancers(self) -> Iterator[Left]:
        """Yield the load balancers whose logging the stack turned on or inherited."""
        for each in self.logging:
            location = each.logging.location
            own = location.mark == self.stack.tag
            hinted = location.mark is not None and each.name in self.hints.load_balancers
            if not own and not hinted and each.arn not in self._goes:
                continue
            others = self._claims(location.bucket, others=True)
            if any(claim.covers(location, each.name) for claim in others):
                why = "it keeps logging, because another stack uses it"
                yield Left("load balancer", each.name, why, expected=True)
                continue
            why, part = "it logs to one of our locations", "the access logging"
            if not own:
                why = "a stack that no longer uses it turned its logging on"
                part += " (turned on by a stack that no longer uses it)"
            fix = "turn its access logs off"
            yield Left("load balancer", each.name, why, False, fix, part=part)

    def _made(self, bucket: str) -> bool:
        maker = self.buckets[bucket].maker
        return maker == self.stack.tag or bucket in self.stack.own_buckets

    def _inherited(self, bucket: str) -> bool:
        """Return whether this stack inherits a bucket that another stack made."""
        # The Delete has not run yet, or may have left the bucket behind.
        reached = not self.hints.deleted or bucket in self.hints.buckets
        mine = self._claims(bucket, others=False)
        return bucket in self._goes and not self._made(bucket) and (bool(mine) or reached)

    def in_buckets(self, holds_logs: Callable[[str], bool | None]) -> Iterator[Left]:
        """Yield what the stack wrote into buckets, and the buckets that it made or inherited.

        `holds_logs` returns whether a bucket holds logs, or None if that cannot be read. Leaves out
        what the stack wrote into a bucket that its deletion will delete.
        """
        for name in self.buckets:
            made, inherited = self._made(name), self._inherited(name)
            logs = holds_logs(name) if made or inherited else None
            entries = [*self._entries(name)]
            # Leave out a bucket that only holds the logs of a deleted stack.
            known = not logs or name in self.hints.buckets or bool(entries)
            ours = made or (inherited and known)
            user = self._user(name) if ours else ""
            empty = ours and not user and logs is False
            if self.hints.deleted or not empty:
                yield from entries
            if ours:
                yield self._bucket(name, user, logs)

    def _entries(self, bucket: str) -> Iterator[Left]:
        """Yield the stack's statements in a bucket's policy, and our notifications.

        Notifications for other stacks' locations are left out.
        """
        mine = self._claims(bucket, others=False)
        inert = sum(each.inert(self.stack) for each in mine)
        theirs = {each.location_digest for each in self._claims(bucket, others=True)}
        own = notifications.own(self.buckets[bucket].notifications)
        announced = sum(notifications.location_digest(each) not in theirs for each in own)
        if granting := len(mine) - inert:
            count = _count(granting, "statement")
            why, part = f"{count} of the stack in its policy", f"{count} in the policy"
            yield Left("bucket", bucket, why, False, "remove from the policy", part=part)
        if inert:
            count = _count(inert, "inert statement")
            why, part = f"{count} of the stack in its policy", f"{count} in the policy"
            yield Left("bucket", bucket, why, self.hints.deleted, part=part)
        if announced:
            why, part = f"{announced} of our notifications", _count(announced, "notification")
            yield Left("bucket", bucket, why, False, "remove from the bucket", part=part)

    def _user(self, bucket: str) -> str:
        """Return who uses a bucket besides the stack; empty if nobody does."""
        if self._claims(bucket, others=True):
            return "another stack"
        names = (
            f"load balancer {each.name}"
            for each in self.logging
            if each.logging.enabled and each.logging.bucket == bucket and each.arn not in self._goes
        )
        return "" if bucket in self._goes else next(names, "")

    def _bucket(self, name: str, user: str, logs: bool | None) -> Left:
        left = self.buckets[name].tags.get(LEFT_TAG)
        # Quote the tag, because it may also report earlier versions of objects.
        note = f" (its tag {LEFT_TAG} says: {left})" if left else ""
        if user:
            return Left("bucket", name, f"{user} uses it", expected=True)
        if logs is None:
            return Left("bucket", name, "it is unknown whether it holds logs", expected=True)
        if logs:
            fix = f"empty and delete it when you like{note}"
            return Left("bucket", name, "it holds logs, which are yours", True, fix)
        other = "" if self._made(name) else "; a stack that no longer uses it created it"
        why = f"it is empty, and nobody uses it{other}"
        return Left("bucket", name, why, False, f"delete it{note}")

    def topics(self) -> set[str]:
        """Return the ARNs of the stack's topics that no other stack uses."""
        mine = (e for e in self.buckets if self._inherited(e) or self._claims(e, others=False))
        names = {*mine, *self.hints.buckets, *self.stack.own_buckets}
        used = {name for name in self.buckets if self._claims(name, others=True)}
        wanted = {*map(self.stack.topic_arn, names), *self.hints.topics}
        return wanted - {*map(self.stack.topic_arn, used)}


def _count(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"
