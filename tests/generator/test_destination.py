"""The bucket that a base URL names; we publish only to that bucket."""

from __future__ import annotations

import pytest

from dt_logs_cfn import Settings, Vendor
from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.publish.plan import chosen, destination

GOV, EU = "us-gov-west-1", "eusc-de-east-1"


@pytest.mark.parametrize(
    ("partition", "url", "bucket", "prefix", "region"),
    [
        ("aws", "https://b1.s3.eu-west-1.amazonaws.com/a/b", "b1", "a/b", "eu-west-1"),
        ("aws", "https://b1.s3.amazonaws.com", "b1", "", "us-east-1"),
        ("aws", "https://b1.s3-eu-west-1.amazonaws.com/a", "b1", "a", "eu-west-1"),
        ("aws", "https://b1.s3.dualstack.eu-west-1.amazonaws.com/a", "b1", "a", "eu-west-1"),
        ("aws", "https://my.dotted.s3.eu-west-1.amazonaws.com/a", "my.dotted", "a", "eu-west-1"),
        ("aws", "https://s3.eu-west-1.amazonaws.com/b1/a", "b1", "a", "eu-west-1"),
        ("aws", "https://s3.amazonaws.com/b1", "b1", "", "us-east-1"),
        ("aws", "https://s3.s3.eu-west-1.amazonaws.com/a", "s3", "a", "eu-west-1"),
        ("aws-us-gov", f"https://b1.s3.{GOV}.amazonaws.com/a", "b1", "a", GOV),
        ("aws-cn", "https://b1.s3.cn-north-1.amazonaws.com.cn/a", "b1", "a", "cn-north-1"),
        ("aws-eusc", f"https://b1.s3.{EU}.amazonaws.eu/a", "b1", "a", EU),
        ("aws-eusc", f"https://s3.dualstack.{EU}.amazonaws.eu/b1", "b1", "", EU),
    ],
)
def test_every_form_of_an_s3_url(
    partition: str, url: str, bucket: str, prefix: str, region: str
) -> None:
    found = destination(Vendor(partition, base_url=url))

    assert (found.bucket, found.prefix, found.region, found.url) == (bucket, prefix, region, url)
    assert found.key("x") == (f"{prefix}/x" if prefix else "x")


@pytest.mark.parametrize(
    ("partition", "url"),
    [
        ("aws", "https://downloads.example.com/a"),
        ("aws", "https://b1.s3.amazonaws.com.evil.example"),
        ("aws", "https://b1.s3-website-us-east-1.amazonaws.com/a"),
        ("aws", "https://s3.eu-west-1.amazonaws.com"),
        ("aws", "https://b1.s3.us-gov-west-1.amazonaws.com/a"),
        ("aws", "https://b1.s3.cn-north-1.amazonaws.com.cn/a"),
        ("aws-us-gov", "https://b1.s3.us-east-1.amazonaws.com/a"),
        ("aws-cn", "https://b1.s3.cn-north-1.amazonaws.com/a"),
        ("aws", "https://b1.s3.eusc-de-east-1.amazonaws.eu/a"),
        ("aws", "https://b1.s3.us-east-1.amazonaws.eu/a"),
        ("aws", "https://b1.s3.amazonaws.eu/a"),
        ("aws-eusc", "https://b1.s3.amazonaws.eu/a"),
        ("aws-eusc", "https://b1.s3.eusc-de-east-1.amazonaws.com/a"),
        ("aws-eusc", "https://b1.s3.eusc-de-east-1.amazonaws.eu.evil.example/a"),
    ],
)
def test_what_is_no_place_of_the_partition(partition: str, url: str) -> None:
    with pytest.raises(PublishError, match=f"base_url of partition {partition}"):
        destination(Vendor(partition, base_url=url))


def test_the_bucket_is_one_that_is_named() -> None:
    vendor = Vendor("aws", base_url="https://b1.s3.eu-west-1.amazonaws.com/a")
    settings = Settings((vendor, Vendor("aws-us-gov", "111122223333")))

    assert chosen(settings, "b1", None, None) == destination(vendor)
    assert chosen(settings, "b1", "/a/", "eu-west-1") == destination(vendor)
    for bucket, prefix, region in (("b2", None, None), ("b1", "b", None), ("b1", None, "x")):
        with pytest.raises(PublishError):
            chosen(settings, bucket, prefix, region)
    with pytest.raises(PublishError, match="they name none"):
        chosen(Settings(), "b1", None, None)
