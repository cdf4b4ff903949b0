"""`replay`: the logs that it announces again, their recipients, and its reports on other logs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from operating.account import ACCOUNT, ENDPOINT, STACK, TAG, VENDOR
from operating.looking import EVERYTHING, LOGS, POLICY, Looking
from support.commands import Seat
from support.looks import can_read

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.replay.replaying import Replayed, Wanted, replay
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Refused, client_error

HOUR = 3600


@dataclass
class Replaying:
    """An account with a stack, whose logs since `begin` can be replayed."""

    looking: Looking
    begin: float = 0.0
    sns: Any = None
    policies: Any = None

    @property
    def account(self) -> Account:
        return self.looking.account

    def seat(self, *answers: str) -> Seat:
        return Seat(answers=[*answers], clock=self.account.clock)

    def window(self) -> Window:
        begin, end = self.begin, self.account.clock() + 1
        return Window(*(datetime.fromtimestamp(each, timezone.utc) for each in (begin, end)))

    def __call__(self, *, seat: Seat | None = None, **asked: Any) -> Replayed:
        """Replay everything since `begin`; ask for confirmation only if `seat` is given."""
        caller = self.account.caller(self.policies, role="operator")
        elbv2, s3, sns = (
            self.account.client(each, caller=caller) for each in ("elbv2", "s3", "sns")
        )
        wanted = Wanted(**{"stack": "dt-logs", "window": self.window(), "yes": not seat, **asked})
        operator = (seat or self.seat()).operator
        cloudformation = cast(Any, self.looking.cloudformation)
        clients = elbv2, s3, self.sns or sns
        return replay(cloudformation, clients, wanted, operator, self.account.clock)

    def deny(self, action: str, resource: str = "*") -> None:
        """Deny the operator an action."""
        deny = {"Effect": "Deny", "Action": action, "Resource": resource}
        self.policies = [{"Statement": [EVERYTHING, deny]}]

    def received(self) -> list[dict[str, Any]]:
        """Remove and return the records that the vendor's endpoint has received."""
        messages = self.account.world.deliveries.pop(ENDPOINT, [])
        bodies = [
            json.loads(each["Message"]) for each in messages if each["Type"] == "Notification"
        ]
        return [record for each in bodies for record in each.get("Records", [])]

    def keys(self) -> list[str]:
        """Remove the records that the endpoint has received, and return the keys of their logs."""
        return [each["s3"]["object"]["key"] for each in self.received()]


@pytest.fixture
def replaying(account: Account) -> Replaying:
    return Replaying(Looking(account))


def logs(replaying: Replaying, arn: str, count: int) -> list[str]:
    """Let a load balancer write `count` logs, one a minute, and return their keys."""
    keys = []
    for _ in range(count):
        replaying.account.clock.sleep(60)
        key = replaying.account.write_log(arn)
        assert key
        keys.append(key)
    return keys


def onboarded(replaying: Replaying, count: int, **changed: str) -> list[str]:
    """Onboard a load balancer, write logs, discard their announcements, and return their keys."""
    arn = replaying.account.add_load_balancer("web")
    replaying.looking.create(arn, **changed)
    replaying.account.clock.sleep(HOUR)
    replaying.begin = replaying.account.clock()
    keys = logs(replaying, arn, count)
    replaying.received()
    return keys


def shared(replaying: Replaying, count: int) -> tuple[str, str, list[str]]:
    """Onboard the first of two load balancers that log to one bucket of the customer."""
    replaying.account.add_bucket(LOGS, policy=POLICY)
    web, api = (replaying.account.add_load_balancer(e, bucket=LOGS) for e in ("web", "api"))
    replaying.looking.create(web)
    replaying.begin = replaying.account.clock()
    keys = logs(replaying, web, count)
    replaying.received()
    return web, api, keys


def location(replaying: Replaying) -> str:
    """Return the name of the bucket that a stack has made."""
    (name,) = (e for e in replaying.account.world.buckets if e.startswith("dt-logs"))
    return name


def test_each_log_is_announced_once_as_s3_announced_it(replaying: Replaying) -> None:
    onboarded(replaying, 0)
    (arn,) = replaying.account.world.load_balancers
    logs(replaying, arn, 25)
    first = replaying.received()
    (topic,), bucket = replaying.account.world.topics, location(replaying)
    s3 = replaying.account.s3  # `replay` does not need the notification
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})

    found = replaying()

    again = replaying.received()
    assert (found.total, found.announced, found.complete) == (25, 25, True)
    data: Any = found.data()
    assert json.loads(json.dumps(data)) == data
    assert (data["found"], data["announced"], data["left_out"]) == (25, 25, [])
    (place,) = data["locations"]
    assert place["source"] == f"s3://{bucket}/dt-logs-analysis/{TAG}"
    assert (place["topic"], place["found"]) == (topic, {load_balancer_name(arn): 25})
    by_key = {each["s3"]["object"]["key"]: each for each in first}
    assert sorted(by_key) == sorted(each["s3"]["object"]["key"] for each in again)
    for each in again:
        before = by_key[each["s3"]["object"]["key"]]
        mine, theirs = each["s3"], before["s3"]
        assert before.keys() <= each.keys()
        assert mine.keys() == theirs.keys() and mine["object"].keys() == theirs["object"].keys()
        for name in ("eventVersion", "eventSource", "awsRegion", "eventTime", "eventName"):
            assert each[name] == before[name]
        for name in ("key", "size", "eTag"):
            assert mine["object"][name] == theirs["object"][name]
        assert mine["object"]["sequencer"] < theirs["object"]["sequencer"]
        assert mine["bucket"]["arn"] == theirs["bucket"]["arn"]
        assert mine["configurationId"] == theirs["configurationId"]


def test_only_the_window_is_announced(replaying: Replaying) -> None:
    keys = onboarded(replaying, 6)
    begin = datetime.fromtimestamp(replaying.begin, timezone.utc)
    window = Window(begin + timedelta(minutes=2), begin + timedelta(minutes=5))

    assert (replaying(window=window).total, sorted(replaying.keys())) == (3, sorted(keys[1:4]))


def test_a_window_over_midnight(replaying: Replaying) -> None:
    """A log that was stored late may be in the previous day's folder."""
    onboarded(replaying, 0)
    (arn,), clock = replaying.account.world.load_balancers, replaying.account.clock
    clock.sleep(24 * HOUR - clock() % (24 * HOUR) - 150)  # until 23:57:30
    replaying.begin = clock()
    keys = logs(replaying, arn, 5)
    replaying.received()
    days = [key.split("/")[-2] for key in keys]
    assert len(set(days)) == 2

    assert (replaying().announced, replaying.keys()) == (5, keys)

    bucket = replaying.account.world.buckets[location(replaying)]
    late = keys[-1].replace(days[-1], days[0], 1)
    bucket.objects[late] = bucket.objects.pop(keys[-1])
    replaying.begin = clock() - 90
    assert (replaying().announced, replaying.keys()) == (2, [late, keys[-2]])


def test_neighbours_and_other_logs_are_not_announced(replaying: Replaying) -> None:
    web, api, keys = shared(replaying, 3)
    others = logs(replaying, api, 2)
    attributes = replaying.account.world.load_balancers[web].attributes
    attributes |= {"connection_logs.s3.enabled": "true", "connection_logs.s3.bucket": LOGS}
    attributes["connection_logs.s3.prefix"] = ""
    assert replaying.account.write_log(web, kind="connection")
    odd = keys[0].removesuffix(".log.gz") + ".txt"
    replaying.account.s3.put_object(Bucket=LOGS, Key=odd, Body=b"")
    replaying.received()

    found = replaying()

    assert replaying.keys() == keys
    assert [dict(each.found) for each in found.counted] == [{load_balancer_name(web): 3}]
    assert all(can_read(replaying.account, VENDOR, LOGS, key) for key in keys)
    assert not any(can_read(replaying.account, VENDOR, LOGS, key) for key in others)


def test_nothing_is_sent_before_it_is_confirmed(replaying: Replaying) -> None:
    onboarded(replaying, 0)
    assert (replaying(seat=(seat := replaying.seat())).total, seat.asked) == (0, [])
    (arn,) = replaying.account.world.load_balancers
    logs(replaying, arn, 3)
    replaying.received()
    for answers in ((), ("no",)):
        seat = replaying.seat(*answers)
        with pytest.raises(OperatingError, match="nothing was sent"):
            replaying(seat=seat)
        assert seat.asked == ["Announce 3 log objects again? [y/N]"]
    told = "\n".join(seat.lines)
    assert f"          3  {load_balancer_name(arn)}" in told
    assert "has to accept duplicates" in told
    found = replaying(seat=(seat := replaying.seat()), dry_run=True)
    assert (found.total, found.announced, seat.asked, replaying.received()) == (3, 0, [], [])
    assert found.summary == "0 of 3 log objects announced again"

    assert replaying(seat=replaying.seat("yes")).announced == 3
    assert len(replaying.received()) == 3


def both(replaying: Replaying) -> str:
    """Onboard `web` and another load balancer in a stack named `both`; return the other's ARN."""
    web, *_ = shared(replaying, 0)
    other = replaying.account.add_load_balancer("other")
    replaying.looking.create(web, other, stack=STACK.replace("6b5d", "6b5e"), name="both")
    return other


def test_it_goes_on_after_the_last_object_that_it_printed(replaying: Replaying) -> None:
    other = both(replaying)
    (web, *_) = replaying.account.world.load_balancers
    keys = [*logs(replaying, other, 3), *logs(replaying, web, 12)]
    replaying.received()
    whole = replaying(stack="both")
    first, second = (each.source.location.bucket for each in whole.counted)
    assert (first < second, sorted(replaying.keys())) == (True, sorted(keys))

    for n, each in enumerate(keys, 1):
        bucket = first if n <= 3 else second
        found = replaying(stack="both", after=f"s3://{bucket}/{each}")
        assert (found.announced, sorted(replaying.keys())) == (15 - n, sorted(keys[n:]))
    for after in ("s3://other/key", "key", f"s3://{location(replaying)}/other"):
        with pytest.raises(OperatingError, match=f"--after '{after}' is not in a location"):
            replaying(stack="both", after=after)


@dataclass
class Sns:
    """An SNS client in front of the account's; a test sets which calls and messages fail."""

    account: Account
    seconds: float = 0.0  # how long a call takes
    calls: int = 0
    # The errors, by call number; a call that fails has no effect.
    fails: Mapping[int, BaseException] = field(default_factory=dict)
    # For each code, how often a message is rejected, and whether the sender is at fault.
    rejects: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[Any]) -> Any:
        self.calls += 1
        self.account.clock.sleep(self.seconds)
        assert len(PublishBatchRequestEntries) <= 10
        if self.calls in self.fails:
            raise self.fails[self.calls]
        failed, taken = [], list(PublishBatchRequestEntries)
        for code, (often, sender) in self.rejects.items():
            if self.rejected[code] < often:
                self.rejected[code] += 1
                failed.append({"Id": taken.pop()["Id"], "Code": code, "SenderFault": sender})
        if not taken:
            return {"Successful": [], "Failed": failed}
        answer = self.account.sns.publish_batch(TopicArn=TopicArn, PublishBatchRequestEntries=taken)
        return {**answer, "Failed": failed} if failed else answer

    def __getattr__(self, called: str) -> Any:
        return getattr(self.account.sns, called)


def test_failed_entries_are_sent_again_and_no_others(replaying: Replaying) -> None:
    keys = onboarded(replaying, 25)
    rejects = {"InternalFailure": (4, False), "ThrottlingException": (2, True)}
    sns = replaying.sns = Sns(replaying.account, rejects=rejects)

    found = replaying()

    assert (found.announced, Counter(replaying.keys())) == (25, Counter(keys))
    assert sns.rejected == {"InternalFailure": 4, "ThrottlingException": 2}


def test_throttling_is_waited_for_with_growing_pauses(replaying: Replaying) -> None:
    keys = onboarded(replaying, 7)
    throttled = client_error("PublishBatch", Refused("Throttling", "no"))
    replaying.sns = Sns(replaying.account, fails=dict.fromkeys((1, 2, 3, 4), throttled))
    seat = replaying.seat("y")

    found = replaying(seat=seat)

    assert (found.announced, replaying.keys()) == (7, keys)
    assert [1 <= a <= 2 <= b <= 4 <= c <= 8 <= d <= 16 for a, b, c, d in [seat.slept]] == [True]


@pytest.mark.parametrize(
    ("code", "senders", "calls"), [("InternalFailure", False, 8), ("InvalidParameter", True, 1)]
)
def test_what_sns_never_takes_ends_it_with_how_to_go_on(
    replaying: Replaying, code: str, senders: bool, calls: int
) -> None:
    """A message that SNS rejects as the sender's fault is not sent again."""
    onboarded(replaying, 3)
    replaying.sns = Sns(replaying.account, rejects={code: (99, senders)})
    seat = replaying.seat("y")

    with pytest.raises(OperatingError, match=rf"SNS did not accept a message \({code}\)"):
        replaying(seat=seat)

    assert replaying.sns.calls == calls
    assert seat.lines[-1].startswith(
        "The replay stopped. To continue: `dt-logs-cfn replay --stack dt-"
    )


def test_an_interrupted_replay_says_how_to_go_on(replaying: Replaying) -> None:
    keys = onboarded(replaying, 100)
    replaying.sns = Sns(replaying.account, fails={7: KeyboardInterrupt()})
    seat = replaying.seat("y")
    with pytest.raises(KeyboardInterrupt):
        replaying(seat=seat)
    told, replaying.sns = seat.lines[-1], None
    after = told.partition("--after ")[2].rstrip("`")
    done = keys.index(after.partition(f"{location(replaying)}/")[2]) + 1
    assert set(keys[:done]) <= set(replaying.keys())

    found = replaying(after=after)

    assert (found.announced, replaying.keys()) == (100 - done, keys[done:])
    assert f"{replaying.window().since:%Y-%m-%dT%H:%M:%SZ}" in told


@pytest.mark.parametrize(
    ("action", "said"),
    [("sns:Publish", "AWS denies PublishBatch"), ("s3:ListBucket", "AWS denies ListObjectsV2")],
)
def test_a_right_that_is_missing_for_one_location_stops_no_other(
    replaying: Replaying, action: str, said: str
) -> None:
    other = both(replaying)
    (web, *_) = replaying.account.world.load_balancers
    keys = logs(replaying, other, 3)
    logs(replaying, web, 2)
    replaying.received()
    replaying.deny(action, f"arn:aws:*:*{LOGS}*")

    found = replaying(stack="both")

    assert (found.announced, replaying.keys(), found.complete) == (3, keys, False)
    assert said in "\n".join(found.lines())
    assert f"s3://{LOGS}/" in "\n".join(found.lines())


@pytest.mark.parametrize(
    "action",
    [
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "s3:GetBucketNotification",
        "s3:GetBucketPolicy",
        "s3:GetBucketTagging",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "sns:GetTopicAttributes",
        "sns:ListSubscriptionsByTopic",
        "sns:Publish",
    ],
)
def test_without_a_right_nothing_is_sent_in_silence(replaying: Replaying, action: str) -> None:
    shared(replaying, 2)
    replaying.deny(action)

    try:
        found = replaying()
    except (ClientError, OperatingError) as error:
        said = str(error)
    else:
        said = "\n".join(found.lines())
        assert (found.announced, found.complete) == (0, False)
    assert action in said.replace("SNS:", "sns:")
    assert replaying.keys() == []


def edited(change: dict[str, Any]) -> Callable[[Replaying], None]:
    """Return a function that changes the statement that lets the vendor read."""

    def edit(statements: list[Any]) -> None:
        next(each for each in statements if "Read" in each.get("Sid", "")).update(change)

    return lambda it: it.looking.edit_policy(LOGS, edit)


def web(replaying: Replaying) -> str:
    return next(iter(replaying.account.world.load_balancers))


PREFIX = "access_logs.s3.prefix"
NARROWED = {"Condition": {"StringEquals": {"aws:PrincipalTag/a": "b"}}}
DISARMED = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}


@pytest.mark.parametrize(
    ("change", "what", "why"),
    [
        (edited(NARROWED), f"s3://{LOGS}/", "is not as the stack wrote it. Run the stack again"),
        (edited(DISARMED), f"s3://{LOGS}/", "is not as the stack wrote it. Run the stack again"),
        (
            *(lambda it: it.account.s3.delete_bucket_policy(Bucket=LOGS), "all"),
            "No bucket's policy has a statement of this stack. Run the stack again",
        ),
        (
            *(lambda it: it.account.unsubscribe(ENDPOINT), f"s3://{LOGS}/"),
            "The stack's endpoint has no confirmed subscription to topic arn:aws:sns:",
        ),
        (
            *(lambda it: it.account.world.topics.clear(), f"s3://{LOGS}/"),
            f"-{LOGS} does not exist. Run the stack again",
        ),
        (
            *(lambda it: it.account.world.load_balancers.pop(web(it)), "later logs of app/web/"),
            "It no longer exists. Remove it from the stack's LoadBalancerArns.",
        ),
        (
            lambda it: it.account.world.load_balancers[web(it)].attributes.update({PREFIX: "new"}),
            *(
                "later logs of app/web/",
                f"It logs to s3://{LOGS}/new, which is not registered. Run",
            ),
        ),
    ],
    ids=["narrowed", "disarmed", "none", "unsubscribed", "no topic", "deleted", "moved"],
)
def test_what_is_left_out_is_said(
    replaying: Replaying, change: Callable[[Replaying], object], what: str, why: str
) -> None:
    """A load balancer's earlier logs are announced even if its later logs cannot be."""
    *_, keys = shared(replaying, 2)
    change(replaying)

    found = replaying()

    left = found.left_out[0]
    assert (found.complete, left.what.startswith(what), why in left.why) == (False, True, True)
    assert replaying.keys() == (keys if what.startswith("later") else [])


def test_the_customers_own_topic_is_used_where_it_announces_the_logs(replaying: Replaying) -> None:
    account = replaying.account
    publishes: dict[str, Any] = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
    publishes["Principal"] = {"Service": "s3.amazonaws.com"}
    arn = account.add_topic("theirs", {"Version": "2012-10-17", "Statement": [publishes]})
    entry = {"Id": "theirs", "TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}
    web = replaying.looking.onboarded(notifications={"TopicConfigurations": [entry]})
    replaying.begin = account.clock()
    keys = logs(replaying, web, 3)
    replaying.received()

    found = replaying()

    assert ([each.source.topic for each in found.counted], replaying.keys()) == ([arn], keys)


def test_logs_that_have_expired_are_refused(replaying: Replaying) -> None:
    onboarded(replaying, 0, LogRetentionDays="7")
    now = datetime.fromtimestamp(replaying.account.clock(), timezone.utc)
    with pytest.raises(OperatingError, match=f"Bucket {location(replaying)} keeps logs for 7 days"):
        replaying(window=Window(now - timedelta(days=8), now))
    assert replaying(window=Window(now - timedelta(days=6), now)).complete


def test_progress_names_the_last_key(replaying: Replaying) -> None:
    keys = onboarded(replaying, 30)
    seat = replaying.seat("y")
    replaying.sns = Sns(replaying.account, seconds=10)
    replaying(seat=seat, window=replaying.window())
    assert f"10 of 30 announced, up to s3://{location(replaying)}/{keys[9]}" in seat.lines
