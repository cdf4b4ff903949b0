"""Reading the account: everything that a plan depends on, and nothing that changes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .aws import Aws, code, failure, pages
from .buckets import read_bucket, supports
from .errors import CallFailed, OutOfTime
from .marks import Stack
from .model import Absent, Bucket, LoadBalancer, Logging, State, Unreadable
from .place import known
from .request import Request
from .topics import read_topics

if TYPE_CHECKING:
    from mypy_boto3_elbv2.type_defs import LoadBalancerAttributeTypeDef

# Seconds for reading a load balancer three times: ELB lets an account make 10 calls a second.
LOOK_EACH = 0.3
_SWEEP_SHARE = 0.25  # of the time left that a search through all buckets may take


def observe(
    aws: Aws,
    request: Request,
    before: State | None = None,
    answered: Mapping[str, LoadBalancer] | None = None,
) -> State:
    """Read what a request is about: load balancers, where they log, and what hangs on that.

    With the State that was observed `before` in the same run, no search is made again. What ELB
    has `answered` to a change since is not asked again. Raises CallFailed where AWS fails,
    Refused where there are more load balancers than time, OutOfTime.
    """
    try:
        return _observe(aws, request, before, answered or {})
    except ClientError as error:
        raise failure(error) from error


def _observe(
    aws: Aws, request: Request, before: State | None, answered: Mapping[str, LoadBalancer]
) -> State:
    named = _named(request)
    load_balancers = _load_balancers(aws, request, named, before, answered)
    buckets = _Buckets(aws, request, before)
    regional = supports(aws, "BucketNamespace")
    # The other name is for an older boto3: a stack that is being created has no bucket of it.
    buckets.read(request.stack.own_buckets[: 1 if request.kind == "Create" and regional else 2])
    buckets.read(request.traces.buckets)
    if request.properties and request.properties.bucket:
        buckets.read([request.properties.bucket], region=True)
    every = request.traces.every or request.properties is None or request.properties.every
    for found in filter(None, load_balancers.values()):
        ours = found.logging.location.mark == request.stack.tag
        if found.logging.bucket and (every or ours or found.arn in named):
            buckets.read([found.logging.bucket], region=not found.logging.enabled)
    unread = before.unread if before else ()
    if before is None and _lost(request, named, load_balancers, buckets.found):
        unread = buckets.sweep()
    state = State(
        load_balancers,
        buckets.found,
        read_topics(aws, request, buckets.found),
        regional=regional,
        unread=unread,
    )
    return replace(state, known=before.known if before else known(request, state))


def _named(request: Request) -> dict[str, None]:
    """Return the ARNs that a request names, now or before, in their order."""
    named = dict.fromkeys(request.traces.load_balancers)
    if request.properties and not request.properties.every:
        named.update(dict.fromkeys(request.properties.load_balancers))
    return named


def _load_balancers(
    aws: Aws,
    request: Request,
    named: Iterable[str],
    before: State | None,
    answered: Mapping[str, LoadBalancer],
) -> dict[str, LoadBalancer | None]:
    if before:
        every = request.properties is not None and request.properties.every
        known = {**before.load_balancers, **answered}
        again = [
            arn
            for arn, found in known.items()
            if found
            and arn not in answered
            and (every or arn in named or found.logging.location.mark)
        ]
        return known | _read(aws, again)
    arns = dict.fromkeys(named)
    if _searches(request):
        arns.update(dict.fromkeys(_all_load_balancers(aws)))
    if request.properties and request.properties.every:
        aws.admit(len(arns), "load balancers", LOOK_EACH)
    return _read(aws, [*arns])


def _read(aws: Aws, arns: Sequence[str]) -> dict[str, LoadBalancer | None]:
    return dict(zip(arns, aws.each(partial(read_load_balancer, aws), arns), strict=True))


def _searches(request: Request) -> bool:
    """Tell whether all load balancers matter: for `*`, and before a bucket of ours may go.

    A bucket must not go while anything logs to it: whoever took its name would get the logs.
    """
    properties = request.properties
    if properties is None or properties.every or request.traces.every:
        return True
    return bool(set(request.traces.buckets) - {properties.bucket})


def _all_load_balancers(aws: Aws) -> Iterator[str]:
    elbv2 = aws.elbv2
    for page in pages(
        aws,
        lambda marker: elbv2.describe_load_balancers(
            PageSize=400, **({"Marker": marker} if marker else {})
        ),
        lambda page: page.get("NextMarker", ""),
    ):
        for found in page["LoadBalancers"]:
            if found.get("Type") == "application":
                yield found["LoadBalancerArn"]


def read_load_balancer(aws: Aws, arn: str) -> LoadBalancer | None:
    """Read where an ALB logs; its attributes also tell whether it exists."""
    try:
        answer = aws.call(lambda: aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn))
    except ClientError as error:
        if code(error) in ("LoadBalancerNotFound", "LoadBalancerNotFoundException"):
            return None
        raise
    return LoadBalancer(arn, logging_of(answer["Attributes"]))


def logging_of(attributes: Iterable[LoadBalancerAttributeTypeDef]) -> Logging:
    """Return what an ALB's attributes say of its access logs."""
    values = {each.get("Key", ""): each.get("Value", "") for each in attributes}
    return Logging(
        values.get("access_logs.s3.enabled") == "true",
        values.get("access_logs.s3.bucket", ""),
        values.get("access_logs.s3.prefix", ""),
    )


class _Buckets:
    """Reads each bucket once."""

    def __init__(self, aws: Aws, request: Request, before: State | None) -> None:
        self.found: dict[str, Bucket | Absent | Unreadable] = {}
        self._before = before.buckets if before else {}
        self._aws = aws
        self._request = request
        if before:
            self.read(name for name, each in before.buckets.items() if isinstance(each, Bucket))

    def read(self, names: Iterable[str], region: bool = False) -> None:
        """Read buckets that were not read yet; with `region`, also where each is."""
        for name in names:
            known = self.found.get(name)
            if known is None or (region and isinstance(known, Bucket) and not known.region):
                self.found[name] = read_bucket(
                    self._aws,
                    name,
                    self._request.stack.account,
                    settings=self._request.properties is not None,
                    region=region,
                    made=isinstance(self._before.get(name), Absent),
                    known=known if isinstance(known, Bucket) else None,
                )

    def sweep(self) -> tuple[str, ...]:
        """Look for this stack's registrations in all buckets of the region; say what was not read.

        Bounded in time. Where the role may touch only some buckets, only those are searched.
        """
        unread = []
        end = self._aws.clock() + (self._aws.deadline - self._aws.clock()) * _SWEEP_SHARE
        bounded = replace(self._aws, deadline=end)
        try:
            for name in self._request.narrowed or _bucket_names(bounded, self._request.stack):
                if name in self.found:
                    continue
                found = read_bucket(bounded, name, self._request.stack.account, settings=False)
                if isinstance(found, Unreadable):
                    unread.append(found.told(name))
                elif isinstance(found, Bucket) and found.register(self._request.stack):
                    self.found[name] = found
        except OutOfTime:
            unread.append("not all buckets could be searched in the time there is")
        except (CallFailed, ClientError) as error:
            unread.append(f"the search through the buckets failed ({error})")
        return tuple(unread)


def _bucket_names(aws: Aws, stack: Stack) -> Iterator[str]:
    for page in pages(
        aws,
        lambda token: (
            aws.s3.list_buckets(
                BucketRegion=stack.region,
                MaxBuckets=1000,
                **({"ContinuationToken": token} if token else {}),
            )
            if supports(aws, "BucketRegion")
            else aws.s3.list_buckets()
        ),
        lambda page: page.get("ContinuationToken", ""),
    ):
        yield from (each["Name"] for each in page["Buckets"])


def _lost(
    request: Request,
    named: Iterable[str],
    load_balancers: dict[str, LoadBalancer | None],
    buckets: dict[str, Bucket | Absent | Unreadable],
) -> bool:
    """Tell whether something may be registered where nothing points to any more.

    So it is where a load balancer that was onboarded has no registration of this stack's where it
    logs now: somebody has moved it to another bucket since.
    """
    if request.kind == "Create":
        return False
    mine = [
        each
        for bucket in buckets.values()
        if isinstance(bucket, Bucket)
        for each in bucket.register(request.stack)
        if each.stack == request.stack.tag
    ]
    old = request.traces.load_balancers
    for arn in old:
        found = load_balancers.get(arn)
        name = arn.partition(":loadbalancer/")[2]
        if not any(
            name in each.load_balancers or (found and each.covers(found.logging.location, name))
            for each in mine
        ):
            return True
    return request.traces.every and not mine
