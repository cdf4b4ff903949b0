"""Editing bucket policies: our statements are added and removed; all others stay unchanged."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import OTHER_TAG
from support.states import HERE, registration
from support.strategies import STEADY, policies

from dt_logs_handler.errors import Refused
from dt_logs_handler.register import (
    LIMIT,
    PolicyEdit,
    Registration,
    check_policy,
    delivery_statement,
    disarming,
    registrations,
    sids,
    tls_statement,
)


def coming(*claims: Registration) -> PolicyEdit:
    """Return the edit that adds claims, each with its delivery statement."""
    put: list[Any] = [each.statement(HERE) for each in claims]
    put += [delivery_statement(each.location, HERE) for each in claims]
    return PolicyEdit(tuple(put))


def going(*claims: Registration) -> PolicyEdit:
    return PolicyEdit(drop=frozenset(each.sid for each in claims))


OURSELVES = {"AWS": "arn:aws:iam::123456789012:root"}  # a grant to our own account adds nothing


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
def test_what_came_goes_and_leaves_the_rest_as_it_was(
    policy: str | None, claims: list[Registration]
) -> None:
    there = coming(*claims).applied(policy)
    assert coming(*claims).applied(there) is there
    # White space counts towards S3's limit of 20 KB.
    text = json.dumps(json.loads(there or ""), separators=(",", ":"), ensure_ascii=False)
    assert there == text
    assert statements(there)[: len(statements(policy))] == statements(policy)
    assert rest(there) == rest(policy)
    back = going(*claims).applied(there)
    assert going(*claims).applied(back) is back
    assert (statements(back), rest(back)) == (statements(policy), rest(policy))
    assert (back is None) == (policy is None)


@STEADY
@given(policies())
@example('{"Statement": [], "Version": "2012-10-17"}')
@example('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*"}}')
def test_edit_without_effect_returns_the_policy_to_the_letter(policy: str | None) -> None:
    assert going(registration("web")).applied(policy) is policy
    assert PolicyEdit().applied(policy) is policy


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
    """The statement goes with its location's last registration, even if another stack put it."""
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
    there = coming(*mine, *others).applied(policy)
    disarmed = disarming(mine, HERE).applied(there)
    changed = {each.sid for each in mine}
    assert statements(disarmed) == [
        {**each, "Principal": OURSELVES} if each.get("Sid") in changed else each
        for each in statements(there)
    ]
    assert rest(disarmed) == rest(policy)
    assert registrations(disarmed, "logs", HERE) == [
        *(replace(each, vendor="123456789012") for each in mine),
        *others,
    ]
    assert disarming(mine, HERE).applied(disarmed) is disarmed
    assert statements(going(*mine).applied(disarmed)) == statements(going(*mine).applied(there))


def test_disarming_leaves_alone_what_is_disarmed_or_gone() -> None:
    """S3 may return an account's root ARN as the account's ID."""
    answered = {**registration("web").statement(HERE), "Principal": {"AWS": ["123456789012"]}}
    policy = json.dumps({"Statement": answered})
    assert disarming([registration("web")], HERE).applied(policy) is policy
    there = coming(registration("web")).applied(None)
    assert disarming([registration("api")], HERE).applied(there) is there
    assert disarming([registration("web")], HERE).applied(None) is None


def test_statement_of_ours_is_replaced_in_its_place() -> None:
    theirs = {"Sid": "theirs", "Effect": "Allow"}
    old = {"Sid": "DTLogsAnalysis1TlsOnly", "Effect": "Allow"}
    policy = json.dumps({"Statement": [old, theirs]})
    new = tls_statement("logs", HERE)
    assert statements(PolicyEdit((new,)).applied(policy)) == [new, theirs]


def test_statement_that_means_the_same_is_left_alone() -> None:
    """S3 may return a list of one as a string, or the reverse, and "false" as a boolean."""
    tls = tls_statement("logs", HERE)
    mine = registration("web").statement(HERE)
    resource = mine["Resource"]
    assert isinstance(resource, list)
    answered = [
        {**tls, "Condition": {"Bool": {"aws:SecureTransport": False}}},
        {**mine, "Action": ["s3:GetObject"], "Resource": resource[0]},
    ]
    policy = json.dumps({"Statement": answered})
    assert PolicyEdit((tls, mine)).applied(policy) is policy


def test_newer_registration_takes_the_place_of_the_older() -> None:
    older, newer = registration("web"), registration("web", time=1772366401)
    edit = PolicyEdit(coming(newer).put, frozenset([older.sid]))
    after = edit.applied(coming(older).applied(None))
    assert sids(after) == {newer.sid, str(delivery_statement(newer.location, HERE)["Sid"])}


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
    """S3 would refuse this policy as malformed, even with our changes."""
    alive = {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
    policy = json.dumps({"Statement": [alive, {"Effect": "Deny", **statement}]})
    with pytest.raises(Refused) as refused:
        check_policy(policy, "logs")
    assert f"statement {name} " in refused.value.what
    assert DEAD[4:] in refused.value.what
    assert "Remove" in refused.value.fix


@STEADY
@given(policies())
def test_living_principals_pass(policy: str | None) -> None:
    check_policy(policy, "logs")


def test_what_is_not_a_statement_stays_as_it_is() -> None:
    """S3 does not accept such a policy, but an edit must not fail on it."""
    assert PolicyEdit(drop=frozenset({"a"})).applied('{"Statement":["odd"]}') == (
        '{"Statement":["odd"]}'
    )
