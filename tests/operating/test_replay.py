"""`replay`: its window, the logs that it announces again, their recipients, and its reports."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from operating.accounts import EVERYTHING, HERE, LOGS, POLICY, Looking
from support.commands import Runner, Seat
from support.events import ACCOUNT, ENDPOINT, STACK, TAG, VENDOR
from support.looks import can_read, delivered

from dt_logs_cfn.commands import replay as command
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.replay.replaying import AT_ONCE, ENTRIES, Replayed, Wanted, replay, sent
from dt_logs_cfn.operate.replay.sources import LogObject, Source, event
from dt_logs_cfn.operate.replay.window import Window, check_kept, window
from dt_logs_handler.names import Location, load_balancer_name
from dt_logs_rehearsal.account import Account, Refused, client_error

HOUR = 3600


@dataclass
class Replaying:
    """An account with stacks; the logs since `begin` can be replayed."""

    looking: Looking
    begin: float = 0.0
    sns: Any = None
    policies: Any = None

    def __post_init__(self) -> None:
        self.account = self.looking.account

    @property
    def balancers(self) -> list[str]:
        """The ARNs of the load balancers, in the order in which they were added."""
        return [*self.account.world.load_balancers]

    @property
    def bucket(self) -> str:
        """The bucket that a stack has made."""
        (name,) = (e for e in self.account.world.buckets if e.startswith("dt-logs"))
        return name

    def seat(self, *answers: str) -> Seat:
        return Seat(answers=[*answers], clock=self.account.clock)

    def window(self) -> Window:
        begin, end = self.begin, self.account.clock() + 1
        return Window(*(datetime.fromtimestamp(each, timezone.utc) for each in (begin, end)))

    def __call__(self, *, seat: Seat | None = None, **asked: Any) -> Replayed:
        """Replay the logs since `begin`; ask for confirmation only if `seat` is given."""
        caller = self.account.caller(self.policies, role="operator")
        elbv2, s3, sns = (
            self.account.client(each, caller=caller) for each in ("elbv2", "s3", "sns")
        )
        wanted = Wanted(**{"stack": "dt-logs", "window": self.window(), "yes": not seat, **asked})
        operator = (seat or self.seat()).operator
        cloudformation = cast(Any, self.looking.cloudformation)
        clients = elbv2, s3, self.sns or sns
        return replay(cloudformation, clients, wanted, operator, self.account.clock)

    def received(self) -> list[dict[str, Any]]:
        """Remove and return the records that the vendor's endpoint has received."""
        messages = self.account.world.deliveries.setdefault(ENDPOINT, [])
        bodies = delivered(self.account, ENDPOINT)
        messages.clear()
        return [record for each in bodies for record in each.get("Records", [])]

    def keys(self) -> list[str]:
        """Remove the records that the endpoint has received, and return the keys of their logs."""
        return [each["s3"]["object"]["key"] for each in self.received()]

    def logs(self, arn: str, count: int) -> list[str]:
        """Let a load balancer write a log a minute, drop the announcements, and return the keys."""
        keys = list[str]()
        for _ in range(count):
            self.account.clock.sleep(60)
            keys.append(self.account.write_log(arn) or "")
        self.received()
        assert all(keys)
        return keys

    def onboarded(self, count: int, **changed: str) -> list[str]:
        """Onboard a load balancer, let it write logs, and return their keys."""
        arn = self.account.add_load_balancer("web")
        self.looking.create(arn, **changed)
        self.account.clock.sleep(HOUR)
        self.begin = self.account.clock()
        return self.logs(arn, count)

    def shared(self, count: int) -> list[str]:
        """Onboard the first of two load balancers in a customer's bucket, and let it write logs."""
        self.account.add_bucket(LOGS, policy=POLICY)
        web, _ = (self.account.add_load_balancer(e, bucket=LOGS) for e in ("web", "api"))
        self.looking.create(web)
        self.begin = self.account.clock()
        return self.logs(web, count)

    def both(self) -> tuple[str, str]:
        """Onboard `web`, and a load balancer that logs to our bucket, in a stack named `both`."""
        self.shared(0)
        web, other = self.balancers[0], self.account.add_load_balancer("other")
        self.looking.create(web, other, stack=STACK.replace("6b5d", "6b5e"), name="both")
        return web, other


@pytest.fixture
def replaying(looking: Looking) -> Replaying:
    return Replaying(looking)


def test_each_log_is_announced_once_as_s3_announced_it(replaying: Replaying) -> None:
    replaying.onboarded(0)
    account, (arn,) = replaying.account, replaying.balancers
    for _ in range(25):
        account.clock.sleep(60)
        account.write_log(arn)
    by_key = {each["s3"]["object"]["key"]: each for each in replaying.received()}
    (topic,), bucket = account.world.topics, replaying.bucket
    # `replay` does not need the notification.
    account.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})

    found = replaying()

    again = replaying.received()
    assert (found.total, found.announced, found.complete) == (25, 25, True)
    data: Any = found.data()
    assert json.loads(json.dumps(data)) == data
    assert (data["found"], data["announced"], data["left_out"]) == (25, 25, [])
    (place,) = data["locations"]
    assert place["source"] == f"s3://{bucket}/dt-logs-analysis/{TAG}"
    assert (place["topic"], place["found"]) == (topic, {load_balancer_name(arn): 25})
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


def test_only_the_window_is_announced_also_over_midnight(replaying: Replaying) -> None:
    """A log that was stored late may be in the previous day's folder."""
    replaying.onboarded(0)
    (arn,), clock = replaying.balancers, replaying.account.clock
    clock.sleep(24 * HOUR - clock() % (24 * HOUR) - 150)  # until 23:57:30
    replaying.begin = clock()
    begin, keys = datetime.fromtimestamp(clock(), timezone.utc), replaying.logs(arn, 5)
    days = [key.split("/")[-2] for key in keys]
    assert len(set(days)) == 2

    assert (replaying().announced, replaying.keys()) == (5, keys)
    part = Window(begin + timedelta(minutes=2), begin + timedelta(minutes=4))
    assert (replaying(window=part).total, replaying.keys()) == (2, keys[1:3])

    bucket = replaying.account.world.buckets[replaying.bucket]
    late = keys[-1].replace(days[-1], days[0], 1)
    bucket.objects[late] = bucket.objects.pop(keys[-1])
    replaying.begin = clock() - 90
    assert (replaying().announced, replaying.keys()) == (2, [late, keys[-2]])


def test_neighbours_and_other_logs_are_not_announced(replaying: Replaying) -> None:
    keys, account, (web, api) = replaying.shared(3), replaying.account, replaying.balancers
    others = replaying.logs(api, 2)
    account.world.load_balancers[web].attributes |= {
        "connection_logs.s3.enabled": "true",
        "connection_logs.s3.bucket": LOGS,
        "connection_logs.s3.prefix": "",
    }
    assert account.write_log(web, kind="connection")
    account.s3.put_object(Bucket=LOGS, Key=keys[0].removesuffix(".log.gz") + ".txt", Body=b"")
    replaying.received()

    found = replaying()

    assert replaying.keys() == keys
    assert [dict(each.found) for each in found.counted] == [{load_balancer_name(web): 3}]
    assert all(can_read(account, VENDOR, LOGS, key) for key in keys)
    assert not any(can_read(account, VENDOR, LOGS, key) for key in others)


def test_nothing_is_sent_before_it_is_confirmed(replaying: Replaying) -> None:
    replaying.onboarded(0)
    assert (replaying(seat=(seat := replaying.seat())).total, seat.asked) == (0, [])
    (arn,) = replaying.balancers
    replaying.logs(arn, 3)
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


def test_it_goes_on_after_the_last_object_that_it_printed(replaying: Replaying) -> None:
    web, other = replaying.both()
    keys = [*replaying.logs(other, 3), *replaying.logs(web, 12)]
    first, second = (e.source.location.bucket for e in replaying(stack="both").counted)
    assert (first < second, sorted(replaying.keys())) == (True, sorted(keys))

    for n, each in enumerate(keys, 1):
        after = f"s3://{first if n <= 3 else second}/{each}"
        assert replaying(stack="both", after=after).announced == 15 - n
        assert sorted(replaying.keys()) == sorted(keys[n:])
    for after in ("s3://other/key", "key", f"s3://{replaying.bucket}/other"):
        with pytest.raises(OperatingError, match=f"--after '{after}' is not in a location"):
            replaying(stack="both", after=after)


@dataclass
class Sns:
    """An SNS client in front of the account's; a test sets which calls and messages fail."""

    account: Account
    seconds: float = 0.0  # how long a call takes
    calls: int = 0
    # The errors, by call number; a call that fails has no effect.
    fails: Mapping[int, Exception] = field(default_factory=dict)
    interrupts: str = "no log"  # the key of a log; the call that sends it is interrupted
    # For each code, how often a message is rejected, and whether the sender is at fault.
    rejects: Mapping[str, tuple[int, bool]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[Any]) -> Any:
        self.calls += 1
        self.account.clock.sleep(self.seconds)
        assert len(PublishBatchRequestEntries) <= 10
        if self.calls in self.fails:
            raise self.fails[self.calls]
        if any(self.interrupts in each["Message"] for each in PublishBatchRequestEntries):
            raise KeyboardInterrupt
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


def test_what_fails_is_sent_again_alone_after_growing_pauses(replaying: Replaying) -> None:
    keys = replaying.onboarded(9)
    throttled = client_error("PublishBatch", Refused("Throttling", "no"))
    sns = replaying.sns = Sns(replaying.account, fails=dict.fromkeys((1, 2, 3), throttled))
    sns.rejects = {"InternalFailure": (2, False), "ThrottlingException": (1, True)}
    seat = replaying.seat("y")

    found = replaying(seat=seat)

    assert (found.announced, Counter(replaying.keys())) == (9, Counter(keys))
    assert (sns.rejected, sns.calls) == ({"InternalFailure": 2, "ThrottlingException": 1}, 6)
    assert [1 <= a <= 2 <= b <= 4 <= c <= 8 <= d <= 16 for a, b, c, d, _ in [seat.slept]] == [True]


def test_what_sns_never_takes_ends_it_with_how_to_go_on(replaying: Replaying) -> None:
    """A message that SNS rejects as the sender's fault is not sent again."""
    replaying.onboarded(3)
    for code, senders, calls in (("InternalFailure", False, 8), ("InvalidParameter", True, 1)):
        replaying.sns = Sns(replaying.account, rejects={code: (99, senders)})
        seat = replaying.seat("y")
        with pytest.raises(OperatingError, match=rf"SNS did not accept a message \({code}\)"):
            replaying(seat=seat)
        assert replaying.sns.calls == calls
        again = "The replay stopped. To continue: `dt-logs-cfn replay --stack dt-"
        assert seat.lines[-1].startswith(again)


def test_an_interrupted_replay_says_how_far_it_is_and_how_to_go_on(replaying: Replaying) -> None:
    keys = replaying.onboarded(100)
    replaying.sns = Sns(replaying.account, seconds=10, interrupts=keys[65])
    seat = replaying.seat("y")
    with pytest.raises(KeyboardInterrupt):
        replaying(seat=seat, window=(whole := replaying.window()))
    told, replaying.sns = seat.lines[-1], None
    assert f"10 of 100 announced, up to s3://{replaying.bucket}/{keys[9]}" in seat.lines
    after = f"s3://{replaying.bucket}/{keys[59]}"
    again = f"dt-logs-cfn replay --stack dt-logs {whole} --after {after}"
    assert told == f"The replay stopped. To continue: `{again}`"
    assert set(keys[:60]) <= set(replaying.keys())

    found = replaying(after=after, window=whole)

    assert (found.announced, replaying.keys()) == (40, keys[60:])


@pytest.mark.parametrize(
    ("action", "resource", "sent"),
    [
        ("elasticloadbalancing:DescribeLoadBalancerAttributes", "*", 0),
        ("s3:GetBucketNotification", "*", 0),
        ("s3:GetBucketPolicy", "*", 0),
        ("s3:GetBucketTagging", "*", 0),
        ("s3:GetLifecycleConfiguration", "*", 0),
        ("s3:ListBucket", "*", 0),
        ("sns:GetTopicAttributes", "*", 0),
        ("sns:ListSubscriptionsByTopic", "*", 0),
        ("sns:Publish", "*", 0),
        ("s3:ListBucket", f"arn:aws:*:*{LOGS}*", 3),
        ("sns:Publish", f"arn:aws:*:*{LOGS}*", 3),
    ],
)
def test_without_a_right_nothing_is_left_out_in_silence_and_other_locations_are_sent(
    replaying: Replaying, action: str, resource: str, sent: int
) -> None:
    web, other = replaying.both()
    keys, _ = replaying.logs(other, 3), replaying.logs(web, 2)
    deny = {"Effect": "Deny", "Action": action, "Resource": resource}
    replaying.policies = [{"Statement": [EVERYTHING, deny]}]
    try:
        found = replaying(stack="both")
    except (ClientError, OperatingError) as error:
        said = str(error)
        assert sent == 0
    else:
        said = "\n".join(found.lines())
        assert (found.announced, found.complete) == (sent, False)
        assert f"s3://{LOGS}/" in said
    assert action in said.replace("SNS:", "sns:")
    assert replaying.keys() == keys[:sent]


def edited(change: dict[str, Any]) -> Callable[[Replaying], None]:
    """Return a function that changes the statement that lets the vendor read."""

    def edit(statements: list[Any]) -> None:
        next(each for each in statements if "Read" in each.get("Sid", "")).update(change)

    return lambda it: it.looking.edit_policy(LOGS, edit)


def moved(it: Replaying) -> None:
    attributes = it.account.world.load_balancers[it.balancers[0]].attributes
    attributes["access_logs.s3.prefix"] = "new"


NARROWED = {"Condition": {"StringEquals": {"aws:PrincipalTag/a": "b"}}}
DISARMED = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
AT, LATER, EDITED = f"s3://{LOGS}/", "later logs of app/web/", "is not as the stack wrote it. Run"
NO_GRANT = "No bucket's policy has a statement of this stack. Run the stack again"
ENDED = "The stack's endpoint has no confirmed subscription to topic arn:aws:sns:"
GONE = "It no longer exists. Remove it from the stack's LoadBalancerArns."


@pytest.mark.parametrize(
    ("change", "what", "why"),
    [
        (edited(NARROWED), AT, f"{EDITED} the stack again"),
        (edited(DISARMED), AT, f"{EDITED} the stack again"),
        (lambda it: it.account.s3.delete_bucket_policy(Bucket=LOGS), "all", NO_GRANT),
        (lambda it: it.account.unsubscribe(ENDPOINT), AT, ENDED),
        (lambda it: it.account.world.topics.clear(), AT, f"-{LOGS} does not exist. Run the stack"),
        (lambda it: it.account.world.load_balancers.pop(it.balancers[0]), LATER, GONE),
        (moved, LATER, f"It logs to s3://{LOGS}/new, which is not registered. Run"),
    ],
)
def test_what_is_left_out_is_said(
    replaying: Replaying, change: Callable[[Replaying], object], what: str, why: str
) -> None:
    """A load balancer's earlier logs are announced even if its later logs cannot be."""
    keys = replaying.shared(2)
    change(replaying)

    found = replaying()

    left = found.left_out[0]
    assert (found.complete, left.what.startswith(what), why in left.why) == (False, True, True)
    assert replaying.keys() == (keys if what.startswith("later") else [])


def test_the_customers_own_topic_is_used_where_it_announces_the_logs(replaying: Replaying) -> None:
    publishes: dict[str, Any] = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
    publishes["Principal"] = {"Service": "s3.amazonaws.com"}
    policy = {"Version": "2012-10-17", "Statement": [publishes]}
    arn = replaying.account.add_topic("theirs", policy)
    entry = {"Id": "theirs", "TopicArn": arn, "Events": ["s3:ObjectCreated:*"]}
    web = replaying.looking.onboarded(notifications={"TopicConfigurations": [entry]})
    replaying.begin = replaying.account.clock()
    keys = replaying.logs(web, 3)

    found = replaying()

    assert ([each.source.topic for each in found.counted], replaying.keys()) == ([arn], keys)


def test_logs_that_have_expired_are_refused(replaying: Replaying) -> None:
    replaying.onboarded(0, LogRetentionDays="7")
    now = datetime.fromtimestamp(replaying.account.clock(), timezone.utc)
    with pytest.raises(OperatingError, match=f"Bucket {replaying.bucket} keeps logs for 7 days"):
        replaying(window=Window(now - timedelta(days=8), now))
    assert replaying(window=Window(now - timedelta(days=6), now)).complete


NOW = datetime(2026, 11, 28, 12, 30, 15, tzinfo=timezone.utc)
NOWADAYS, TEN = "--until 2026-11-28T12:30:15Z", "2026-11-28T10:00Z"
PREFIXED = "p/AWSLogs/1/elasticloadbalancing/us-east-1/"


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        (TEN, None, f"--since 2026-11-28T10:00:00Z {NOWADAYS}"),
        (
            *("2026-11-28T10:00:07.500+01:00", "2026-11-28t10:00:00z"),
            "--since 2026-11-28T09:00:07Z --until 2026-11-28T10:00:00Z",
        ),
        (TEN, "2027-01-01T00:00Z", f"--since 2026-11-28T10:00:00Z {NOWADAYS}"),
        ("0002-01-01T00:00Z", None, f"--since 2016-08-11T00:00:00Z {NOWADAYS}"),
        ("2026-11-28T13:00Z", None, "3: --since 2026-11-28T13:00Z is in the future."),
        ("2026-11-28T12:30:15Z", None, "3: --since 2026-11-28T12:30:15Z is in the future. It is 2"),
        (TEN[:-1], None, f"3: --since {TEN[:-1]} has no time zone. Give a time such"),
        ("2026-11-28", None, "3: --since 2026-11-28 has no time zone."),
        (TEN, "2026-11-28T11:00", "3: --until 2026-11-28T11:00 has no"),
        *(
            (wrong, None, f"2: --since '{wrong}' is not a time.")
            for wrong in ("yesterday", "", "2026-02-30T00:00Z", "0001-01-01T00:00+14:00")
        ),
        (TEN, TEN, f"2: --until {TEN} is not after"),
    ],
)
def test_a_window_is_in_utc_and_ends_now_and_a_wrong_one_is_refused_before_any_call(
    capsys: pytest.CaptureFixture[str], since: str, until: str | None, told: str
) -> None:
    now = NOW.timestamp() + 0.9
    if told.startswith("--"):
        assert str(window(since, until, now)) == told
        return
    run = Runner(command.configure, partial(command.run, clock=lambda: now), capsys)
    ran = run("--since", since, *(["--until", until] if until else []))
    assert (ran.out, f"{ran.code}: {ran.failure}"[: len(told)]) == ("", told)


def rule(**changed: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}, **changed}


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (rule(), False),
        (rule(Filter={"Prefix": "p/AWSLogs/"}), False),
        (rule(Filter={}), False),
        ({"Status": "Enabled", "Prefix": "p/", "Expiration": {"Days": 7}}, False),
        (rule(Expiration={"Days": 8}), True),
        (rule(Expiration={"Date": NOW}), True),
        (rule(Status="Disabled"), True),
        (rule(Filter={"Prefix": "other/"}), True),
        (rule(Filter={"Prefix": PREFIXED + "2026/"}), True),
        ({"Status": "Enabled", "Prefix": "other/", "Expiration": {"Days": 7}}, True),
        (rule(Filter={"Tag": {"Key": "a", "Value": "b"}}), True),
        (rule(Filter={"And": {"Prefix": "", "ObjectSizeGreaterThan": 1}}), True),
        (rule(Expiration={"ExpiredObjectDeleteMarker": True}), True),
    ],
)
def test_a_lifecycle_rule_that_took_logs_of_the_window(found: dict[str, Any], kept: bool) -> None:
    asked = Window(NOW - timedelta(days=7, hours=1), NOW)
    given: Any = {"Rules": [rule(Status="Disabled"), found]}
    if kept:
        check_kept("b", given, PREFIXED, asked, NOW.timestamp())
        return
    with pytest.raises(OperatingError) as caught:
        check_kept("b", given, PREFIXED, asked, NOW.timestamp())
    assert str(caught.value) == (
        "Bucket b keeps logs for 7 days, and --since 2026-11-21T11:30:15Z is longer ago."
        " Give --since 2026-11-21T12:31:15Z or later."
    )
    later = Window(NOW - timedelta(days=7) + timedelta(minutes=1), NOW)
    check_kept("b", given, PREFIXED, later, NOW.timestamp())


def test_the_days_of_a_window_begin_with_that_of_the_hour_before() -> None:
    for since, until, days in (
        ("27T01:00", "27T23:59", ["2026-11-27"]),
        ("27T00:59", "28T00:00", ["2026-11-26", "2026-11-27", "2026-11-28"]),
    ):
        found = window(f"2026-11-{since}Z", f"2026-11-{until}Z", NOW.timestamp())
        assert [str(each) for each in found.days()] == days


def test_ten_events_of_the_longest_keys_fit_into_a_batch() -> None:
    found = LogObject("é" * 512, "app/web/1", 2**40, "0" * 32, NOW)  # a key of 1,024 bytes
    source = Source(Location("b" * 255, "p" * 512), "arn:aws:sns:us-east-1:1:t")
    assert ENTRIES * len(event(found, source, HERE).encode()) < 262_144 / 5


def test_batches_come_back_in_order_and_few_items_are_in_memory() -> None:
    lock, busy, most, taken = threading.Lock(), 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 2_005:
            taken += 1
            yield taken

    def send(batch: Sequence[int]) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02 if batch[0] % 20 == 1 else 0.001)
        with lock:
            busy -= 1

    batches, ahead = list[Sequence[int]](), 0
    for batch in sent(items(), send):
        ahead = max(ahead, taken - ENTRIES * len(batches))
        batches.append(batch)
    assert [each for batch in batches for each in batch] == [*range(1, 2_006)]
    assert [len(each) for each in batches] == [*[ENTRIES] * 200, 5]
    assert most == AT_ONCE and ENTRIES <= ahead <= 50 * ENTRIES


def test_after_a_failure_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def send(batch: Sequence[int]) -> None:
        begun.append(batch[0])
        if batch[0] == 30:
            raise ValueError("no")
        time.sleep(0.01)

    found: list[Sequence[int]] = []
    with pytest.raises(ValueError):
        found.extend(sent(range(10_000), send))
    assert len(begun) < 40
