"""The whole account as comparable data."""

import json
from typing import Any

from dt_logs_rehearsal.account.delivery import entries, filters
from dt_logs_rehearsal.account.iam.documents import canonical
from dt_logs_rehearsal.account.s3.objects import etag
from dt_logs_rehearsal.account.world import Bucket, StoredObject, Subscription, World

Snapshot = dict[str, Any]


def snapshot(world: World) -> Snapshot:
    """Return all lasting state, in a form that is equal for states of the same meaning.

    Times, and the IDs of subscriptions and versions, are left out. `versions` are those that a
    plain list does not show: old versions and delete markers.
    """
    return {
        "load_balancers": {arn: dict(lb.attributes) for arn, lb in world.load_balancers.items()},
        "buckets": {name: _bucket(each) for name, each in world.buckets.items()},
        "topics": {
            arn: {
                "policy": canonical(each.policy.latest),
                "attributes": {k: v for k, v in each.attributes.items() if k != "Policy"},
                "tags": dict(each.tags),
            }
            for arn, each in world.topics.items()
        },
        "subscriptions": {
            " ".join((each.topic, each.protocol, each.endpoint)): _subscription(each)
            for each in world.subscriptions.values()
        },
        "account_blocks": {account: dict(each) for account, each in world.account_blocks.items()},
    }


def _bucket(bucket: Bucket) -> Snapshot:
    lifecycle = bucket.lifecycle or {"Rules": []}
    return {
        "owner": bucket.owner,
        "region": bucket.region,
        "Object Ownership": bucket.ownership,
        "default encryption": json.loads(json.dumps(bucket.encryption)),
        "Block Public Access": bucket.public_access_block and dict(bucket.public_access_block),
        "policy": canonical(bucket.policy.latest),
        "notifications": _notifications(bucket.notifications.latest),
        "tags": dict(bucket.tags),
        "lifecycle": sorted(json.dumps(each, sort_keys=True) for each in lifecycle["Rules"]),
        "TransitionDefaultMinimumObjectSize": lifecycle.get("TransitionDefaultMinimumObjectSize"),
        "settings": {each: getattr(bucket, each) for each in ("versioning", "payer", "abac")},
        "objects": {key: _version(bucket.objects[key][-1]) for key in bucket.listing()},
        "versions": {
            key: [_version(each) for each in found if each is not bucket.current(key)]
            for key, found in bucket.objects.items()
            if found != [bucket.current(key)]
        },
    }


def _version(stored: StoredObject) -> list[str]:
    marker = stored.body is None
    return ["delete marker"] if marker else [stored.owner, etag(stored), stored.encryption]


def _notifications(configuration: dict[str, Any]) -> Snapshot:
    """Return a configuration's entries by their Ids, because their order has no meaning."""
    found: Snapshot = {"EventBridge": "EventBridgeConfiguration" in configuration}
    for kind, arn, entry in entries(configuration):
        prefix, suffix = filters(entry)
        about = {"events": sorted(entry["Events"]), "prefix": prefix, "suffix": suffix}
        found[f"{kind} {entry['Id']}"] = {"to": arn, **about}
    return found


def _subscription(subscription: Subscription) -> Snapshot:
    attributes: Snapshot = dict(subscription.attributes)
    if "FilterPolicy" in attributes:
        attributes["FilterPolicy"] = json.loads(attributes["FilterPolicy"])
    own = {"owner": subscription.owner, "confirmed": subscription.confirmed}
    return {**own, "attributes": attributes}
