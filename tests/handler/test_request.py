"""Check that each event becomes a request, or is refused with the wrong value and the fix."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import (
    ENDPOINT,
    GLOBAL_BUCKET,
    HERE,
    NOON,
    OWN_BUCKET,
    QUEUE,
    VENDOR,
    alb_arn,
    event,
    properties,
    recorded,
    request,
)
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

# A property, part of the expected fix, and values that are refused with that fix.
REFUSED: list[tuple[str, str, list[str]]] = [
    (
        "LoadBalancerArns",
        "Give the whole ARNs, without quotes, of application load balancers"
        " (arn:…:loadbalancer/app/NAME/ID) in this account and region"
        " (123456789012, us-east-1), or * alone for all.",
        [
            *(WEB.replace("/app/", kind) for kind in ("/net/", "/gwy/")),
            WEB.replace("/app/web/0000000000000001", "/web"),  # a classic load balancer
            WEB.replace(":loadbalancer/app/", ":targetgroup/"),
            WEB.replace("elasticloadbalancing", "elasticloadbalancer"),
            f"{WEB}/0123456789abcdef",  # a listener
            *("web", f'"{WEB}"', WEB[:-1], WEB[:-7], "x" * 120),
            *(WEB.replace("us-east-1", each) for each in ("eu-west-1", "us-east-11")),
            WEB.replace("123456789012", "210987654321"),
            WEB.replace("arn:aws:", "arn:aws-cn:"),
            "*",  # beside another ARN
        ],
    ),
    (
        "DataTheoremAccountId",
        "12 digits",
        ["", "99998888777", f"arn:aws:iam::{VENDOR}:root", "99998888777\u0667", f"{VENDOR}\n"],
    ),
    (
        "LogBucketName",
        "Give 3 to 63 lower-case letters, digits, hyphens and dots, or leave it empty.",
        [
            *("ab", "a" * 64, "Logs", "my_logs", "my..logs", "-logs", "logs-", "192.168.5.4"),
            *("xn--logs", "sthree-logs", "logs-s3alias", "logs--x-s3"),
            *("logs-210987654321-us-east-1-an", "logs-123456789012-eu-west-1-an"),
        ],
    ),
    (
        "LogRetentionDays",
        "1 to 36500",
        ["", "0", "-1", "1.5", "36501", "a month", "\u0663\u0660"],
    ),
    ("VendorReadScope", "LoadBalancer or Location", ["", "location"]),
    (
        "NotificationEndpoint",
        "Data Theorem",
        [
            *("", "http://logs.example.com/s3cr3t", "HTTPS://logs.example.com/s3cr3t"),
            *("https://localhost/s3cr3t", "https://user:s3cr3t@logs.example.com/"),
            *("https://logs.example.com/in put?s3cr3t", "https://logs.example.com\n/?s3cr3t"),
            *("https://[logs.example.com/s3cr3t", "https://logs.example.com:port/s3cr3t"),
            "https://logs.example.com/" + "s3cr3t" * 400,
            "arn:aws:sqs:us-east-1:999988887777:logs.fifo",
            "arn:aws-cn:sqs:cn-north-1:999988887777:logs",
            "arn:aws:sns:us-east-1:999988887777:logs",
            "arn:aws:sqs:us-east-1:999988887777:",
        ],
    ),
    ("Privileges", "documented or least-privilege", ["", "all"]),
    (
        "ResourceTags",
        "at most 40 tags key=value",
        [
            *("team", "=value", "te;am=a", "t" * 129 + "=a", "team=" + "a" * 257, "key39=again"),
            *("aws:team=a", "AWS:team=a", "dt-logs-analysis:left=nothing", "key40=a"),
        ],
    ),
]
BESIDE: dict[str, list[str]] = {
    "LoadBalancerArns": [API],
    "ResourceTags": [f"key{number}=a" for number in range(40)],
}


def refused(**given: object) -> InvalidRequest:
    """Return the refusal of a request with these properties."""
    with pytest.raises(InvalidRequest) as found:
        properties_of(properties(WEB, **given), HERE)
    return found.value


@pytest.mark.parametrize(
    ("name", "fix", "value"),
    [(name, fix, value) for name, fix, values in REFUSED for value in values],
)
def test_wrong_value_is_named_with_its_fix(name: str, fix: str, value: str) -> None:
    """If only one of several values is wrong, the failure names that one.

    An endpoint may contain a token, so the failure does not show the endpoint.
    """
    beside = BESIDE.get(name, [])
    if name == "ResourceTags" and value != "key40=a":
        beside = beside[-1:]
    found = refused(**{name: [*beside, value] if beside else value})
    shown = value if len(value) <= 120 else value[:119] + "…"
    shown = "…" if name == "NotificationEndpoint" else shown
    assert found.what == f"{name} {shown!r} is not valid."
    assert "s3cr3t" not in str(found)
    assert fix in found.fix
    for nothing in ([], [""], [" ", ""], {"a": "b"}):
        none = refused(LoadBalancerArns=nothing)
        assert none.what == "LoadBalancerArns '' is not valid."


@pytest.mark.parametrize(
    ("name", "value"),
    [("StackId", ""), ("StackId", "dt-logs"), ("StackId", 7), ("RequestType", "Upsert")],
)
def test_foreign_event_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match=name):
        parse({**recorded("create"), name: value}, NOON)


def test_recorded_events_are_understood_and_look_for_what_was_there_before() -> None:
    web, api = alb_arn("web", 0x50DC6C495C0C9188), alb_arn("api", 0x0123456789ABCDEF)
    wanted = Properties(
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
    for kind, asked, before in (
        ("Create", wanted, web),
        ("Update", wanted, api),
        ("Delete", None, web),
    ):
        found = parse(recorded(kind.lower()), NOON + 5)
        assert (found.kind, found.stack, found.time) == (kind, HERE, NOON)
        assert (found.properties, found.narrowed) == (asked, ())
        assert (found.traces.load_balancers, found.traces.buckets) == ((before,), ())
        assert found.privileges is Privileges.LEAST_PRIVILEGE


NAMES = ["", "logs", "my.logs", "l0g", "a" * 63, "logs-123456789012-us-east-1-an"]
ENDPOINTS = {
    Endpoint("https", ENDPOINT): "https://logs.example.com/…",
    Endpoint("https", "https://logs.example.com"): "https://logs.example.com/…",
    Endpoint("https", "https://logs.example.com:8443/a/s3cr3t"): "https://logs.example.com/…",
    Endpoint("sqs", QUEUE): QUEUE,
    Endpoint("sqs", ABROAD): ABROAD,
}
TAKEN: list[tuple[str, object, str, object]] = [
    ("LoadBalancerArns", f"{WEB}, {API},{WEB},", "load_balancers", (WEB, API)),
    ("ResourceTags", " team = a b ,x=", "tags", (("team ", " a b"), ("x", ""))),
    ("ResourceTags", "team=a=b", "tags", (("team", "a=b"),)),
    ("LogRetentionDays", "1", "retention_days", 1),
    ("LogRetentionDays", "36500", "retention_days", 36500),
    *(("LogBucketName", name, "bucket", name) for name in NAMES),
    *(("NotificationEndpoint", each.address, "endpoint", each) for each in ENDPOINTS),
]


@pytest.mark.parametrize(("name", "value", "attribute", "taken"), TAKEN)
def test_good_value_is_taken(name: str, value: object, attribute: str, taken: object) -> None:
    """A list may come as one string, with blanks and repetitions. A token is not shown."""
    found = properties_of(properties(WEB, **{name: value}), HERE)
    assert getattr(found, attribute) == taken
    assert found.endpoint.shown == ENDPOINTS[found.endpoint]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"LoadBalancerArns": [WEB, API]}, {"LoadBalancerArns": [API, WEB]}, True),
        ({}, {"LoadBalancerArns": [WEB, WEB]}, True),
        ({}, {"RunToken": "2", "LogRetentionDays": "60", "ResourceTags": ["a=b"]}, True),
        ({}, {"DataTheoremAccountId": "111122223333", "NotificationEndpoint": QUEUE}, True),
        ({}, {"VendorReadScope": "Location", "Privileges": "documented"}, True),
        ({}, {"LoadBalancerArns": [API]}, False),
        ({}, {"LoadBalancerArns": [WEB, API]}, False),
        ({}, {"LoadBalancerArns": ["*"]}, False),
        ({"LogBucketName": "one"}, {"LogBucketName": "two"}, False),
    ],
    ids=str,
)
def test_digest_is_of_what_decides_where_load_balancers_log(
    one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    """The digest identifies a rollback, even if other properties were changed, too."""
    first, second = (properties_of(properties(WEB, **each), HERE) for each in (one, other))
    assert (first.digest == second.digest) is same
    # The digest is in the register, where every release must recognise it.
    assert properties_of(properties(WEB), HERE).digest == "4ee7ff5e"
    assert properties_of(properties("*", LogBucketName="logs"), HERE).digest == "447517a9"


NARROWED = {"ExistingLogBucketNames": ["other"]}
NAMED = {"LogBucketName": "logs"}
STRAYS: dict[str, tuple[dict[str, object], dict[str, object], str, bool]] = {
    "nothing is narrowed": ({}, {}, "logs", False),
    "was covered": ({"ExistingLogBucketNames": ["logs"]}, {}, "logs", False),
    "was not covered": ({**NARROWED}, {}, "logs", True),
    "is covered from now on": ({}, {**NARROWED}, "logs", False),
    "named now": ({}, {**NAMED}, "logs", True),
    "named now and before": ({**NAMED}, {**NAMED}, "logs", False),
    "named before": ({**NAMED}, {}, "logs", False),
    "named before, not covered": ({**NAMED, **NARROWED}, {"LogBucketName": "new"}, "logs", False),
    "named now, another": ({}, {"LogBucketName": "new"}, "logs", False),
    "own": ({**NARROWED}, {}, OWN_BUCKET, False),
    "own by its global name": ({**NARROWED}, {}, GLOBAL_BUCKET, False),
}


@pytest.mark.parametrize(("old", "new", "bucket", "stray"), STRAYS.values(), ids=STRAYS)
def test_stray_is_a_bucket_that_the_old_role_cannot_leave(
    old: dict[str, object], new: dict[str, object], bucket: str, stray: bool
) -> None:
    """Under least privilege, a role may tag and secure only the stack's buckets and LogBucketName.

    It may use other buckets if ExistingLogBucketNames is empty or names them.
    """
    assert request("Update", WEB, old=properties(WEB, **old), **new).strays(bucket) is stray
    assert not request("Create", WEB, **new).strays(bucket)
    assert not request("Delete", WEB, **new).strays(bucket)


def test_request_knows_the_delete_of_what_it_asks_for_and_of_what_was_before() -> None:
    old = properties(API, LogBucketName="old", NotificationEndpoint=ELSEWHERE)
    asked = request("Update", WEB, old=old, LogBucketName="new", NotificationEndpoint=QUEUE)
    found = asked.deleted()
    assert (found.kind, found.properties, found.every) == ("Delete", None, True)
    assert (found.stack, found.time, found.privileges) == (HERE, NOON, Privileges.LEAST_PRIVILEGE)
    assert found.bucket == "new"
    assert set(found.traces.load_balancers) == {WEB, API}
    assert found.traces.buckets == ("new", "old")
    ends = {Endpoint("sqs", QUEUE).digest, Endpoint("https", ELSEWHERE).digest}
    assert found.endpoints == asked.endpoints == ends
    same = request("Update", WEB, LogBucketName="logs").deleted().traces
    assert (same.load_balancers, same.buckets) == ((WEB,), ("logs",))
    # `*` is not an ARN; a Delete finds the load balancers by their marks.
    assert request("Create", "*").deleted().traces.load_balancers == ()
    asked = request("Update", "*", old=properties(API))
    assert asked.deleted().traces.load_balancers == (API,)


def test_delete_takes_any_properties() -> None:
    """The Delete after a failed Create has the same properties, even if they are wrong."""
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


def test_update_remembers_the_old_buckets_and_star() -> None:
    old = properties(
        "*",
        LogBucketName="old",
        Privileges="documented",
        ResourceTags="team=a=b",
        ExistingLogBucketNames=["logs", "", "other"],
    )
    asked = request("Update", WEB, old=old, LogBucketName="new", ExistingLogBucketNames="now")
    assert (asked.narrowed, asked.traces.narrowed) == (("now",), ("logs", "other"))
    assert (asked.traces.buckets, asked.traces.every) == (("old",), True)
    assert asked.traces.tags == ("team",)
    assert asked.privileges is Privileges.LEAST_PRIVILEGE
    assert parse(event("Delete", old), NOON).narrowed == ("logs", "other")


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
    """If the URL has no valid date, the event's time is now."""
    assert event_time({"ResponseURL": url}) == expected
    if isinstance(url, str):
        found = parse({**recorded("create"), "ResponseURL": url}, NOON + 7.9).time
        assert found == (NOON + 7 if expected is None else expected)


@STEADY
@given(st.dictionaries(st.sampled_from(sorted(properties(WEB))), json_values))
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


def test_schedules_event_is_of_its_time_but_not_of_the_future() -> None:
    now, noon = NOON + 5.5, "2026-03-01T12:00:00Z"
    assert scheduled({"StackId": HERE.id, "Time": noon}, now) == (HERE, NOON)
    later = noon.replace("00Z", "09Z")
    assert scheduled({"StackId": HERE.id, "Time": later}, now) == (HERE, NOON + 5)
    with pytest.raises(InvalidRequest, match="Time 'noon' is not valid"):
        scheduled({"StackId": HERE.id, "Time": "noon"}, 0)
