"""Names, and the marks that show what is ours. Every release must recognise all of them."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import ACCOUNT, OTHER_TAG, STACK, TAG, alb_arn
from support.states import CHINA, HERE
from support.strategies import STEADY

from dt_logs_handler.names import (
    Location,
    Stack,
    is_kept,
    is_own_bucket_name,
    is_own_notification,
    marked,
    unmarked,
)

WEB = alb_arn("web")

# ELB refuses a prefix that begins or ends with a slash.
prefixes = st.from_regex(r"(?:[a-zA-Z0-9!_.*'()?$-][a-zA-Z0-9!_.*'()?$/ -]{0,20})?", fullmatch=True)
prefixes = prefixes.filter(lambda prefix: not prefix.endswith("/"))


def test_stack_has_its_names_and_is_where_its_id_says() -> None:
    assert HERE.tag == "558d71137e72"
    assert HERE.own_buckets == (
        "dt-logs-analysis-558d71137e72-123456789012-us-east-1-an",
        "dt-logs-analysis-558d71137e72-123456789012-us-east-1",
    )
    assert HERE.physical_id("InvokeLambdaFunction") == "dt-logs-analysis-97b827b9453c4919733248a2"
    assert Stack.of(STACK) == HERE
    assert (CHINA.partition, CHINA.region, CHINA.account) == ("aws-cn", "cn-north-1", ACCOUNT)


@pytest.mark.parametrize("region", ["ap-southeast-1", "ap-northeast-1", "cn-northwest-1"])
def test_bucket_names_fit_in_the_longest_region(region: str) -> None:
    for name in Stack(STACK, "aws", region, "123456789012").own_buckets:
        assert len(name) <= 63
        assert is_own_bucket_name(name)


TOPICS = "arn:aws:sns:us-east-1:123456789012:dt-logs-analysis-1-"


@pytest.mark.parametrize(
    ("stack", "bucket", "arn"),
    [
        (HERE, "logs", f"{TOPICS}logs"),
        (HERE, "my.logs", f"{TOPICS}my-logs_708feaf211901512"),
        # Until March 2018, us-east-1 also accepted these names; each has its own topic.
        (HERE, "my_logs", f"{TOPICS}my-logs_c95a47dce1078038"),
        (HERE, "My.Logs", f"{TOPICS}My-Logs_976a77b6e9693705"),
        (HERE, "My-Logs", f"{TOPICS}My-Logs"),
        (HERE, "a" * 255, f"{TOPICS}{'a' * 63}_b0f3323e7a3cad8a"),
        (CHINA, "logs", "arn:aws-cn:sns:cn-north-1:123456789012:dt-logs-analysis-1-logs"),
    ],
)
def test_topic_is_named_by_its_bucket(stack: Stack, bucket: str, arn: str) -> None:
    assert stack.topic_arn(bucket) == arn


# Every name that S3 has ever accepted.
bucket_names = st.from_regex(r"[A-Za-z0-9._-]{3,255}", fullmatch=True)


@STEADY
@given(bucket_names, bucket_names)
def test_topics_of_two_buckets_have_two_names_that_sns_takes(one: str, other: str) -> None:
    names = [HERE.topic_arn(each).rpartition(":")[2] for each in (one, other)]
    assert (names[0] == names[1]) is (one == other)
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,256}", each) for each in names)


@pytest.mark.parametrize(
    ("prefix", "mark"),
    [
        ("dt-logs-analysis/558d71137e72", TAG),
        ("web/dt-logs-analysis/fb7ba5fdcc1c", OTHER_TAG),
        ("", None),
        ("dt-logs-analysis", None),
        ("dt-logs-analysis/558d71137e7", None),
        ("dt-logs-analysis/558d71137e72x", None),
        ("dt-logs-analysis/558D71137E72", None),
        ("dt-logs-analysis/558d71137e72/web", None),
        ("my-dt-logs-analysis/558d71137e72", None),
    ],
)
def test_mark_is_at_the_end_of_the_prefix(prefix: str, mark: str | None) -> None:
    assert Location("logs", prefix).mark == mark


@STEADY
@given(prefixes, st.sampled_from([TAG, OTHER_TAG]), st.booleans())
@example("", TAG, True)
@example("_", TAG, True)
@example("_/web", TAG, True)
def test_mark_is_put_once_and_taken_off_again(prefix: str, tag: str, kept: bool) -> None:
    """The mark shows whether the customer chose bucket and prefix; if so, both can be restored."""
    assert unmarked(prefix) == prefix
    there = marked(prefix, tag, kept=kept)
    assert Location("logs", there).mark == tag
    assert is_kept(there) is kept
    assert unmarked(there) == (prefix if kept else "")
    assert marked(there, OTHER_TAG, kept=kept) == marked(prefix, OTHER_TAG, kept=kept)


@pytest.mark.parametrize(
    ("name", "notification", "bucket"),
    [
        ("dt-logs-analysis-1-0123456789abcdef", True, False),
        ("dt-logs-analysis-27-0123456789abcdef", True, False),  # a future release's
        ("dt-logs-analysis-1-0123456789abcde", False, False),
        ("dt-logs-analysis-x-0123456789abcdef", False, False),
        ("dt-logs-analysis", False, False),
        ("", False, False),
        ("dt-logs-analysis-558d71137e72-123456789012-us-east-1-an", False, True),
        ("dt-logs-analysis-558d71137e72-123456789012-us-east-1", False, True),
        ("dt-logs-analysis-logs", False, False),
        ("dt-logs-analysis-558d71137e72", False, False),
        ("my-dt-logs-analysis-558d71137e72-123456789012-us-east-1", False, False),
    ],
)
def test_notification_and_bucket_of_any_stack_are_known_by_their_names(
    name: str, notification: bool, bucket: bool
) -> None:
    assert (is_own_notification(name), is_own_bucket_name(name)) == (notification, bucket)
    assert is_own_notification(Location("logs", name).notification_id)


def test_location_has_one_notification_whoever_asks() -> None:
    """Stacks at one location share its notification; every location has its own."""
    assert Location("logs", "").notification_id == "dt-logs-analysis-1-2beb4a5283f1446f"
    assert Location("logs", "a").notification_id != Location("logs", "b").notification_id
