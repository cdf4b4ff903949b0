"""What is deleted with a stack, what stays, and which leftovers are not expected."""

import pytest

from dt_logs_cfn.operate.stacks.marks import (
    MarkedBucket,
    MarkedLoadBalancer,
    MarkedTopic,
    Marks,
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
            MarkedBucket("full", made=True, logs=True, notifications=1),
            MarkedBucket("dark", made=True, logs=None),
            MarkedBucket("shared", made=True, user="another stack", logs=False),
            MarkedBucket("inherited", made=False, inherited=True, statements=1, logs=False),
            MarkedBucket("inherited-full", made=False, inherited=True, statements=1, logs=True),
        ),
        (TOPIC,),
    )
    goes, stays = fate(marks, documented=False)
    assert goes == [
        "load balancer app/a/1: it logs to a location of ours",
        "load balancer app/c/3: a stack that no longer uses it turned its logging on",
        "bucket theirs: 1 statement of the stack's in its policy",
        "bucket empty: it is empty, and nobody uses it",
        "bucket full: 1 notification of ours",
        "bucket inherited: it is empty, and nobody uses it; a stack that no longer uses it created"
        " it",
        "bucket inherited-full: 1 statement of the stack's in its policy",
        "topic arn:topic: no other stack uses it",
    ]
    assert stays == [
        "load balancer app/b/2: it goes on logging, because another stack uses it",
        "bucket full: it holds logs, which are yours",
        "bucket dark: whether it holds logs could not be read",
        "bucket shared: another stack uses it",
        "bucket inherited-full: it holds logs, which are yours",
    ]


def fate(marks: Marks, documented: bool) -> tuple[list[str], list[str]]:
    """Return what is deleted with a stack, and what stays."""
    found = leftovers(marks, documented, deleted=False)
    goes = [each.described for each in found if not each.expected]
    return goes, [each.described for each in found if each.expected]


def test_the_documented_role_leaves_the_topic() -> None:
    why = "no other stack uses it, and the stack's role may not delete it"
    assert fate(Marks(topics=(TOPIC,)), documented=True) == ([], [f"topic arn:topic: {why}"])


@pytest.mark.parametrize("documented", [True, False])
def test_a_log_group_that_lambda_made_stays_whatever_the_role_may(documented: bool) -> None:
    marks = Marks(log_group="/aws/lambda/f")
    why = "Lambda made it, so it is not a resource of the stack"
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
    """A Delete first makes statements grant nothing, and may lack the right to remove them."""
    disarmed = Marks(buckets=(MarkedBucket("theirs", made=False, statements=3, disarmed=2),))
    one, two = leftovers(disarmed, documented=False)
    assert (one.why, one.expected) == (
        "1 statement of the stack's in its policy; remove from the policy",
        False,
    )
    assert (two.why, two.expected) == ("2 statements of the stack's, which grant nothing", True)
    assert fate(disarmed, documented=False)[1] == []


@pytest.mark.parametrize(
    ("logs", "note", "why"),
    [
        (
            True,
            "holds logs - topic t",
            "it holds logs, which are yours; empty and delete it when you like",
        ),
        (
            False,
            "holds logs or earlier versions of objects",
            "it is empty, and nobody uses it; delete it",
        ),
    ],
)
def test_a_bucket_that_stays_says_what_a_delete_has_left(logs: bool, note: str, why: str) -> None:
    bucket = MarkedBucket("kept", made=True, logs=logs, note=note)
    (left,) = leftovers(Marks(buckets=(bucket,)), documented=True)
    assert left.why == f"{why} (its tag dt-logs-analysis:left says: {note})"


def test_nothing_marked_is_nothing_left() -> None:
    assert leftovers(Marks(), documented=False) == []
