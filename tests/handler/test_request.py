"""Checking events: each becomes a request, or is refused with the value and the fix."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import (
    ENDPOINT,
    GLOBAL_BUCKET,
    NOON,
    OWN_BUCKET,
    QUEUE,
    VENDOR,
    alb_arn,
    event,
    properties,
    recorded,
)
from support.states import HERE, request
from support.strategies import STEADY, json_values

from dt_logs_handler.errors import InvalidRequest
from dt_logs_handler.request import (
    Endpoint,
    Privileges,
    Properties,
    ReadScope,
    Traces,
    event_time,
    parse,
    properties_of,
    scheduled,
)

WEB, API = alb_arn("web", 1), alb_arn("api", 2)
ABROAD = "arn:aws:sqs:eu-west-1:999988887777:logs"
ELSEWHERE = "https://other.example.com/in"

ARNS = [
    ("network", WEB.replace("/app/", "/net/"), "application load balancer"),
    ("gateway", WEB.replace("/app/", "/gwy/"), "application load balancer"),
    ("classic", WEB.replace("/app/web/0000000000000001", "/web"), "application load balancer"),
    ("a target group", WEB.replace(":loadbalancer/app/", ":targetgroup/"), "loadbalancer/app/"),
    ("a typo in the service", WEB.replace("elasticloadbalancing", "elasticloadbalancer"), "arn:…:"),
    ("a typo in the id", WEB[:-1], "NAME/ID"),
    ("quotes around it", f'"{WEB}"', "the whole ARNs, without quotes"),
    ("cut off", WEB[:-7], "the whole ARNs, without quotes"),
    ("a listener below", f"{WEB}/0123456789abcdef", "NAME/ID"),
    ("a name", "web", "arn:…:loadbalancer/app/NAME/ID"),
    ("another region", WEB.replace("us-east-1", "eu-west-1"), "account and region"),
    ("another account", WEB.replace("123456789012", "210987654321"), "account and region"),
    ("another partition", WEB.replace("arn:aws:", "arn:aws-cn:"), "account and region"),
]


@pytest.mark.parametrize(("arn", "fix"), [case[1:] for case in ARNS], ids=[a[0] for a in ARNS])
def test_wrong_load_balancer_is_named_with_its_fix(arn: str, fix: str) -> None:
    """If only one of several ARNs is wrong, the failure names that one."""
    with pytest.raises(InvalidRequest) as refused:
        properties_of(properties(API, arn), HERE)
    assert arn in refused.value.what
    assert refused.value.what.startswith("LoadBalancerArns")
    assert fix in refused.value.fix


LISTS = [
    ("nothing", [], "''"),
    ("an empty text", [""], "''"),
    ("blanks", [" ", ""], "''"),
    ("no list", {"a": "b"}, "''"),
    ("all and one", ["*", WEB], "'*'"),
]


@pytest.mark.parametrize(("arns", "what"), [case[1:] for case in LISTS], ids=[a[0] for a in LISTS])
def test_wrong_list_of_load_balancers_is_explained(arns: object, what: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        properties_of(properties(LoadBalancerArns=arns), HERE)
    assert refused.value.what.startswith(f"LoadBalancerArns {what} ")
    assert "Give the whole ARNs" in refused.value.fix and "* alone" in refused.value.fix


VALUES = [
    ("DataTheoremAccountId", "", "12 digits"),
    ("DataTheoremAccountId", "99998888777", "12 digits"),
    ("DataTheoremAccountId", "arn:aws:iam::999988887777:root", "12 digits"),
    ("DataTheoremAccountId", "99998888777\u0667", "12 digits"),
    ("DataTheoremAccountId", "999988887777\n", "12 digits"),
    ("LogBucketName", "ab", "3 to 63"),
    ("LogBucketName", "a" * 64, "3 to 63"),
    ("LogBucketName", "Logs", "lower-case"),
    ("LogBucketName", "my_logs", "lower-case"),
    ("LogBucketName", "my..logs", "lower-case"),
    ("LogBucketName", "-logs", "lower-case"),
    ("LogBucketName", "logs-", "lower-case"),
    ("LogBucketName", "192.168.5.4", "lower-case"),
    ("LogBucketName", "xn--logs", "lower-case"),
    ("LogBucketName", "sthree-logs", "lower-case"),
    ("LogBucketName", "logs-s3alias", "lower-case"),
    ("LogBucketName", "logs--x-s3", "lower-case"),
    ("LogBucketName", "logs-210987654321-us-east-1-an", "leave it empty"),
    ("LogBucketName", "logs-123456789012-eu-west-1-an", "leave it empty"),
    ("LogRetentionDays", "", "1 to 36500"),
    ("LogRetentionDays", "0", "1 to 36500"),
    ("LogRetentionDays", "-1", "1 to 36500"),
    ("LogRetentionDays", "1.5", "1 to 36500"),
    ("LogRetentionDays", "36501", "1 to 36500"),
    ("LogRetentionDays", "a month", "1 to 36500"),
    ("LogRetentionDays", "\u0663\u0660", "1 to 36500"),
    ("VendorReadScope", "", "LoadBalancer or Location"),
    ("VendorReadScope", "location", "LoadBalancer or Location"),
    ("Privileges", "", "documented or least-privilege"),
    ("Privileges", "all", "documented or least-privilege"),
]


@pytest.mark.parametrize(("name", "value", "fix"), VALUES)
def test_wrong_value_is_named_with_its_fix(name: str, value: str, fix: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        properties_of(properties(WEB, **{name: value}), HERE)
    assert refused.value.what.startswith(f"{name} ")
    assert repr(value) in refused.value.what or len(value) > 63
    assert fix in refused.value.fix


def test_a_value_of_120_characters_is_shown_whole() -> None:
    for length, shown in ((120, "x" * 120), (121, "x" * 119 + "…")):
        with pytest.raises(InvalidRequest) as refused:
            properties_of(properties("x" * length), HERE)
        assert f"{shown!r} is not valid." in refused.value.what


def test_long_value_is_shown_in_part() -> None:
    with pytest.raises(InvalidRequest) as refused:
        properties_of(properties("x" * 4000), HERE)
    assert len(refused.value.what) < 250


@pytest.mark.parametrize("name", ["DataTheoremAccountId", "LogRetentionDays", "Privileges"])
def test_missing_value_is_refused(name: str) -> None:
    given = properties(WEB)
    del given[name]
    with pytest.raises(InvalidRequest, match=name):
        properties_of(given, HERE)


ENDPOINTS = [
    "",
    "http://logs.example.com/in?token=s3cr3t",
    "HTTPS://logs.example.com/in?token=s3cr3t",
    "https://localhost/in?token=s3cr3t",
    "https://user:s3cr3t@logs.example.com/",
    "https://logs.example.com/in put?token=s3cr3t",
    "https://logs.example.com\n/?token=s3cr3t",
    "https://[logs.example.com/?token=s3cr3t",
    "https://logs.example.com:port/?token=s3cr3t",
    "https://logs.example.com/" + "s3cr3t" * 400,
    "arn:aws:sqs:us-east-1:999988887777:logs.fifo",
    "arn:aws-cn:sqs:cn-north-1:999988887777:logs",
    "arn:aws:sns:us-east-1:999988887777:logs",
    "arn:aws:sqs:us-east-1:999988887777:",
]


@pytest.mark.parametrize("address", ENDPOINTS)
def test_wrong_endpoint_is_refused_and_not_repeated(address: str) -> None:
    """It may contain a token, so the failure does not show the value."""
    with pytest.raises(InvalidRequest) as refused:
        properties_of(properties(WEB, NotificationEndpoint=address), HERE)
    assert refused.value.what.startswith("NotificationEndpoint ")
    assert "s3cr3t" not in str(refused.value)
    assert "Data Theorem" in refused.value.fix


TAGS = [
    (["team"], "'team'"),
    (["=value"], "'=value'"),
    (["team=a", "team=b"], "'team=b'"),
    (["te;am=a"], "'te;am=a'"),
    (["team=" + "a" * 257], "'team=a"),
    (["t" * 129 + "=a"], "'tttt"),
    (["aws:team=a"], "aws:team"),
    (["AWS:team=a"], "AWS:team"),
    (["dt-logs-analysis:stack=0123456789ab"], "dt-logs-analysis:stack"),
    (["dt-logs-analysis:left=nothing"], "dt-logs-analysis:left"),
    ([f"key{number}=a" for number in range(41)], "'key40=a'"),
]


@pytest.mark.parametrize(("tags", "shown"), TAGS)
def test_wrong_tag_is_named(tags: list[str], shown: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        properties_of(properties(WEB, ResourceTags=tags), HERE)
    assert refused.value.what.startswith("ResourceTags")
    assert shown in refused.value.what
    assert "at most 40 tags key=value" in refused.value.fix


@pytest.mark.parametrize(
    ("name", "value"),
    [("StackId", ""), ("StackId", "dt-logs"), ("StackId", 7), ("RequestType", "Upsert")],
)
def test_foreign_event_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=name):
        parse({**recorded("create"), name: value}, NOON)


def test_recorded_create_is_understood() -> None:
    request = parse(recorded("create"), NOON + 5)
    web = alb_arn("web", 0x50DC6C495C0C9188)
    assert request.kind == "Create"
    assert request.stack == HERE
    assert request.time == NOON
    assert request.properties == Properties(
        load_balancers=(web,),
        vendor=VENDOR,
        endpoint=Endpoint("https", ENDPOINT),
        bucket="",
        retention_days=30,
        read_scope=ReadScope.LOAD_BALANCER,
        tags=(),
        privileges=Privileges.LEAST_PRIVILEGE,
        template_version="0.1.0",
        handler_sha256="0" * 64,
    )
    assert request.traces.load_balancers == (web,)
    assert request.traces.buckets == ()
    assert request.narrowed == ()


def test_recorded_update_looks_for_what_was_there_before() -> None:
    request = parse(recorded("update"), NOON)
    assert request.properties is not None
    assert request.properties.load_balancers == (alb_arn("web", 0x50DC6C495C0C9188),)
    assert request.traces.load_balancers == (alb_arn("api", 0x0123456789ABCDEF),)


def test_recorded_delete_needs_traces_only() -> None:
    request = parse(recorded("delete"), NOON)
    assert request.properties is None
    assert request.traces.load_balancers == (alb_arn("web", 0x50DC6C495C0C9188),)
    assert request.privileges is Privileges.LEAST_PRIVILEGE


def test_lists_may_come_as_one_text_with_blanks_and_repetitions() -> None:
    given = properties(LoadBalancerArns=f"{WEB}, {API},{WEB},", ResourceTags=" team = a b ,x=")
    found = properties_of(given, HERE)
    assert found.load_balancers == (WEB, API)
    assert dict(found.tags) == {"team ": " a b", "x": ""}


DIGESTS: list[tuple[str, dict[str, object], dict[str, object], bool]] = [
    ("order", {"LoadBalancerArns": [WEB, API]}, {"LoadBalancerArns": [API, WEB]}, True),
    ("repetition", {}, {"LoadBalancerArns": [WEB, WEB]}, True),
    ("run", {}, {"RunToken": "2", "LogRetentionDays": "60", "ResourceTags": ["a=b"]}, True),
    ("reader", {}, {"DataTheoremAccountId": "111122223333", "NotificationEndpoint": QUEUE}, True),
    ("scope", {}, {"VendorReadScope": "Location", "Privileges": "documented"}, True),
    ("another", {}, {"LoadBalancerArns": [API]}, False),
    ("one more", {}, {"LoadBalancerArns": [WEB, API]}, False),
    ("all", {}, {"LoadBalancerArns": ["*"]}, False),
    ("bucket", {}, {"LogBucketName": "logs"}, False),
    ("another bucket", {"LogBucketName": "one"}, {"LogBucketName": "two"}, False),
]


@pytest.mark.parametrize(
    ("one", "other", "same"), [case[1:] for case in DIGESTS], ids=[case[0] for case in DIGESTS]
)
def test_digest_is_of_what_decides_where_load_balancers_log(
    one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    """A rollback is recognised by it, whatever else was changed and is changed back."""
    first, second = (properties_of(properties(WEB, **each), HERE) for each in (one, other))
    assert (first.digest == second.digest) is same


def test_digest_is_written_out() -> None:
    """It is in the register, where every release must recognise it."""
    assert properties_of(properties(WEB), HERE).digest == "4ee7ff5e"
    assert properties_of(properties("*", LogBucketName="logs"), HERE).digest == "447517a9"


def test_every_load_balancer_is_asked_for_by_a_star() -> None:
    assert properties_of(properties("*"), HERE).every
    assert not properties_of(properties(WEB), HERE).every


@pytest.mark.parametrize(
    ("address", "protocol", "shown"),
    [
        (ENDPOINT, "https", "https://logs.example.com/…"),
        ("https://logs.example.com", "https", "https://logs.example.com/…"),
        ("https://logs.example.com:8443/a/s3cr3t", "https", "https://logs.example.com/…"),
        (QUEUE, "sqs", QUEUE),
        (
            "arn:aws:sqs:eu-west-1:999988887777:logs",
            "sqs",
            "arn:aws:sqs:eu-west-1:999988887777:logs",
        ),
    ],
)
def test_good_endpoint_is_shown_without_its_token(address: str, protocol: str, shown: str) -> None:
    endpoint = properties_of(properties(WEB, NotificationEndpoint=address), HERE).endpoint
    assert endpoint.address == address
    assert endpoint.protocol == protocol
    assert endpoint.shown == shown


@pytest.mark.parametrize(
    "name", ["", "logs", "my.logs", "l0g", "a" * 63, "logs-123456789012-us-east-1-an"]
)
def test_good_bucket_name_is_taken(name: str) -> None:
    assert properties_of(properties(WEB, LogBucketName=name), HERE).bucket == name


def test_existing_buckets_narrow_the_search() -> None:
    given = properties(WEB, ExistingLogBucketNames=["logs", "", "other"])
    assert parse(event("Delete", given), NOON).narrowed == ("logs", "other")
    found = request("Update", WEB, old=given, ExistingLogBucketNames="new")
    assert (found.narrowed, found.traces.narrowed) == (("new",), ("logs", "other"))


STRAYS: list[tuple[str, dict[str, object], dict[str, object], str, bool]] = [
    ("nothing is narrowed", {}, {}, "logs", False),
    ("was covered", {"ExistingLogBucketNames": ["logs"]}, {}, "logs", False),
    ("was not covered", {"ExistingLogBucketNames": ["other"]}, {}, "logs", True),
    ("is covered from now on", {}, {"ExistingLogBucketNames": ["other"]}, "logs", False),
    ("named now", {}, {"LogBucketName": "logs"}, "logs", True),
    ("named now and before", {"LogBucketName": "logs"}, {"LogBucketName": "logs"}, "logs", False),
    ("named before", {"LogBucketName": "logs"}, {}, "logs", False),
    (
        "named before, not covered",
        {"LogBucketName": "logs", "ExistingLogBucketNames": ["other"]},
        {"LogBucketName": "new"},
        "logs",
        False,
    ),
    ("named now, another", {}, {"LogBucketName": "new"}, "logs", False),
    ("own", {"ExistingLogBucketNames": ["other"]}, {}, OWN_BUCKET, False),
    ("own by its global name", {"ExistingLogBucketNames": ["other"]}, {}, GLOBAL_BUCKET, False),
]


@pytest.mark.parametrize(
    ("old", "new", "bucket", "stray"), [case[1:] for case in STRAYS], ids=[c[0] for c in STRAYS]
)
def test_stray_is_a_bucket_that_the_old_role_cannot_leave(
    old: dict[str, object], new: dict[str, object], bucket: str, stray: bool
) -> None:
    """A role covers the stack's own buckets, LogBucketName and ExistingLogBucketNames."""
    assert request("Update", WEB, old=properties(WEB, **old), **new).strays(bucket) is stray
    assert not request("Create", WEB, **new).strays(bucket)
    assert not request("Delete", WEB, **new).strays(bucket)


def test_request_knows_the_delete_of_what_it_asks_for() -> None:
    asked = request("Create", WEB, API, LogBucketName="logs", NotificationEndpoint=QUEUE)
    found = asked.deleted()
    assert (found.kind, found.properties, found.every) == ("Delete", None, True)
    assert (found.stack, found.time, found.privileges) == (HERE, NOON, Privileges.LEAST_PRIVILEGE)
    assert found.bucket == "logs"
    assert found.traces.load_balancers == (WEB, API)
    assert found.endpoints == asked.endpoints == {Endpoint("sqs", QUEUE).digest}


def test_request_knows_the_delete_of_an_update_with_what_was_before() -> None:
    old = properties(API, LogBucketName="old", NotificationEndpoint=ELSEWHERE)
    found = request("Update", WEB, old=old, LogBucketName="new", NotificationEndpoint=QUEUE)
    traces = found.deleted().traces
    assert set(traces.load_balancers) == {WEB, API}
    assert traces.buckets == ("new", "old")
    assert found.deleted().endpoints == {
        Endpoint("sqs", QUEUE).digest,
        Endpoint("https", ELSEWHERE).digest,
    }
    same = request("Update", WEB, LogBucketName="logs").deleted().traces
    assert (same.load_balancers, same.buckets) == ((WEB,), ("logs",))


def test_delete_of_all_load_balancers_names_none_of_them() -> None:
    """`*` is not the ARN of a load balancer; a Delete finds them by their marks."""
    assert request("Create", "*").deleted().traces.load_balancers == ()
    asked = request("Update", "*", old=properties(API))
    assert asked.deleted().traces.load_balancers == (API,)


def test_delete_takes_any_properties() -> None:
    """After a failed Create, its Delete has the same properties, however wrong they are."""
    given = {
        "LoadBalancerArns": [WEB, 7, "nonsense", WEB.replace("us-east-1", "eu-west-1")],
        "LogBucketName": "Not A Bucket",
        "Privileges": ["?"],
        "ExistingLogBucketNames": {"a": 1},
    }
    request = parse(event("Delete", given), NOON)
    assert request.traces.load_balancers == (WEB,)
    assert request.traces.buckets == ()
    assert request.privileges is Privileges.DOCUMENTED
    assert parse(event("Delete", {}), NOON).traces == Traces()


def test_update_remembers_the_old_bucket_and_star() -> None:
    old = properties("*", LogBucketName="old-logs", Privileges="documented")
    request = parse(event("Update", properties(WEB, LogBucketName="new-logs"), old), NOON)
    assert request.traces.buckets == ("old-logs",)
    assert request.traces.every
    assert request.privileges is Privileges.LEAST_PRIVILEGE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example.com/?X-Amz-Date=20260301T120000Z&X-Amz-Signature=x", 1772366400),
        ("https://a.example.com/?X-Amz-Date=19700101T000001Z", 1),
        ("https://a.example.com/?X-Amz-Date=20260301", None),
        ("https://a.example.com/?X-Amz-Date=", None),
        ("https://a.example.com/", None),
        ("", None),
        (None, None),
    ],
)
def test_event_is_as_old_as_its_answer_url(url: object, expected: int | None) -> None:
    assert event_time({"ResponseURL": url}) == expected


def test_event_without_a_date_is_from_now() -> None:
    given = {**recorded("create"), "ResponseURL": "https://a.example.com/"}
    assert parse(given, NOON + 7.9).time == NOON + 7


NAMES = sorted(properties(WEB))


@STEADY
@given(st.dictionaries(st.sampled_from(NAMES), json_values))
def test_any_properties_are_taken_or_refused(changed: dict[str, Any]) -> None:
    """Whatever CloudFormation sends, the only possible error is InvalidRequest."""
    for kind in ("Create", "Update", "Delete"):
        try:
            parse(event(kind, properties(WEB, **changed)), NOON)
        except InvalidRequest as refused:
            assert refused.what and refused.fix


@STEADY
@given(st.from_regex(r"https://[a-z\[\]@:%.]{1,12}[/?#][ -~]{0,12}", fullmatch=True))
def test_endpoint_that_is_taken_can_be_shown(address: str) -> None:
    given = properties(WEB, NotificationEndpoint=address)
    try:
        endpoint = properties_of(given, HERE).endpoint
    except InvalidRequest:
        return
    assert endpoint.shown.startswith("https://")
    assert address.partition("//")[2].partition("/")[2] in ("", "…") or endpoint.shown != address


@pytest.mark.parametrize(
    ("time", "found"),
    [("2026-03-01T12:00:00Z", 1_772_366_400), ("2026-03-01T12:00:09Z", 1_772_366_405)],
)
def test_schedules_event_is_of_its_time_but_not_of_the_future(time: str, found: int) -> None:
    assert scheduled({"StackId": HERE.id, "Time": time}, 1_772_366_405.5) == (HERE, found)


def test_schedules_event_without_a_time_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Time 'noon' is not valid"):
        scheduled({"StackId": HERE.id, "Time": "noon"}, 0)


@pytest.mark.parametrize("days", [1, 36500])
def test_the_limits_of_a_number_and_a_tags_further_equals_signs_are_taken(days: int) -> None:
    given = {"LogRetentionDays": str(days), "ResourceTags": "team=a=b"}
    asked = request("Update", WEB, old=properties(WEB, **given), **given)
    assert asked.properties
    assert (asked.properties.retention_days, dict(asked.properties.tags)) == (days, {"team": "a=b"})
    assert asked.traces.tags == ("team",)
