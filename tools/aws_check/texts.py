"""Compare AWS's refusals with those of the emulated account: make the same calls to both.

A probe that AWS refuses does not change anything; one that AWS accepts changes only the run's own
resources.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from aws_check.making import (
    CAPABILITIES,
    bucket_configuration,
    make_bucket,
    role_parameters,
    role_template,
)
from aws_check.plan import Names, Thing
from aws_check.run import Run
from aws_check.scenes import Stage
from aws_check.transcript import Scrubber

Outcome = tuple[str, str]  # AWS's code and message; ("accepted", "") if it accepts the call


@dataclass(frozen=True)
class Side:
    """One of the two accounts: its clients by service, and the values that the probes use."""

    client: Callable[[str], Any]
    names: Names
    load_balancer: str
    tags: list[dict[str, str]]
    template: str  # of the service role's stack

    def name(self) -> str:
        """Return the name that the bucket and the topic share."""
        return self.names.named("texts")

    def missing(self) -> str:
        """Return the name of a bucket that is never created."""
        return self.names.named("missing")

    def stack(self) -> str:
        """Return the name of a stack that exists."""
        return self.names.role_stack

    def region(self) -> str:
        """Return the region's name."""
        return self.load_balancer.split(":")[3]

    def arn(self, service: str, name: str) -> str:
        """Return the ARN of another resource in the account and region."""
        partition, account = (self.load_balancer.split(":")[at] for at in (1, 4))
        return f"arn:{partition}:{service}:{self.region()}:{account}:{name}"

    def topic(self) -> str:
        """Return the topic's ARN."""
        return self.arn("sns", self.name())

    def no_topic(self) -> str:
        """Return the ARN of a topic that does not exist."""
        return f"{self.topic()}-missing"

    def queue(self) -> str:
        """Return the queue's ARN."""
        return self.arn("sqs", self.names.base)


Ask = Callable[[Side], object]


def _ask(service: str, operation: str, **given: Any) -> Ask:
    """Return a call to an operation; a parameter that is a function is replaced with its result."""

    def ask(side: Side) -> object:
        known = {key: each(side) if callable(each) else each for key, each in given.items()}
        return getattr(side.client(service), operation)(**known)

    return ask


def _s3(operation: str, **given: Any) -> Ask:
    return _ask("s3", operation, Bucket=Side.name, **given)


def _notify(*topics: Callable[[Side], str], skip: bool = False, **more: Any) -> Ask:
    """Return a call that sets notifications from the bucket to topics."""

    def configuration(side: Side) -> dict[str, Any]:
        events = {"Events": ["s3:ObjectCreated:*"], **more}
        return {"TopicConfigurations": [{"TopicArn": each(side), **events} for each in topics]}

    return _s3(
        "put_bucket_notification_configuration",
        NotificationConfiguration=configuration,
        SkipDestinationValidation=skip,
    )


def _create(name: Callable[[Side], str], location: str = "") -> Ask:
    """Return a call that creates a bucket; without a location, in the run's region."""

    def configuration(side: Side) -> dict[str, Any]:
        return bucket_configuration(location or side.region(), side.tags)

    return _ask("s3", "create_bucket", Bucket=name, CreateBucketConfiguration=configuration)


def _tags(*keys: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": "1"} for key in keys]


def _tag(*keys: str) -> Ask:
    return _s3("put_bucket_tagging", Tagging={"TagSet": _tags(*keys)})


def _topic(**given: Any) -> Ask:
    return _ask("sns", "create_topic", Name=Side.name, **given)


def _subscribe(protocol: str, endpoint: object, **attributes: str) -> Ask:
    where = {"TopicArn": Side.topic, "Protocol": protocol, "Endpoint": endpoint}
    return _ask("sns", "subscribe", **where, Attributes=attributes)


def _log_to(bucket: Callable[[Side], str], prefix: str = "", **more: str) -> Ask:
    """Return a call that turns on the load balancer's logging."""

    def attributes(side: Side) -> list[dict[str, str]]:
        new = {"enabled": "true", "bucket": bucket(side), "prefix": prefix, **more}
        return [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in new.items()]

    return _ask(
        "elbv2",
        "modify_load_balancer_attributes",
        LoadBalancerArn=lambda side: side.load_balancer,
        Attributes=attributes,
    )


def _stack(operation: str) -> Ask:
    """Return a call that creates the service role's stack, or updates it without changes."""
    return _ask(
        "cloudformation",
        operation,
        StackName=Side.stack,
        TemplateBody=lambda side: side.template,
        Parameters=lambda side: role_parameters(side.names),
        Capabilities=CAPABILITIES,
        Tags=lambda side: side.tags,
    )


def _validate(**given: str) -> Ask:
    return _ask("cloudformation", "validate_template", **given)


_NO_VALUE = {"Key": {"FilterRules": [{"Name": "prefix"}]}}
_NEVER = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}}
_NEVER |= {"NoncurrentVersionExpiration": {}}
_SSE = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "nonsense"}}]}
_HTTPS = "https://logs.example.com/in"
PROBES: Mapping[str, Ask] = {
    "create a bucket twice": _create(Side.name),
    "create a bucket in an unknown region": _create(Side.missing, "nonsense"),
    "create a bucket in another region": _create(Side.missing, "eu-west-3"),
    "read a missing policy": _s3("get_bucket_policy"),
    "read missing lifecycle rules": _s3("get_bucket_lifecycle_configuration"),
    "name an owner that is not an account": _s3("get_bucket_policy", ExpectedBucketOwner="me"),
    "name another owner": _s3("get_bucket_policy", ExpectedBucketOwner="000000000000"),
    "put a policy that is not JSON": _s3("put_bucket_policy", Policy="{bad"),
    "notify an invalid ARN": _notify(lambda side: "not-an-arn"),
    "notify an invalid ARN, unvalidated": _notify(lambda side: "not-an-arn", skip=True),
    "notify a missing topic": _notify(Side.no_topic),
    "notify a topic that does not admit S3": _notify(Side.topic),
    "notify two topics of the same objects": _notify(Side.topic, Side.no_topic),
    "notify with a rule without a value": _notify(Side.topic, Filter=_NO_VALUE),
    "expire noncurrent versions without days": _s3(
        "put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [_NEVER]}
    ),
    "encrypt with an unknown algorithm": _s3(
        "put_bucket_encryption", ServerSideEncryptionConfiguration=_SSE
    ),
    "tag a bucket with aws:": _tag("aws:x"),
    "tag a bucket twice": _tag("x", "x"),
    "create a topic with other attributes": _topic(Attributes={"DisplayName": "other"}),
    "create a topic that is not FIFO": _topic(Attributes={"FifoTopic": "false"}),
    "create a FIFO topic without its suffix": _topic(Attributes={"FifoTopic": "true"}),
    "create a topic with other tags": _topic(Tags=_tags("other")),
    "create a topic with a tag twice": _topic(Tags=_tags("x", "x")),
    "subscribe by an unknown protocol": _subscribe("nonsense", "x"),
    "subscribe with a filter that is not JSON": _subscribe("https", _HTTPS, FilterPolicy="{bad"),
    "subscribe a queue": _subscribe("sqs", Side.queue, RawMessageDelivery="true"),
    "subscribe the queue again, with True": _subscribe(
        "sqs", Side.queue, RawMessageDelivery="True"
    ),
    "subscribe the queue again, with false": _subscribe(
        "sqs", Side.queue, RawMessageDelivery="false"
    ),
    "unsubscribe an invalid ARN": _ask("sns", "unsubscribe", SubscriptionArn="not-an-arn"),
    "read an invalid subscription": _ask(
        "sns",
        "get_subscription_attributes",
        SubscriptionArn=lambda side: f"{side.topic()}:nonsense",
    ),
    "read a missing topic": _ask("sns", "get_topic_attributes", TopicArn=Side.no_topic),
    "log to a missing bucket": _log_to(Side.missing),
    "log to a bucket without a policy": _log_to(Side.name),
    "log to a prefix that begins with a slash": _log_to(Side.name, "/x"),
    "log to a prefix with AWSLogs": _log_to(Side.name, "x/AWSLogs"),
    "set an unknown attribute": _log_to(Side.name, nonsense="x"),
    "describe a missing load balancer": _ask(
        "elbv2",
        "describe_load_balancers",
        LoadBalancerArns=lambda side: [f"{side.load_balancer[:-16]}{'0' * 16}"],
    ),
    "describe a missing stack": _ask(
        "cloudformation", "describe_stacks", StackName="dt-check-missing"
    ),
    "create a stack twice": _stack("create_stack"),
    "update a stack without changes": _stack("update_stack"),
    "validate a template that is not JSON": _validate(TemplateBody='{\n "Resources": {,}\n}'),
    "validate a template outside S3": _validate(TemplateURL="https://example.com/template.json"),
}


def outcome(ask: Ask, side: Side) -> Outcome:
    """Make a probe's call to an account; return the error code and message, or `accepted`."""
    try:
        ask(side)
    except ClientError as error:
        found = error.response["Error"]
        return found["Code"], found.get("Message", "")
    return "accepted", ""


def compare(stage: Stage) -> None:
    """Create a bucket and a topic; make the probes' calls to AWS and to the emulated account.

    Each difference is a finding. The transcript has a line with `probe` for each pair of answers.
    Raises botocore's errors.
    """
    run, name = stage.run, stage.run.names.named("texts")
    make_bucket(run, name)
    topic = Thing("topic", name)
    run.make(topic, lambda: run.client("sns").create_topic(Name=name, Tags=run.tags))
    run.ledger.making(Thing("bucket", run.names.named("missing")))
    template = role_template(stage.release)
    aws = Side(run.client, run.names, stage.made.load_balancer, run.tags, template)
    with _emulated(aws) as ours:
        for probe, ask in PROBES.items():
            there, here = (_shown(run, outcome(ask, side), side) for side in (aws, ours))
            line = {"probe": probe, "aws": there, "ours": here, "same": there == here}
            run.transcript.write(line)
            run.expect(there == here, f"To {probe}: AWS answers {there}, our account {here}.")


def _shown(run: Run, found: Outcome, side: Side) -> Outcome:
    """Return an outcome without the values that differ between the accounts."""
    known = {side.load_balancer: "<load balancer>", side.region(): "<region>"}
    scrub = Scrubber({**known, **run.transcript.scrubber.known})
    return found[0], scrub.text(found[1])


@contextmanager
def _emulated(like: Side) -> Iterator[Side]:
    """Start an emulated account with the resources that the probes use; yield its side."""
    from cloudformation_api.api import serve
    from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox  # imported here: it loads moto

    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as sandbox:
        serve(sandbox)
        credentials = sandbox.endpoint.session(ADMINISTRATOR)
        clients = {
            service: sandbox.client(service, credentials)
            for service in ("cloudformation", "elbv2", "s3", "sns")
        }
        arn = sandbox.account.add_load_balancer(like.names.base)
        side = Side(clients.__getitem__, like.names, arn, like.tags, like.template)
        for make in (_create(Side.name), _topic(Tags=like.tags), _stack("create_stack")):
            make(side)
        sandbox.cloudformation.join()  # wait until the stack exists
        yield side
