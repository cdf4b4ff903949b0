"""What carrying out a plan has done so far, and what it needs to go on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from .aws import BUCKET_SPREADS, Aws, Passing, code
from .buckets import ABSENT, read_policy
from .marks import Stack
from .model import LoadBalancer
from .register import Registration, registrations
from .steps import Guard, Step

_FRESH = 2.0  # seconds for which a policy that was read serves guards, and a bucket is new


@dataclass
class Effects:
    """The one mutable thing of a run: a journal of how to undo it, and what it has learnt.

    `journal` holds, in the order to be taken in reverse, the steps that undo what was done or may
    have been done. `log` is told of each step and what came of it.
    """

    aws: Aws
    stack: Stack
    time: int  # of the event; what a later one has registered is another's
    named: str  # the LogBucketName that the role covers, if one was given
    log: Callable[[Step, str], None]
    journal: list[Step] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)  # what this role could not take back
    made: set[str] = field(default_factory=set)  # buckets that this run created
    put: dict[str, str | None] = field(default_factory=dict)  # policies as this run left them
    seen: set[str] = field(default_factory=set)  # buckets where our statements were read back
    notified: dict[str, frozenset[str]] = field(default_factory=dict)  # Ids that this run put
    subscriptions: dict[tuple[str, str], str] = field(default_factory=dict)
    hopeless: list[Step] = field(default_factory=list)  # not to be tried again in this run
    apart: bool = False  # a load balancer whose logging cannot be turned on fails alone
    failed: dict[str, str] = field(default_factory=dict)  # those, by ARN, and why
    closed: set[str] = field(default_factory=set)  # buckets that ELB has waited for in vain
    answered: dict[str, LoadBalancer] = field(default_factory=dict)  # as ELB said it now is
    fresh: dict[str, float] = field(default_factory=dict)  # buckets made new, and when
    undoing: bool = False
    shared: bool = False  # configuration was changed that others may be changing too
    _policies: dict[str, tuple[float, str | None]] = field(default_factory=dict)

    def policy(self, bucket: str, age: float = 0.0) -> str | None:
        """Return a bucket's policy, read at most `age` seconds ago; None where there is none."""
        read_at, known = self._policies.get(bucket, (float("-inf"), None))
        if self.aws.clock() - read_at > age:
            known = read_policy(self.aws, bucket, self.stack.account, *self.spreads(bucket))
            self._policies[bucket] = (self.aws.clock(), known)
        return known

    def empty(self, bucket: str) -> bool:
        """Tell whether a bucket was made a moment ago, so that there can be nothing in it yet."""
        return self.aws.clock() - self.fresh.get(bucket, float("-inf")) < _FRESH

    def forget(self, bucket: str) -> None:
        """Let the bucket's policy be read again the next time."""
        self._policies.pop(bucket, None)

    def possible(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """Return the steps without those that have turned out to be hopeless in this run."""
        return tuple(step for step in steps if step not in self.hopeless)

    def guarded(self, guard: Guard | None) -> bool:
        """Tell whether another stack's registration needs what a step would take away."""
        if guard is None or not guard.bucket:
            return False
        return any(
            (guard.location is None or each.covers(guard.location, guard.load_balancer))
            and guard.endpoint in (None, each.endpoint)
            for each in self.others(guard.bucket)
        )

    def others(self, bucket: str) -> list[Registration]:
        """Return what others have registered in a bucket; nothing, if the bucket is gone.

        Others are the other stacks, and this one as of a later event.
        """
        try:
            policy = self.policy(bucket, _FRESH)
        except ClientError as error:
            if code(error) in ABSENT:
                return []
            raise
        found = registrations(policy, bucket, self.stack)
        return [each for each in found if each.stack != self.stack.tag or each.time > self.time]

    def spreads(self, bucket: str) -> tuple[Passing, ...]:
        """Return what passes by itself for this bucket: one just made is not there everywhere."""
        return (BUCKET_SPREADS,) if bucket in self.made else ()
