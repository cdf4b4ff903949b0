"""Tests of the register in a bucket policy: only our own statements are registrations."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import OTHER_TAG, STACK, TAG, VENDOR
from support.states import CHINA, HERE, registration
from support.strategies import STEADY, policies

from dt_logs_handler.names import Location, Stack
from dt_logs_handler.register import (
    Registration,
    delivery_statement,
    registrations,
    tls_statement,
)

BELOW = (
    "AWSLogs/123456789012/elasticloadbalancing/us-east-1/*/"
    "123456789012_elasticloadbalancing_us-east-1_app."
)
WEB, API = "app/web/0000000000000001", "app/api/0000000000000002"


def policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


prefixes = st.from_regex(
    r"[a-zA-Z0-9!_.*'()?${}+ü-][a-zA-Z0-9!_.*'()?${}+ü/ -]{0,20}", fullmatch=True
)
prefixes = (prefixes | st.just("")).filter(lambda prefix: not prefix.endswith("/"))
names = st.from_regex(
    r"app/[A-Za-z0-9]([A-Za-z0-9-]{0,29}[A-Za-z0-9])?/[0-9a-f]{16}", fullmatch=True
)
hexes = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
claims = st.builds(
    Registration,
    stack=st.sampled_from([TAG, OTHER_TAG]),
    location=st.builds(Location, st.sampled_from(["logs", "my.logs"]), prefixes),
    vendor=st.sampled_from([VENDOR, "000000000001"]),
    endpoint=hexes,
    load_balancers=st.frozensets(names, max_size=4),
    time=st.integers(0, 2**32 - 1),
    asked=hexes,
    previous=hexes,
    turned_on=st.booleans(),
)


@pytest.mark.parametrize("turned_on", [False, True])
def test_whole_location_is_read_by_one_statement(turned_on: bool) -> None:
    """The statement covers only access logs of application load balancers, not other logs there."""
    sid = "DTLogsAnalysis1Read558d71137e721a808a46e0e0e0e069a42a40ababababcdcdcdcd"
    assert registration("web", turned_on=turned_on).statement(HERE) == {
        "Sid": f"{sid}{'1' if turned_on else '0'}",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::logs/web/{BELOW}*"],
    }


@pytest.mark.parametrize(
    ("claim", "resources"),
    [
        (registration(""), [f"{BELOW}*"]),
        (
            registration("", WEB, API),
            [f"{BELOW}api.0000000000000002_*", f"{BELOW}web.0000000000000001_*"],
        ),
        (registration("a*b"), [f"a${{*}}b/{BELOW}*"]),
        (registration("a?b"), [f"a${{?}}b/{BELOW}*"]),
        (registration("a$b"), [f"a${{$}}b/{BELOW}*"]),
        (registration("${*}"), [f"${{$}}{{${{*}}}}/{BELOW}*"]),
    ],
)
def test_load_balancers_are_read_each_by_its_own_objects(
    claim: Registration, resources: list[str]
) -> None:
    """Wildcards in a prefix are escaped, and the ARNs have the stack's partition."""
    arns = [f"arn:aws:s3:::logs/{each}" for each in resources]
    assert claim.statement(HERE)["Resource"] == arns
    china = claim.statement(CHINA)
    assert china["Principal"] == {"AWS": "arn:aws-cn:iam::999988887777:root"}
    assert china["Resource"] == [
        each.replace(":aws:", ":aws-cn:").replace("us-east-1", "cn-north-1") for each in arns
    ]


@STEADY
@given(claims)
@example(registration("?web"))
@example(registration("${*}", WEB))
def test_statement_is_read_again_as_the_registration(claim: Registration) -> None:
    statement = claim.statement(HERE)
    assert registrations(policy(statement), claim.location.bucket, HERE) == [claim]
    sid = statement["Sid"]
    assert isinstance(sid, str) and sid.isalnum() and sid.isascii()


@STEADY
@given(claims, policies())
def test_registration_is_found_among_foreign_statements(
    claim: Registration, foreign: str | None
) -> None:
    document = json.loads(foreign or '{"Statement": []}')
    around = document["Statement"]
    around = around if isinstance(around, list) else [around]
    document["Statement"] = [*around, claim.statement(HERE), *around]
    assert registrations(json.dumps(document), claim.location.bucket, HERE) == [claim]
    assert registrations(foreign, claim.location.bucket, HERE) == []
    single = json.dumps({"Statement": claim.statement(HERE)})
    assert registrations(single, claim.location.bucket, HERE) == [claim]


@pytest.mark.parametrize(
    "change",
    [
        {"Resource": f"arn:aws:s3:::logs/web/{BELOW}*"},  # a string, as S3 may return it
        {"Principal": {"AWS": "999988887777"}},
        {"Principal": {"AWS": ["arn:aws:iam::999988887777:root"]}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Action": ["s3:GetObject"]},
    ],
)
def test_statement_in_another_form_is_the_same_registration(change: dict[str, object]) -> None:
    claim = registration("web")
    assert registrations(policy({**claim.statement(HERE), **change}), "logs", HERE) == [claim]


@pytest.mark.parametrize(
    "change",
    [
        {"Resource": "*"},
        {"Resource": []},
        {"Resource": "arn:aws:s3:::logs/web/AWSLogs/123456789012/*"},
        {"Resource": ["arn:aws:s3:::logs/elsewhere/*", {"Fn::Sub": "x"}]},
        {"Principal": "*", "Resource": 7},
        {"Principal": {"AWS": "AROAEXAMPLEIDOFAROLE1"}, "Resource": "arn:aws:s3:::other/*"},
    ],
)
def test_edited_statement_still_claims_its_location(change: dict[str, object]) -> None:
    """While the statement exists, even if edited, nothing shared may be removed."""
    claim = registration("web", WEB)
    (found,) = registrations(policy({**claim.statement(HERE), **change}), "logs", HERE)
    assert found.sid == claim.sid
    assert found.stack == TAG
    assert found.covers(Location("logs", "web"))
    assert found.covers(Location("logs", "web"), API)
    assert not found.covers(Location("logs", ""))


@pytest.mark.parametrize(
    "sid",
    [
        "DTLogsAnalysis",
        "DTLogsAnalysis1Read558d71137e72",
        "DTLogsAnalysis1Read" + "g" * 52 + "0",
        "xDTLogsAnalysis1Read" + "0" * 53,
        "DTLogsAnalysis1Read" + "0" * 52,
        "DTLogsAnalysis1Read" + "0" * 52 + "2",
        "DTLogsAnalysis1Read" + "0" * 54,
        "DTLogsAnalysis1Deliver01234567",
        "DTLogsAnalysis1TlsOnly",
        "",
        None,
        7,
    ],
)
def test_foreign_sid_is_no_registration(sid: object) -> None:
    assert (
        registrations(policy({**registration("").statement(HERE), "Sid": sid}), "logs", HERE) == []
    )


def test_registration_of_a_format_to_come_is_known() -> None:
    claim = registration("web")
    sid = claim.sid.replace("DTLogsAnalysis1Read", "DTLogsAnalysis12Read")
    (found,) = registrations(policy({**claim.statement(HERE), "Sid": sid}), "logs", HERE)
    assert found.covers(Location("logs", "web"))


@pytest.mark.parametrize(
    ("region", "partition", "account"),
    [
        ("us-east-1", "aws", ""),
        ("us-gov-west-1", "aws-us-gov", ""),
        ("cn-north-1", "aws-cn", "638102146993"),
        ("cn-northwest-1", "aws-cn", "037604701340"),
    ],
)
def test_delivery_is_granted_as_elb_documents_it(region: str, partition: str, account: str) -> None:
    """China's regions do not accept the service principal on its own."""
    stack = Stack(STACK, partition, region, "123456789012")
    service = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    named = {"AWS": f"arn:aws-cn:iam::{account}:root"} if account else {}
    statement = dict(delivery_statement(Location("logs", "we?b"), stack))
    assert statement.pop("Sid")
    assert statement == {
        "Effect": "Allow",
        "Principal": {**service, **named},
        "Action": "s3:PutObject",
        "Resource": f"arn:{partition}:s3:::logs/we${{?}}b/AWSLogs/123456789012/*",
    }


def test_bucket_of_ours_refuses_plain_http() -> None:
    assert tls_statement("logs", HERE) == {
        "Sid": "DTLogsAnalysis1TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
