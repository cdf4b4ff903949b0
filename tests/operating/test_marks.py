"""What goes with a stack, what stays, and what should not be left."""

import pytest

from dt_logs_cfn.operate.stacks.marks import (
    Left,
    MarkedBucket,
    MarkedLoadBalancer,
    MarkedTopic,
    Marks,
    fate,
    leftovers,
)

TOPIC = MarkedTopic("arn:topic", own=("arn:subscription",))


def test_what_goes_and_what_stays_is_told_for_each_kind_of_bucket() -> None:
    marks = Marks(
        (
            MarkedLoadBalancer("app/a/1"),
            MarkedLoadBalancer("app/b/2", shared=True),
            MarkedLoadBalancer("app/c/3", inherited=True),
        ),
        (
            MarkedBucket("theirs", made=False, statements=1),
            MarkedBucket("empty", made=True, logs=False),
            MarkedBucket("full", made=True, logs=True),
            MarkedBucket("dark", made=True, logs=None),
            MarkedBucket("shared", made=True, user="another stack", logs=False),
            MarkedBucket("inherited", made=False, inherited=True, statements=1, logs=False),
            MarkedBucket("inherited-full", made=False, inherited=True, statements=1, logs=True),
        ),
        (TOPIC,),
    )
    goes, stays = fate(marks, documented=False)
    assert goes == [
        "logging of app/a/1, which the stack turned on",
        "logging of app/c/3, which a stack that uses it no more turned on",
        "statements and notifications of ours in bucket theirs, which stays as it was before",
        "bucket empty, which is empty",
        "statements and notifications of ours in bucket full",
        "statements and notifications of ours in bucket shared",
        "bucket inherited, which is empty; a stack that uses it no more made it",
        "statements and notifications of ours in bucket inherited-full",
        "topic arn:topic with its subscription",
    ]
    assert stays == [
        "logging of app/b/2: another stack uses it",
        "bucket full: it holds logs, which are yours",
        "bucket dark, if it holds logs: that could not be looked at",
        "bucket shared: another stack uses it",
        "bucket inherited-full: it holds logs, which are yours",
    ]


def test_the_documented_role_leaves_the_topic() -> None:
    goes, stays = fate(Marks(topics=(TOPIC,)), documented=True)
    assert goes == []
    assert stays == ["topic arn:topic, inert: the documented role may not delete it"]


@pytest.mark.parametrize("documented", [True, False])
def test_a_log_group_that_lambda_made_stays_whatever_the_role_may(documented: bool) -> None:
    marks = Marks(log_group="/aws/lambda/f")
    why = "Lambda made it, so it is no resource of the stack"
    assert fate(marks, documented) == ([], [f"log group /aws/lambda/f: {why}"])
    (left,) = leftovers(marks, documented)
    assert (left.expected, left.why) == (True, why)
    assert left.remedy == "aws logs delete-log-group --log-group-name /aws/lambda/f"


def test_what_another_stack_had_left_to_it_is_left_if_it_is_still_there() -> None:
    marks = Marks(
        (MarkedLoadBalancer("app/a/1", inherited=True),),
        (
            MarkedBucket("full", made=False, inherited=True, logs=True),
            MarkedBucket("empty", made=False, inherited=True, logs=False),
        ),
    )
    found = leftovers(marks, documented=False)
    assert [(each.name, each.expected) for each in found] == [
        ("app/a/1", False),
        ("full", True),
        ("empty", False),
    ]


def test_leftovers_say_whether_they_stay_by_the_rules_and_how_they_go() -> None:
    marks = Marks(
        (MarkedLoadBalancer("app/a/1"),),
        (
            MarkedBucket("theirs", made=False, statements=2, notifications=1),
            MarkedBucket("full", made=True, logs=True),
            MarkedBucket("empty", made=True, logs=False),
        ),
        (TOPIC, MarkedTopic("arn:other", own=("arn:mine",), others=1)),
        "/aws/lambda/f",
    )
    found = leftovers(marks, documented=True)
    assert [(each.what, each.name, each.expected, each.remedy) for each in found] == [
        ("load balancer", "app/a/1", False, ""),
        ("bucket", "theirs", False, ""),
        ("bucket", "theirs", False, ""),
        ("bucket", "full", True, ""),
        ("bucket", "empty", False, ""),
        ("topic", "arn:topic", True, "aws sns delete-topic --topic-arn arn:topic"),
        ("topic", "arn:other", True, ""),
        ("subscription", "arn:mine", True, "aws sns unsubscribe --subscription-arn arn:mine"),
        (
            "log group",
            "/aws/lambda/f",
            True,
            "aws logs delete-log-group --log-group-name /aws/lambda/f",
        ),
    ]
    assert all(each.expected is False for each in leftovers(Marks(topics=(TOPIC,)), False))


def test_statements_that_grant_nothing_are_left_by_the_rules() -> None:
    """A Delete disarms them first, and may not be allowed to take them out in the end."""
    disarmed = MarkedBucket("theirs", made=False, statements=3, disarmed=2)
    assert [(each.why, each.expected) for each in leftovers(Marks(buckets=(disarmed,)), False)] == [
        ("1 statements of the stack's are in its policy; take them out", False),
        ("2 statements in its policy are the stack's and grant nothing", True),
    ]


def test_a_bucket_that_stays_says_what_a_delete_has_left() -> None:
    full = MarkedBucket("full", made=True, logs=True, note="holds logs - topic t")
    (left,) = leftovers(Marks(buckets=(full,)), documented=True)
    assert left.told == (
        "bucket full: it holds logs, which are yours; empty and delete it when you like"
        " (its tag dt-logs-analysis:left says: holds logs - topic t)"
    )


def test_bucket_with_earlier_versions_alone_is_told_by_its_tag() -> None:
    note = "holds logs or earlier versions of objects"
    bucket = MarkedBucket("versioned", made=True, logs=False, note=note)
    (left,) = leftovers(Marks(buckets=(bucket,)), documented=False)
    assert left.told == (
        "bucket versioned: it is empty, and nobody uses it; delete it"
        f" (its tag dt-logs-analysis:left says: {note})"
    )


def test_nothing_marked_is_nothing_left() -> None:
    assert leftovers(Marks(), documented=False) == []
    assert Left("bucket", "b", "why", expected=True).told == "bucket b: why"
