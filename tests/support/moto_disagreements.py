"""List where moto and the emulated account disagree, and why; their other answers must be equal.

`rehearsal/account/test_conformance.py` compares their answers, and `lifecycle/test_against_moto.py`
compares the accounts after the function's own calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Members of answers that differ, or that only one of the two returns, by reason.
MEMBERS = {
    "Each account makes its own IDs, addresses and times.": (
        "CanonicalHostedZoneId",
        "CreatedTime",
        "CreationDate",
        "DNSName",
        "LoadBalancerArn",
        "ResponseMetadata",
        "SubscriptionArn",
    ),
    "Nothing of ours reads it, so the emulated account leaves it out.": (
        "AvailabilityZones",
        "ChecksumCRC32",
        "Scheme",
        "ServerSideEncryption",
        "VpcId",
    ),
    "The emulated account shows the owner as S3 and SNS do; moto shows a fixed one.": ("Owner",),
}
_LEFT_OUT = {name for names in MEMBERS.values() for name in names}
# Since 2023, S3 encrypts every bucket [S3 guide, default-encryption-faq.md]. moto encrypts a bucket
# only on request.
_ENCRYPTION = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BucketKeyEnabled": False,
        }
    ]
}


def agreed(value: Any) -> Any:
    """Return the part of an answer on which the two must agree."""
    if isinstance(value, dict):
        if "FilterRules" in value:  # S3 returns capitalised names, which moto refuses
            rules = {each["Name"].lower(): each["Value"] for each in value["FilterRules"]}
            value = {**value, "FilterRules": rules}
        return {key: agreed(each) for key, each in value.items() if key not in _LEFT_OUT}
    return [agreed(each) for each in value] if isinstance(value, list | tuple) else value


def agreed_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a bucket's settings on which the two must agree.

    Of a public access block, only enabled switches count: a scenario may leave the others unset.
    """
    block = settings["public access block"] or {}
    on = {name: True for name, value in block.items() if value}
    encryption = settings["encryption"] or _ENCRYPTION
    found: dict[str, Any] = agreed({**settings, "encryption": encryption})
    return {**found, "public access block": on}


def members(one: Any, other: Any) -> Iterator[str]:
    """Yield the names of the members in which two answers differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            if one.get(name) != other.get(name):
                yield name
                yield from members(one.get(name), other.get(name))
    elif isinstance(one, list) and isinstance(other, list):
        for pair in zip(one, other, strict=False):
            yield from members(*pair)
