"""Reading the account: everything that a plan depends on, and nothing that changes it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from botocore.exceptions import ClientError

from .aws import Aws, code, failure, pages
from .buckets import read_bucket, supports
from .errors import CallFailed, OutOfTime
from .marks import Stack
from .model import Absent, Bucket, LoadBalancer, Logging, State, Unreadable
from .place import known
from .request import Request
from .topics import read_topics

_SWEEP_SHARE = 0.25  # of the time left that a search through all buckets may take


def observe(aws: Aws, request: Request, before: State | None = None) -> State:
    """Read what a request is about: load balancers, where they log, and what hangs on that.

    With the State that was observed `before` in the same run, no search is made again. Raises
    CallFailed where AWS fails, OutOfTime.
    """
    try:
        return _observe(aws, request, before)
    except ClientError as error:
        raise failure(error) from error


def _observe(aws: Aws, request: Request, before: State | None) -> State:
    named = _named(request)
    load_balancers = _load_balancers(aws, request, named, before)
    buckets = _Buckets(aws, request, before)
    buckets.read(request.stack.own_buckets)
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
        regional=supports(aws, "BucketNamespace"),
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
    aws: Aws, request: Request, named: Iterable[str], before: State | None
) -> dict[str, LoadBalancer | None]:
    if before:
        every = request.properties is not None and request.properties.every
        return {
            arn: read_load_balancer(aws, arn)
            if found and (every or arn in named or found.logging.location.mark)
            else found
            for arn, found in before.load_balancers.items()
        }
    arns = dict.fromkeys(named)
    if _searches(request):
        arns.update(dict.fromkeys(_all_load_balancers(aws)))
    return {arn: read_load_balancer(aws, arn) for arn in arns}


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
    values = {each.get("Key", ""): each.get("Value", "") for each in answer["Attributes"]}
    return LoadBalancer(
        arn,
        Logging(
            values.get("access_logs.s3.enabled") == "true",
            values.get("access_logs.s3.bucket", ""),
            values.get("access_logs.s3.prefix", ""),
        ),
    )


class _Buckets:
    """Reads each bucket once."""

    def __init__(self, aws: Aws, request: Request, before: State | None) -> None:
        self.found: dict[str, Bucket | Absent | Unreadable] = {}
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
