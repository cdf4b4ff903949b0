"""`replay`: which logs it announces again and to whom, and what it says about the others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from operating.account import ACCOUNT, ENDPOINT, STACK, TAG
from operating.looking import Looking
from support.verdicts import can_read

from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.replay.replaying import Replayed, Wanted, replay
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_rehearsal.account import Account, Refused, client_error

BUCKET = "logs-of-web"
DELIVERY = {
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
}
VENDOR = "999988887777"
HOUR = 3600


@dataclass
class Seat:
    """An operator: their answers, what they were told and asked, and how long they waited."""

    account: Account
    answers: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def operator(self) -> Operator:
        def ask(question: str) -> str | None:
            self.asked.append(question)
            return self.answers.pop(0) if self.answers else None

        return Operator(self.account.clock, self.slept.append, self.told.append, ask)


@dataclass
class Replaying:
    """An account with a stack, and replays of the logs since `begin`."""

    looking: Looking
    begin: float = 0.0
    sns: Any = None
    policies: Any = None

    @property
    def account(self) -> Account:
        return self.looking.account

    def window(self) -> Window:
        begin, end = self.begin, self.account.clock() + 1
        return Window(*(datetime.fromtimestamp(each, timezone.utc) for each in (begin, end)))

    def __call__(self, *, seat: Seat | None = None, **asked: Any) -> Replayed:
        """Replay everything since `begin`; ask for confirmation only if there is a seat."""
        caller = self.account.caller(self.policies, role="operator")
        elbv2, s3, sns = (
            self.account.client(each, caller=caller) for each in ("elbv2", "s3", "sns")
        )
        wanted = Wanted(**{"stack": "dt-logs", "window": self.window(), "yes": not seat, **asked})
        seat = seat or Seat(self.account)
        cloudformation = cast(Any, self.looking.cloudformation)
        clients = elbv2, s3, self.sns or sns
        return replay(cloudformation, clients, wanted, seat.operator, self.account.clock)

    def received(self) -> list[dict[str, Any]]:
        """Remove and return the records that the vendor's endpoint has received."""
        messages = self.account.world.deliveries.pop(ENDPOINT, [])
        bodies = [
            json.loads(each["Message"]) for each in messages if each["Type"] == "Notification"
        ]
        return [record for each in bodies for record in each.get("Records", [])]

    def keys(self) -> list[str]:
        return [each["s3"]["object"]["key"] for each in self.received()]


@pytest.fixture
def replaying(account: Account) -> Replaying:
    return Replaying(Looking(account))


def logs(replaying: Replaying, arn: str, count: int) -> list[str]:
    """Let a load balancer write one log a minute, and return their keys."""
    keys = []
    for _ in range(count):
        replaying.account.clock.sleep(60)
        key = replaying.account.write_log(arn)
        assert key
        keys.append(key)
    return keys


def onboarded(replaying: Replaying, name: str = "web", **changed: str) -> str:
    """Onboard a load balancer, and discard what the vendor has received so far."""
    arn = replaying.account.add_load_balancer(name)
    replaying.looking.create(arn, **changed)
    replaying.account.clock.sleep(HOUR)
    replaying.begin = replaying.account.clock()
    replaying.received()
    return arn


def shared(replaying: Replaying) -> tuple[str, str]:
    """Onboard the first of two load balancers that log to the same bucket of the customer."""
    policy = {"Version": "2012-10-17", "Statement": [DELIVERY]}
    replaying.account.add_bucket(BUCKET, policy=policy)
    web, api = (replaying.account.add_load_balancer(e, bucket=BUCKET) for e in ("web", "api"))
    replaying.looking.create(web)
    replaying.begin = replaying.account.clock()
    replaying.received()
    return web, api


def test_each_log_is_announced_once_as_s3_announced_it(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    logs(replaying, arn, 25)
    first = replaying.received()

    found = replaying()

    again = replaying.received()
    assert (found.total, found.announced, found.complete) == (25, 25, True)
    by_key = {each["s3"]["object"]["key"]: each for each in first}
    assert sorted(by_key) == sorted(each["s3"]["object"]["key"] for each in again)
    for each in again:
        before = by_key[each["s3"]["object"]["key"]]
        assert before.keys() <= each.keys()
        for name in ("eventVersion", "eventSource", "awsRegion", "eventTime", "eventName"):
            assert each[name] == before[name]
        mine, theirs = each["s3"], before["s3"]
        assert mine.keys() == theirs.keys() and mine["object"].keys() == theirs["object"].keys()
        for name in ("key", "size", "eTag"):
            assert mine["object"][name] == theirs["object"][name]
        assert mine["object"]["sequencer"] < theirs["object"]["sequencer"]
        assert (mine["bucket"]["arn"], mine["configurationId"]) == (
            theirs["bucket"]["arn"],
            theirs["configurationId"],
        )


def test_only_the_window_is_announced(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    keys = logs(replaying, arn, 6)
    replaying.received()
    begin = datetime.fromtimestamp(replaying.begin, timezone.utc)
    window = Window(begin + timedelta(minutes=2), begin + timedelta(minutes=5))

    found = replaying(window=window)

    assert (found.total, sorted(replaying.keys())) == (3, sorted(keys[1:4]))


def test_a_window_over_midnight(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    now = replaying.account.clock()
    replaying.account.clock.sleep(24 * HOUR - now % (24 * HOUR) - 150)  # until 23:57:30
    replaying.begin = replaying.account.clock()
    keys = logs(replaying, arn, 5)
    replaying.received()

    assert replaying().announced == 5

    assert replaying.keys() == keys
    assert len({key.split("/")[-2] for key in keys}) == 2


def test_a_log_that_was_stored_late_is_in_the_folder_of_the_day_before(
    replaying: Replaying,
) -> None:
    arn = onboarded(replaying)
    now = replaying.account.clock()
    replaying.account.clock.sleep(24 * HOUR - now % (24 * HOUR) - 30)
    (key,) = logs(replaying, arn, 1)
    assert (
        datetime.fromtimestamp(replaying.account.clock(), timezone.utc).strftime("%M:%S") == "00:30"
    )
    replaying.received()
    bucket = replaying.account.world.buckets[location(replaying)]
    yesterday = key.replace(key.split("/")[-2], f"{int(key.split('/')[-2]) - 1:02}", 1)
    bucket.objects[yesterday] = bucket.objects.pop(key)
    replaying.begin = replaying.account.clock()

    assert replaying().announced == 1


def location(replaying: Replaying) -> str:
    (name,) = (e for e in replaying.account.world.buckets if e.startswith("dt-logs"))
    return name


def test_neighbours_and_other_logs_are_not_announced(replaying: Replaying) -> None:
    web, api = shared(replaying)
    keys = logs(replaying, web, 3)
    others = logs(replaying, api, 2)
    attributes = replaying.account.world.load_balancers[web].attributes
    attributes |= {"connection_logs.s3.enabled": "true", "connection_logs.s3.bucket": BUCKET}
    attributes["connection_logs.s3.prefix"] = ""
    assert replaying.account.write_log(web, kind="connection")
    odd = keys[0].removesuffix(".log.gz") + ".txt"
    replaying.account.s3.put_object(Bucket=BUCKET, Key=odd, Body=b"")
    replaying.received()

    found = replaying()

    assert replaying.keys() == keys
    assert [dict(each.found) for each in found.counted] == [{name(web): 3}]
    assert all(can_read(replaying.account, VENDOR, BUCKET, key) for key in keys)
    assert not any(can_read(replaying.account, VENDOR, BUCKET, key) for key in others)


def name(arn: str) -> str:
    return arn.partition(":loadbalancer/")[2]


def test_nothing_is_sent_before_it_is_confirmed(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    logs(replaying, arn, 3)
    replaying.received()
    for answers in ([], ["no"]):
        seat = Seat(replaying.account, answers)
        with pytest.raises(OperatingError, match="nothing was sent"):
            replaying(seat=seat)
        assert seat.asked == ["Announce 3 log objects again? [y/N]"]
    told = "\n".join(seat.told)
    assert f"          3  {name(arn)}" in told
    assert "has to accept duplicates" in told
    assert replaying.received() == []

    assert replaying(seat=Seat(replaying.account, ["yes"])).announced == 3
    assert len(replaying.received()) == 3


def test_a_dry_run_counts_and_sends_nothing(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    logs(replaying, arn, 3)
    replaying.received()
    seat = Seat(replaying.account)

    found = replaying(seat=seat, dry_run=True)

    assert (found.total, found.announced, seat.asked, replaying.received()) == (3, 0, [], [])
    assert found.summary == "0 of 3 log objects announced again"


def test_where_there_is_no_log_nobody_is_asked(replaying: Replaying) -> None:
    onboarded(replaying)
    seat = Seat(replaying.account)
    assert (replaying(seat=seat).total, seat.asked) == (0, [])


def test_it_goes_on_after_the_last_object_that_it_printed(replaying: Replaying) -> None:
    web, _ = shared(replaying)
    other = replaying.account.add_load_balancer("other")
    replaying.looking.create(web, other, stack=STACK.replace("6b5d", "6b5e"), name="both")
    keys = [*logs(replaying, other, 3), *logs(replaying, web, 12)]
    replaying.received()
    whole = replaying(stack="both")
    first, second = (each.source.location.bucket for each in whole.counted)
    order = [*keys[:3], *keys[3:]]
    assert (first < second, sorted(replaying.keys())) == (True, sorted(order))

    for n, each in enumerate(order, 1):
        bucket = first if n <= 3 else second
        found = replaying(stack="both", after=f"s3://{bucket}/{each}")
        assert (found.announced, sorted(replaying.keys())) == (15 - n, sorted(order[n:]))


def test_after_something_else_is_refused(replaying: Replaying) -> None:
    onboarded(replaying)
    for after in ("s3://other/key", "key", f"s3://{location(replaying)}/other"):
        with pytest.raises(OperatingError, match=f"--after '{after}' is not in a location"):
            replaying(after=after)


@dataclass
class Sns:
    """An SNS client in front of the account's; a test sets which calls and messages fail."""

    account: Account
    calls: int = 0
    fails: Mapping[int, Exception] = field(default_factory=dict)  # by call; it then has no effect
    rejects: Mapping[str, tuple[int, bool]] = field(
        default_factory=dict
    )  # by code: how often, and whether the sender is at fault
    rejected: Counter[str] = field(default_factory=Counter)

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[Any]) -> Any:
        self.calls += 1
        assert len(PublishBatchRequestEntries) <= 10
        if self.calls in self.fails:
            raise self.fails[self.calls]
        failed, taken = [], list(PublishBatchRequestEntries)
        for code, (often, sender) in self.rejects.items():
            if self.rejected[code] < often:
                self.rejected[code] += 1
                each = taken.pop()
                failed.append({"Id": each["Id"], "Code": code, "SenderFault": sender})
        answer: Any = {"Successful": []}
        if taken:
            answer = self.account.sns.publish_batch(
                TopicArn=TopicArn, PublishBatchRequestEntries=taken
            )
        return {**answer, "Failed": failed} if failed else answer

    def __getattr__(self, called: str) -> Any:
        return getattr(self.account.sns, called)


def refused(code: str, status: int = 400) -> ClientError:
    return client_error("PublishBatch", Refused(code, "no", status))


def test_failed_entries_are_sent_again_and_no_others(replaying: Replaying) -> None:
    keys = logs(replaying, onboarded(replaying), 25)
    replaying.received()
    rejects = {"InternalFailure": (4, False), "ThrottlingException": (2, True)}
    sns = replaying.sns = Sns(replaying.account, rejects=rejects)

    found = replaying()

    assert (found.announced, Counter(replaying.keys())) == (25, Counter(keys))
    assert sns.rejected == {"InternalFailure": 4, "ThrottlingException": 2}


def test_throttling_is_waited_for_with_growing_pauses(replaying: Replaying) -> None:
    keys = logs(replaying, onboarded(replaying), 7)
    replaying.received()
    fails = {n: refused("Throttling") for n in range(1, 5)}
    replaying.sns = Sns(replaying.account, fails=fails)
    seat = Seat(replaying.account, ["y"])

    found = replaying(seat=seat)

    assert (found.announced, replaying.keys()) == (7, keys)
    assert [1 <= a <= 2 <= b <= 4 <= c <= 8 <= d <= 16 for a, b, c, d in [seat.slept]] == [True]


def test_what_sns_never_takes_ends_it_with_how_to_go_on(replaying: Replaying) -> None:
    logs(replaying, onboarded(replaying), 3)
    replaying.received()
    replaying.sns = Sns(replaying.account, rejects={"InternalFailure": (99, False)})
    seat = Seat(replaying.account, ["y"])

    with pytest.raises(OperatingError, match="SNS does not take a message"):
        replaying(seat=seat)

    assert replaying.sns.calls == 8
    assert seat.told[-1].startswith(
        "The replay stopped. To continue it: `dt-logs-cfn replay --stack dt-"
    )


def test_a_message_that_is_the_senders_fault_is_not_sent_again(replaying: Replaying) -> None:
    logs(replaying, onboarded(replaying), 3)
    sns = replaying.sns = Sns(replaying.account, rejects={"InvalidParameter": (1, True)})
    with pytest.raises(OperatingError, match=r"SNS does not take a message \(InvalidParameter\)"):
        replaying()
    assert sns.calls == 1


def test_an_interrupted_replay_says_how_to_go_on(replaying: Replaying) -> None:
    keys = logs(replaying, onboarded(replaying), 100)
    replaying.received()
    replaying.sns = Sns(replaying.account, fails={7: KeyboardInterrupt()})  # type: ignore[dict-item]  # no Exception
    seat = Seat(replaying.account, ["y"])
    with pytest.raises(KeyboardInterrupt):
        replaying(seat=seat)
    told, replaying.sns = seat.told[-1], None
    after = told.partition("--after ")[2].rstrip("`")
    done = keys.index(after.partition(f"{location(replaying)}/")[2]) + 1
    assert set(keys[:done]) <= set(replaying.keys())

    found = replaying(after=after)

    assert (found.announced, replaying.keys()) == (100 - done, keys[done:])
    assert f"{replaying.window().since:%Y-%m-%dT%H:%M:%SZ}" in told


def test_a_topic_that_is_gone_is_said(replaying: Replaying) -> None:
    logs(replaying, onboarded(replaying), 1)
    (topic,) = replaying.account.world.topics
    replaying.account.sns.delete_topic(TopicArn=topic)

    found = replaying()

    assert (found.total, found.complete) == (0, False)
    assert [each.why.partition(". ")[0] for each in found.left_out] == [
        f"Topic {topic} does not exist"
    ]


def test_an_endpoint_that_is_not_subscribed_is_said(replaying: Replaying) -> None:
    logs(replaying, onboarded(replaying), 1)
    replaying.account.unsubscribe(ENDPOINT)
    (left,) = replaying().left_out
    assert "The stack's endpoint has no confirmed subscription to topic" in left.why


@pytest.mark.parametrize(
    ("action", "said"),
    [("sns:Publish", "AWS denies PublishBatch"), ("s3:ListBucket", "AWS denies ListObjectsV2")],
)
def test_a_right_that_is_missing_for_one_location_stops_no_other(
    replaying: Replaying, action: str, said: str
) -> None:
    web, _ = shared(replaying)
    other = replaying.account.add_load_balancer("other")
    replaying.looking.create(web, other, stack=STACK.replace("6b5d", "6b5e"), name="both")
    keys = logs(replaying, other, 3)
    logs(replaying, web, 2)
    replaying.received()
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": action, "Resource": f"arn:aws:*:*{BUCKET}*"}
    replaying.policies = [{"Statement": [everything, deny]}]

    found = replaying(stack="both")

    assert (found.announced, replaying.keys(), found.complete) == (3, keys, False)
    assert said in "\n".join(found.lines())
    assert f"s3://{BUCKET}/" in "\n".join(found.lines())


RIGHTS = (
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "s3:GetBucketNotification",
    "s3:GetBucketPolicy",
    "s3:GetBucketTagging",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
)


@pytest.mark.parametrize("action", RIGHTS)
def test_without_a_right_nothing_is_sent_in_silence(replaying: Replaying, action: str) -> None:
    web, _ = shared(replaying)
    logs(replaying, web, 2)
    replaying.received()
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": action, "Resource": "*"}
    replaying.policies = [{"Statement": [everything, deny]}]

    try:
        found = replaying()
    except (ClientError, OperatingError) as error:
        said = str(error)
    else:
        said = "\n".join(found.lines())
        assert (found.announced, found.complete) == (0, False)
    assert action in said.replace("SNS:", "sns:")
    assert replaying.keys() == []


def test_a_statement_that_was_changed_is_said(replaying: Replaying) -> None:
    web, _ = shared(replaying)
    logs(replaying, web, 2)
    replaying.received()

    def narrow(statements: list[Any]) -> None:
        ours = next(each for each in statements if "Read" in each.get("Sid", ""))
        ours["Condition"] = {"StringEquals": {"aws:PrincipalTag/a": "b"}}

    replaying.looking.edit_policy(BUCKET, narrow)

    found = replaying()

    assert (found.announced, replaying.keys()) == (0, [])
    assert found.left_out[0].what == f"s3://{BUCKET}/"
    assert "is not as the stack wrote it" in found.left_out[0].why


def test_a_statement_that_grants_nothing_any_more_is_said(replaying: Replaying) -> None:
    web, _ = shared(replaying)
    logs(replaying, web, 2)
    replaying.received()

    def disarm(statements: list[Any]) -> None:
        ours = next(each for each in statements if "Read" in each.get("Sid", ""))
        ours["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}

    replaying.looking.edit_policy(BUCKET, disarm)

    assert replaying().left_out[0].what == f"s3://{BUCKET}/"
    assert replaying.keys() == []


@pytest.mark.parametrize("gone", [True, False])
def test_a_load_balancer_that_left_is_said_and_its_earlier_logs_are_announced(
    replaying: Replaying, gone: bool
) -> None:
    web, _ = shared(replaying)
    keys = logs(replaying, web, 2)
    replaying.received()
    if gone:
        del replaying.account.world.load_balancers[web]
    else:
        replaying.account.world.load_balancers[web].attributes["access_logs.s3.prefix"] = "new"

    found = replaying()

    (left,) = found.left_out
    assert (replaying.keys(), left.what) == (keys, f"later logs of {name(web)}")
    assert left.why.startswith(
        "It no longer exists. Remove it from the stack's LoadBalancerArns."
        if gone
        else f"It logs to s3://{BUCKET}/new now, unregistered. Run the stack again"
    )


def test_a_stack_without_a_statement_has_nothing_to_announce(replaying: Replaying) -> None:
    logs(replaying, onboarded(replaying), 2)
    replaying.account.s3.delete_bucket_policy(Bucket=location(replaying))
    assert replaying().left_out[0].why.startswith("No bucket's policy has a statement of this")


def test_a_bucket_that_cannot_be_read_is_said(replaying: Replaying) -> None:
    web, _ = shared(replaying)
    logs(replaying, web, 2)
    replaying.received()
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "s3:GetBucketPolicy", "Resource": "*"}
    replaying.policies = [{"Statement": [everything, deny]}]

    found = replaying()

    assert (found.total, replaying.keys()) == (0, [])
    assert any(f"bucket {BUCKET}" == each.what for each in found.left_out)


def test_the_customers_own_topic_is_used_where_it_announces_the_logs(replaying: Replaying) -> None:
    account = replaying.account
    arn = account.add_topic("theirs", s3_may_publish(BUCKET))
    entry = {"Id": "theirs", "TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}
    policy = {"Version": "2012-10-17", "Statement": [DELIVERY]}
    account.add_bucket(BUCKET, policy=policy, notifications={"TopicConfigurations": [entry]})
    web = account.add_load_balancer("web", bucket=BUCKET)
    replaying.looking.create(web)
    replaying.begin = account.clock()
    keys = logs(replaying, web, 3)
    replaying.received()

    found = replaying()

    assert ([each.source.topic for each in found.counted], replaying.keys()) == ([arn], keys)


def s3_may_publish(bucket: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_wiped_notifications_do_not_stop_it(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    replaying.account.s3.put_bucket_notification_configuration(
        Bucket=location(replaying), NotificationConfiguration={}
    )
    keys = logs(replaying, arn, 2)
    assert replaying.received() == []

    assert replaying().announced == 2
    assert replaying.keys() == keys


def test_logs_that_have_expired_are_refused(replaying: Replaying) -> None:
    onboarded(replaying, LogRetentionDays="7")
    now = datetime.fromtimestamp(replaying.account.clock(), timezone.utc)
    with pytest.raises(OperatingError, match=f"Bucket {location(replaying)} keeps logs for 7 days"):
        replaying(window=Window(now - timedelta(days=8), now))
    assert replaying(window=Window(now - timedelta(days=6), now)).complete


def test_progress_names_the_last_key(replaying: Replaying) -> None:
    keys = logs(replaying, onboarded(replaying), 30)
    seat = Seat(replaying.account, ["y"])
    clock = replaying.account.clock

    class Slow(Sns):
        def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[Any]) -> Any:
            clock.sleep(10)
            return super().publish_batch(TopicArn, PublishBatchRequestEntries)

    replaying.sns = Slow(replaying.account)
    replaying(seat=seat, window=replaying.window())
    assert f"10 of 30 announced, up to s3://{location(replaying)}/{keys[9]}" in seat.told


def test_data_for_programs(replaying: Replaying) -> None:
    arn = onboarded(replaying)
    logs(replaying, arn, 2)
    (topic,) = replaying.account.world.topics
    data: Any = replaying().data()
    assert json.loads(json.dumps(data)) == data
    assert (data["found"], data["announced"], data["left_out"]) == (2, 2, [])
    (found,) = data["locations"]
    assert found["source"] == f"s3://{location(replaying)}/dt-logs-analysis/{TAG}"
    assert (found["topic"], found["found"]) == (topic, {name(arn): 2})
