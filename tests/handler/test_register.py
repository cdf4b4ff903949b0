"""The register in a bucket policy: our statements are added, found and removed; others stay."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import (
    API_NAME,
    CHINA,
    HERE,
    OTHER_TAG,
    STACK,
    TAG,
    VENDOR,
    WEB_NAME,
    registration,
)
from support.strategies import STEADY, policies

from dt_logs_handler.errors import Refused
from dt_logs_handler.names import Location, Stack
from dt_logs_handler.register import (
    LIMIT,
    PolicyEdit,
    Registration,
    check_policy,
    delivery_statement,
    disarming,
    registrations,
    tls_statement,
)

BELOW = (
    "AWSLogs/123456789012/elasticloadbalancing/us-east-1/*/"
    "123456789012_elasticloadbalancing_us-east-1_app."
)


def written(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def found(policy: str | None, bucket: str = "logs") -> list[Registration]:
    return registrations(policy, bucket, HERE)


# Statements, and what is read from them


@pytest.mark.parametrize(
    ("claim", "resources"),
    [
        (registration(""), [f"{BELOW}*"]),
        (registration("web", turned_on=True), [f"web/{BELOW}*"]),
        (
            registration("", WEB_NAME, API_NAME),
            [f"{BELOW}api.0000000000000002_*", f"{BELOW}web.0000000000000001_*"],
        ),
        (registration("a*b"), [f"a${{*}}b/{BELOW}*"]),
        (registration("a?b"), [f"a${{?}}b/{BELOW}*"]),
        (registration("a$b"), [f"a${{$}}b/{BELOW}*"]),
        (registration("${*}"), [f"${{$}}{{${{*}}}}/{BELOW}*"]),
    ],
)
def test_only_access_logs_of_application_load_balancers_are_read(
    claim: Registration, resources: list[str]
) -> None:
    """Wildcards in a prefix are escaped, and the ARNs have the stack's partition."""
    digest = claim.location.digest
    for stack, arn, region in ((HERE, "arn:aws", "us-east-1"), (CHINA, "arn:aws-cn", "cn-north-1")):
        assert claim.statement(stack) == {
            "Sid": f"DTLogsAnalysis1Read558d71137e72{digest}e0e0e0e069a42a40ababababcdcdcdcd"
            f"{claim.turned_on:d}",
            "Effect": "Allow",
            "Principal": {"AWS": f"{arn}:iam::999988887777:root"},
            "Action": "s3:GetObject",
            "Resource": [f"{arn}:s3:::logs/{e.replace('us-east-1', region)}" for e in resources],
        }
    assert Location("logs", "web").digest == "1a808a46"


any_prefixes = st.from_regex(
    r"[a-zA-Z0-9!_.*'()?${}+ü-][a-zA-Z0-9!_.*'()?${}+ü/ -]{0,20}", fullmatch=True
)
any_prefixes = (any_prefixes | st.just("")).filter(lambda prefix: not prefix.endswith("/"))
names = st.from_regex(
    r"app/[A-Za-z0-9]([A-Za-z0-9-]{0,29}[A-Za-z0-9])?/[0-9a-f]{16}", fullmatch=True
)
hexes = st.from_regex(r"[0-9a-f]{8}", fullmatch=True)
claims = st.builds(
    Registration,
    stack=st.sampled_from([TAG, OTHER_TAG]),
    location=st.builds(Location, st.sampled_from(["logs", "my.logs"]), any_prefixes),
    vendor=st.sampled_from([VENDOR, "000000000001"]),
    endpoint=hexes,
    load_balancers=st.frozensets(names, max_size=4),
    time=st.integers(0, 2**32 - 1),
    asked=hexes,
    previous=hexes,
    turned_on=st.booleans(),
)


@STEADY
@given(claims, policies())
@example(registration("?web"), None)
@example(registration("${*}", WEB_NAME), None)
def test_statement_is_read_again_as_the_registration_among_foreign_statements(
    claim: Registration, foreign: str | None
) -> None:
    statement, bucket = claim.statement(HERE), claim.location.bucket
    sid = statement["Sid"]
    assert isinstance(sid, str) and sid.isalnum() and sid.isascii()
    around = statements(foreign)
    assert found(written(*around, statement, *around), bucket) == [claim]
    assert found(foreign, bucket) == []
    assert found(json.dumps({"Statement": statement}), bucket) == [claim]


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
    assert found(written({**claim.statement(HERE), **change})) == [claim]


@pytest.mark.parametrize(
    "change",
    [
        {"Resource": "*"},
        {"Resource": []},
        {"Resource": "arn:aws:s3:::logs/web/AWSLogs/123456789012/*"},
        {"Resource": ["arn:aws:s3:::logs/elsewhere/*", {"Fn::Sub": "x"}]},
        {"Principal": "*", "Resource": 7},
        {"Principal": {"AWS": "AROAEXAMPLEIDOFAROLE1"}, "Resource": "arn:aws:s3:::other/*"},
        {"Sid": registration("web").sid.replace("s1Read", "s12Read")},  # a future format
    ],
)
def test_edited_statement_still_claims_its_location(change: dict[str, object]) -> None:
    """While the statement exists, even if edited, nothing shared may be removed."""
    claim = registration("web", WEB_NAME)
    (read,) = found(written({**claim.statement(HERE), **change}))
    assert "Sid" in change or read.sid == claim.sid
    assert read.stack == TAG
    assert read.covers(Location("logs", "web"))
    assert read.covers(Location("logs", "web"), WEB_NAME)
    assert read.covers(Location("logs", "web"), API_NAME) is ("Resource" in change)
    assert not read.covers(Location("logs", ""))


READ = "DTLogsAnalysis1Read"
FOREIGN = ["DTLogsAnalysis", f"{READ}558d71137e72", f"x{READ}{'0' * 53}", "", None, 7]
FOREIGN += [f"{READ}{digits}" for digits in ("g" * 52 + "0", "0" * 52, "0" * 52 + "2", "0" * 54)]
FOREIGN += ["DTLogsAnalysis1Deliver01234567", "DTLogsAnalysis1TlsOnly"]


@pytest.mark.parametrize("sid", FOREIGN)
def test_foreign_sid_is_no_registration(sid: object) -> None:
    assert found(written({**registration("").statement(HERE), "Sid": sid})) == []


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
    assert delivery_statement(Location("logs", "we?b"), stack) == {
        "Sid": "DTLogsAnalysis1Deliverde71b653",
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


# Edits


def coming(*claims: Registration) -> PolicyEdit:
    """Return the edit that adds claims, each with its delivery statement."""
    put: list[Any] = [each.statement(HERE) for each in claims]
    put += [delivery_statement(each.location, HERE) for each in claims]
    return PolicyEdit(tuple(put))


def going(*claims: Registration) -> PolicyEdit:
    return PolicyEdit(drop=frozenset(each.sid for each in claims))


def statements(policy: str | None) -> list[Any]:
    """Return the statements as a list, even if the policy has a single statement and no list."""
    found = json.loads(policy)["Statement"] if policy else []
    return found if isinstance(found, list) else [found]


def rest(policy: str | None) -> dict[str, Any]:
    """Return everything in a policy except its statements."""
    document = json.loads(policy) if policy else {"Version": "2012-10-17"}
    return {key: value for key, value in document.items() if key != "Statement"}


def unordered(policy: str | None) -> list[str]:
    return sorted(json.dumps(each, sort_keys=True) for each in statements(policy))


prefixes = st.sampled_from(["", "web", "api"])
mine = st.lists(st.builds(registration, prefixes), min_size=1, max_size=3, unique=True)
others = st.lists(
    st.builds(registration, prefixes, stack=st.just(OTHER_TAG)), max_size=3, unique=True
)


@STEADY
@given(policies(), mine)
@example('{"Statement": [], "Version": "2012-10-17"}', [registration("web")])
@example('{"Statement":{"Effect":"Allow","Principal":"*"}}', [registration("web")])
def test_what_came_goes_and_leaves_the_rest_as_it_was(
    policy: str | None, claims: list[Registration]
) -> None:
    """An edit without effect returns the policy itself. Principals that exist are accepted."""
    check_policy(policy, "logs")
    assert going(*claims).applied(policy) is policy
    assert PolicyEdit().applied(policy) is policy
    there = coming(*claims).applied(policy)
    assert coming(*claims).applied(there) is there
    # `check_policy` counts white space, too, so an edited policy has none.
    text = json.dumps(json.loads(there or ""), separators=(",", ":"), ensure_ascii=False)
    assert there == text
    assert statements(there)[: len(statements(policy))] == statements(policy)
    assert rest(there) == rest(policy)
    back = going(*claims).applied(there)
    assert going(*claims).applied(back) is back
    assert (statements(back), back is None) == (statements(policy), statements(policy) == [])
    assert back is None or rest(back) == rest(policy)


@STEADY
@given(policies(), mine, others)
def test_edits_of_two_stacks_commute(
    policy: str | None, mine: list[Registration], others: list[Registration]
) -> None:
    """The order of the stacks' edits does not matter, even after one stack is deleted."""
    one = coming(*others).applied(coming(*mine).applied(policy))
    two = coming(*mine).applied(coming(*others).applied(policy))
    assert unordered(one) == unordered(two)
    alone = coming(*others).applied(policy)
    assert unordered(going(*mine).applied(one)) == unordered(alone)
    assert unordered(going(*mine).applied(two)) == unordered(alone)


@STEADY
@given(policies(), prefixes)
def test_delivery_stays_as_long_as_any_registration(policy: str | None, prefix: str) -> None:
    """The statement is removed with the location's last registration, whichever stack put it."""
    first, second = registration(prefix), registration(prefix, stack=OTHER_TAG)
    elsewhere = registration("x")
    delivery = delivery_statement(first.location, HERE)
    both = coming(second, elsewhere).applied(coming(first).applied(policy))
    assert delivery in statements(both)
    assert PolicyEdit(drop=frozenset([str(delivery["Sid"])])).applied(both) == both
    one = going(first).applied(both)
    assert delivery in statements(one)
    none = going(second).applied(one)
    assert delivery not in statements(none)
    assert delivery_statement(elsewhere.location, HERE) in statements(none)
    assert statements(going(elsewhere).applied(none)) == statements(policy)


@STEADY
@given(policies(), mine, others)
def test_disarmed_registration_grants_nothing_and_is_found_until_it_is_dropped(
    policy: str | None, mine: list[Registration], others: list[Registration]
) -> None:
    """Its principal becomes the stack's own account, to which the grant adds nothing."""
    there = coming(*mine, *others).applied(policy)
    disarmed = disarming(mine, HERE).applied(there)
    changed = {each.sid for each in mine}
    owner = {"AWS": "arn:aws:iam::123456789012:root"}
    assert statements(disarmed) == [
        {**each, "Principal": owner} if each.get("Sid") in changed else each
        for each in statements(there)
    ]
    assert rest(disarmed) == rest(policy)
    inert = [replace(each, vendor="123456789012") for each in mine]
    assert found(disarmed) == [*inert, *others]
    assert disarming(mine, HERE).applied(disarmed) is disarmed
    assert disarming([registration("gone")], HERE).applied(there) is there
    assert disarming(mine, HERE).applied(policy) is policy
    assert statements(going(*mine).applied(disarmed)) == statements(going(*mine).applied(there))


def test_statement_is_replaced_in_its_place_unless_it_means_the_same() -> None:
    """S3 may return a list of one as a string, or the reverse, and "false" as a boolean.

    It may also return an account's root ARN as the account's ID.
    """
    tls, claim = tls_statement("logs", HERE), registration("web").statement(HERE)
    theirs = {"Sid": "theirs", "Effect": "Allow"}
    old = {"Sid": "DTLogsAnalysis1TlsOnly", "Effect": "Allow"}
    assert statements(PolicyEdit((tls,)).applied(written(old, theirs))) == [tls, theirs]
    resource = claim["Resource"]
    assert isinstance(resource, list)
    policy = written(
        {**tls, "Condition": {"Bool": {"aws:SecureTransport": False}}},
        {**claim, "Action": ["s3:GetObject"], "Resource": resource[0]},
        "odd",  # S3 does not accept this, but an edit must not fail on it
    )
    assert PolicyEdit((tls, claim)).applied(policy) is policy
    inert = json.dumps({"Statement": {**claim, "Principal": {"AWS": ["123456789012"]}}})
    assert disarming([registration("web")], HERE).applied(inert) is inert


# What S3 would refuse


@pytest.mark.parametrize(("letter", "size"), [("x", 1), ("ü", 2)])
def test_twenty_kilobytes_are_the_limit(letter: str, size: int) -> None:
    assert LIMIT == 20_480
    empty = json.dumps({"Id": "", "Statement": []}, ensure_ascii=False)
    room = (LIMIT - len(empty)) // size
    fits = json.dumps({"Id": letter * room, "Statement": []}, ensure_ascii=False)
    check_policy(fits, "logs")
    with pytest.raises(Refused) as refused:
        check_policy(fits.replace(letter, letter * 2, 1), "logs")
    assert "logs" in refused.value.what and "20480" in refused.value.what
    assert "VendorReadScope=Location" in refused.value.fix
    assert refused.value.bucket == "logs"


DEAD = "AROAEXAMPLEIDOFAROLE1"


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ({"Sid": "Old", "Principal": {"AWS": DEAD}}, "Old"),
        ({"Sid": "Old", "Principal": {"AWS": ["123456789012", DEAD]}}, "Old"),
        ({"Sid": "Old", "NotPrincipal": {"AWS": DEAD}}, "Old"),
        ({"Principal": {"AWS": DEAD.replace("AROA", "AIDA")}}, "2"),
    ],
)
def test_dead_principal_is_named_before_the_put(statement: dict[str, Any], name: str) -> None:
    """S3 would refuse this policy as malformed, whatever we add to it."""
    alive = {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
    with pytest.raises(Refused) as refused:
        check_policy(written(alive, {"Effect": "Deny", **statement}), "logs")
    assert f"statement {name} " in refused.value.what
    assert DEAD[4:] in refused.value.what
    assert "Remove" in refused.value.fix
    assert refused.value.bucket == "logs"
