"""The readable differences between two snapshots: by resource, in AWS's terms."""

from __future__ import annotations

from typing import Any

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.report.changes import Change, diff, differences, lines

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
READ = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
UNNAMED = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}


def bucket(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": list(statements)} if statements else None
    return {"buckets": {"logs": {"policy": policy, **more}}}


def test_equal_snapshots_have_no_changes() -> None:
    account = Account()
    account.add_bucket("logs", policy={"Version": "2012-10-17", "Statement": []})

    assert diff(account.snapshot(), account.snapshot()) == {}


def test_an_attribute_is_called_as_aws_calls_it() -> None:
    name = "access_logs.s3.bucket"
    before, after = ({"load_balancers": {ARN: {name: each}}} for each in ("", "logs"))

    assert [*lines(diff(before, after))] == [
        f"~ load balancer {ARN}",
        "    + access_logs.s3.bucket: logs",
    ]
    assert [*lines(diff(after, {"load_balancers": {ARN: {name: "other"}}}))][1:] == [
        "    ~ access_logs.s3.bucket: logs -> other"
    ]


def test_a_policy_differs_by_statement_and_their_order() -> None:
    changed = {**READ, "Resource": "arn:aws:s3:::logs/*"}
    other = {**READ, "Sid": "Other"}

    found = diff(bucket(UNNAMED, READ), bucket(UNNAMED, changed, other))
    unnamed = diff(bucket(READ, UNNAMED), bucket(READ, UNNAMED, {**UNNAMED, "Action": "s3:Put*"}))
    order = diff(bucket(READ, other), bucket(other, READ))

    assert {each.name: each.sign for each in found["~ S3 bucket logs"]} == {
        "policy statement Read": "~",
        "policy statement Other": "+",
    }
    (both,) = (each for each in found["~ S3 bucket logs"] if each.sign == "~")
    assert (both.before["Resource"], both.after["Resource"]) == ("*", "arn:aws:s3:::logs/*")
    assert [each.name for each in unnamed["~ S3 bucket logs"]] == ["policy statement 3"]
    assert order == {"~ S3 bucket logs": [Change("order", "as before", "another")]}


def test_what_is_created_and_deleted_is_shown_with_all_that_is_set() -> None:
    full = bucket(READ, tags={"team": "edge"}, settings={"versioning": ""}, lifecycle=[])

    created = [*lines(diff({"buckets": {}}, full))]

    assert created == [
        "+ S3 bucket logs",
        "    + policy Version: 2012-10-17",
        '    + policy statement Read: {"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}',
        "    + tag team: edge",
    ]
    assert [*lines(diff(full, {"buckets": {}}))] == [each.replace("+", "-") for each in created]
    blocks = diff({"account_blocks": {}}, {"account_blocks": {"123456789012": {}}})
    assert next(lines(blocks)) == "+ Block Public Access of account 123456789012"  # an empty block


def test_each_difference_names_its_resource() -> None:
    before = {"buckets": {}, "subscriptions": {}, "load_balancers": {}}
    buckets = {"logs": {"policy": None, "tags": {"a": "b", "c": "d"}}}

    found = differences(before, {**before, "buckets": buckets})

    assert found == ["+ S3 bucket logs: + tag a: b", "+ S3 bucket logs: + tag c: d"]


def test_long_json_has_its_own_lines_and_json_in_text_is_json() -> None:
    policy = {**READ, "Action": [f"s3:Get{number:040}" for number in range(3)]}

    found = [*lines(diff(bucket(READ), bucket(policy, attributes={"Filter": '{"a":["b"]}'})))]

    assert found[1] == '    + Filter: {"a":["b"]}'
    assert found[2:6] == [
        "    - policy statement Read:",
        '        {"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}',
        "    + policy statement Read:",
        "        {",
    ]
    assert all(len(each) < 80 for each in found)
