"""What goes with a stack, what stays, and what should not be left."""

from dt_logs_cfn.operating.stacks.marks import (
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
        (MarkedLoadBalancer("app/a/1"), MarkedLoadBalancer("app/b/2", shared=True)),
        (
            MarkedBucket("theirs", made=False, statements=1),
            MarkedBucket("empty", made=True, logs=False),
            MarkedBucket("full", made=True, logs=True),
            MarkedBucket("dark", made=True, logs=None),
            MarkedBucket("shared", made=True, shared=True, logs=False),
        ),
        (TOPIC,),
    )
    goes, stays = fate(marks, documented=False)
    assert goes == [
        "logging of app/a/1, which the stack turned on",
        "statements and notifications of ours in bucket theirs, which stays as it was before",
        "bucket empty, which is empty",
        "statements and notifications of ours in bucket full",
        "statements and notifications of ours in bucket shared",
        "topic arn:topic with its subscription",
    ]
    assert stays == [
        "logging of app/b/2: another stack uses it",
        "bucket full: it holds logs, which are yours",
        "bucket dark, if it holds logs: that could not be looked at",
        "bucket shared: another stack uses it",
    ]


def test_the_documented_role_leaves_topic_and_log_group() -> None:
    goes, stays = fate(Marks(topics=(TOPIC,), log_group="/aws/lambda/f"), documented=True)
    assert goes == []
    assert stays == [
        "topic arn:topic, inert: the documented role may not delete it",
        "log group /aws/lambda/f: the documented role may not delete it",
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


def test_nothing_marked_is_nothing_left() -> None:
    assert leftovers(Marks(), documented=False) == []
    assert Left("bucket", "b", "why", expected=True).told == "bucket b: why"
