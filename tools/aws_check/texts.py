"""AWS's refusals beside the emulated account's: the same calls to both, and what each answers.

A probe changes nothing where AWS refuses it, and only what the run has made where AWS does not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from aws_check.making import bucket_configuration, make_bucket
from aws_check.plan import Names, Thing
from aws_check.run import Run
from aws_check.scenes import Stage
from aws_check.transcript import Scrubber

Outcome = tuple[str, str]  # AWS's code and message; ("accepted", "") where it takes the call


@dataclass(frozen=True)
class Side:
    """An account that is asked: its clients by service, and what the probes are about."""

    client: Callable[[str], Any]
    names: Names
    load_balancer: str
    tags: list[dict[str, str]]

    @property
    def name(self) -> str:
        """The bucket's and the topic's name."""
        return self.names.named("texts")

    @property
    def topic(self) -> str:
        """The topic's ARN."""
        partition, region, account = (self.load_balancer.split(":")[at] for at in (1, 3, 4))
        return f"arn:{partition}:sns:{region}:{account}:{self.name}"


Ask = Callable[[Side], object]


def _s3(operation: str, **given: Any) -> Ask:
    """Return a call about the bucket."""
    return lambda side: getattr(side.client("s3"), operation)(Bucket=side.name, **given)


def _announce(destination: Callable[[Side], str], skip: bool = False, **more: Any) -> Ask:
    """Return a put of a notification to a topic's ARN."""

    def ask(side: Side) -> object:
        topic = {"TopicArn": destination(side), "Events": ["s3:ObjectCreated:*"], **more}
        return side.client("s3").put_bucket_notification_configuration(
            Bucket=side.name,
            NotificationConfiguration={"TopicConfigurations": [topic]},
            SkipDestinationValidation=skip,
        )

    return ask


def _lifecycle(**rule: Any) -> Ask:
    whole = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
    return _s3("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [whole]})


def _tags(*keys: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": "1"} for key in keys]


def _sns(operation: str, **given: Any) -> Ask:
    """Return a call about the topic."""
    return lambda side: getattr(side.client("sns"), operation)(TopicArn=side.topic, **given)


def _topic(**given: Any) -> Ask:
    return lambda side: side.client("sns").create_topic(Name=side.name, **given)


def _log_to(bucket: Callable[[Side], str], prefix: str = "", **more: str) -> Ask:
    """Return an attempt to let the load balancer log."""

    def ask(side: Side) -> object:
        new = {"enabled": "true", "bucket": bucket(side), "prefix": prefix, **more}
        return side.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=side.load_balancer,
            Attributes=[{"Key": f"access_logs.s3.{k}", "Value": v} for k, v in new.items()],
        )

    return ask


def _cloudformation(operation: str, **given: Any) -> Ask:
    """Return a call that makes nothing."""
    return lambda side: getattr(side.client("cloudformation"), operation)(**given)


def _own(side: Side) -> str:
    return side.name


def _missing(side: Side) -> str:
    return side.names.named("missing")


_SSE = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "nonsense"}}]
_TWICE: Ask = lambda side: side.client("s3").create_bucket(  # noqa: E731
    Bucket=side.name,
    CreateBucketConfiguration=bucket_configuration(side.load_balancer.split(":")[3], side.tags),
)
PROBES: Mapping[str, Ask] = {
    "create a bucket twice": _TWICE,
    "read a policy that is not there": _s3("get_bucket_policy"),
    "read lifecycle rules that are not there": _s3("get_bucket_lifecycle_configuration"),
    "name an owner that is not an account": _s3("get_bucket_policy", ExpectedBucketOwner="me"),
    "name another owner": _s3("get_bucket_policy", ExpectedBucketOwner="000000000000"),
    "put a policy that is not JSON": _s3("put_bucket_policy", Policy="{bad"),
    "notify what is not an ARN": _announce(lambda side: "not-an-arn"),
    "notify what is not an ARN, unvalidated": _announce(lambda side: "not-an-arn", skip=True),
    "notify a missing topic": _announce(lambda side: f"{side.topic}-missing"),
    "notify a topic that does not admit S3": _announce(lambda side: side.topic),
    "notify with a rule without a value": _announce(
        lambda side: side.topic, Filter={"Key": {"FilterRules": [{"Name": "prefix"}]}}
    ),
    "expire noncurrent versions never": _lifecycle(NoncurrentVersionExpiration={}),
    "encrypt by nonsense": _s3(
        "put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": _SSE}
    ),
    "tag a bucket with aws:": _s3("put_bucket_tagging", Tagging={"TagSet": _tags("aws:x")}),
    "tag a bucket twice": _s3("put_bucket_tagging", Tagging={"TagSet": _tags("x", "x")}),
    "create a topic with other attributes": _topic(Attributes={"DisplayName": "other"}),
    "create a topic that is not FIFO": _topic(Attributes={"FifoTopic": "false"}),
    "create a topic with other tags": _topic(Tags=_tags("other")),
    "create a topic with a tag twice": _topic(Tags=_tags("x", "x")),
    "subscribe by nonsense": _sns("subscribe", Protocol="nonsense", Endpoint="x"),
    "subscribe with a filter that is not JSON": _sns(
        "subscribe",
        Protocol="https",
        Endpoint="https://logs.example.com/in",
        Attributes={"FilterPolicy": "{bad"},
    ),
    "unsubscribe what is not an ARN": lambda side: side.client("sns").unsubscribe(
        SubscriptionArn="not-an-arn"
    ),
    "read a missing topic": lambda side: side.client("sns").get_topic_attributes(
        TopicArn=f"{side.topic}-missing"
    ),
    "log to a missing bucket": _log_to(_missing),
    "log to a bucket without a policy": _log_to(_own),
    "log to a prefix that begins with a slash": _log_to(_own, "/x"),
    "log to a prefix with AWSLogs": _log_to(_own, "x/AWSLogs"),
    "set an unknown attribute": _log_to(_own, nonsense="x"),
    "describe a missing load balancer": lambda side: side.client("elbv2").describe_load_balancers(
        LoadBalancerArns=[f"{side.load_balancer[:-16]}{'0' * 16}"]
    ),
    "describe a missing stack": _cloudformation("describe_stacks", StackName="dt-check-missing"),
    "validate a template that is not JSON": _cloudformation(
        "validate_template", TemplateBody='{\n  "Resources": {,}\n}'
    ),
    "validate a template that is elsewhere": _cloudformation(
        "validate_template", TemplateURL="https://example.com/template.json"
    ),
}


def outcome(ask: Ask, side: Side) -> Outcome:
    """Return what an account answers."""
    try:
        ask(side)
    except ClientError as error:
        found = error.response["Error"]
        return found["Code"], found.get("Message", "")
    return "accepted", ""


def compare(stage: Stage) -> None:
    """Ask AWS and the emulated account the same; each difference is a finding.

    Every pair is in the transcript as one line with `probe`. Raises botocore's errors.
    """
    run, name = stage.run, stage.run.names.named("texts")
    make_bucket(run, name)
    topic = Thing("topic", name)
    run.make(topic, lambda: run.client("sns").create_topic(Name=name, Tags=run.tags))
    aws = Side(run.client, run.names, stage.made.load_balancer, run.tags)
    with _emulated(aws) as ours:
        for probe, ask in PROBES.items():
            there, here = (_shown(run, outcome(ask, side), side) for side in (aws, ours))
            line = {"probe": probe, "aws": there, "ours": here, "same": there == here}
            run.transcript.write(line)
            run.expect(there == here, f"To {probe}: AWS answers {there}, our account {here}.")


def _shown(run: Run, found: Outcome, side: Side) -> Outcome:
    """Return an answer without what differs between accounts."""
    known = {side.load_balancer: "<load balancer>", side.load_balancer.split(":")[3]: "<region>"}
    scrub = Scrubber({**known, **run.transcript.scrubber.known})
    return found[0], scrub.text(found[1])


@contextmanager
def _emulated(like: Side) -> Iterator[Side]:
    """Give an emulated account that holds the same as a real one."""
    from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox  # loads moto

    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder)) as sandbox:
        credentials = sandbox.endpoint.session(ADMINISTRATOR)
        clients = {
            service: sandbox.client(service, credentials)
            for service in ("cloudformation", "elbv2", "s3", "sns")
        }
        arn = sandbox.account.add_load_balancer(like.names.base)
        side = Side(clients.__getitem__, like.names, arn, like.tags)
        tags = {"Tags": like.tags}
        clients["s3"].create_bucket(Bucket=side.name, CreateBucketConfiguration=tags)
        clients["sns"].create_topic(Name=side.name, **tags)
        yield side
