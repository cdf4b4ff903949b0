"""SNS: subscriptions."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.sns.checks import check_attributes, check_endpoint, invalid
from dt_logs_rehearsal.account.sns.topics import found_topic
from dt_logs_rehearsal.account.world import (
    Call,
    Operations,
    Response,
    Subscription,
    Topic,
    World,
    page,
)

_PAGE = 100  # [SNS API, ListSubscriptions]


def subscribe(world: World, call: Call) -> Response:
    """Subscribe an endpoint, once for each topic, protocol and endpoint.

    [SNS API, Subscribe; GH localstack#8976 for other attributes; only what is sent is compared]
    """
    params = call.params
    topic = found_topic(world, params["TopicArn"])
    protocol, endpoint = params["Protocol"], params.get("Endpoint", "")
    attributes = dict(params.get("Attributes", {}))
    check_endpoint(protocol, endpoint)
    check_attributes(attributes)
    found = next(
        (
            each
            for each in world.subscriptions.values()
            if (each.topic, each.protocol, each.endpoint) == (topic.arn, protocol, endpoint)
        ),
        None,
    )
    if found is None:
        found = _new(world, call, topic, attributes)
    elif any(found.attributes.get(key) != value for key, value in attributes.items()):
        raise invalid("Attributes Reason: Subscription already exists with different attributes")
    shown = found.confirmed or params.get("ReturnSubscriptionArn", False)
    return {"SubscriptionArn": found.arn if shown else "pending confirmation"}


def _new(world: World, call: Call, topic: Topic, attributes: dict[str, str]) -> Subscription:
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    arn = f"{topic.arn}:{world.unique()}"
    confirmed = protocol in ("sqs", "lambda", "firehose", "application", "sms") and (
        protocol == "sms" or endpoint.split(":")[4] == call.caller.account
    )
    found = Subscription(
        arn, topic.arn, protocol, endpoint, call.caller.account, attributes, confirmed
    )
    world.subscriptions[arn] = found
    if not confirmed:
        _ask(world, found)
    return found


def _ask(world: World, found: Subscription) -> None:
    """Send the endpoint what it confirms by [SNS guide, SendMessageToHttp.confirm.md]."""
    host = f"sns.{found.topic.split(':')[3]}.amazonaws.com"
    query = f"Action=ConfirmSubscription&TopicArn={found.topic}&Token={_token(found)}"
    world.deliveries[found.endpoint].append(
        {
            "Type": "SubscriptionConfirmation",
            "Token": _token(found),
            "TopicArn": found.topic,
            "Message": f"You have chosen to subscribe to the topic {found.topic}.",
            "SubscribeURL": f"https://{host}/?{query}",
        }
    )


def _token(found: Subscription) -> str:
    return sha256(found.arn.encode()).hexdigest()


def confirm_subscription(world: World, call: Call) -> Response:
    """Confirm a subscription by the token that its endpoint was sent; repeatable."""
    topic = found_topic(world, call.params["TopicArn"])
    for each in world.subscriptions.values():
        if each.topic == topic.arn and _token(each) == call.params["Token"]:
            each.confirmed = True
            return {"SubscriptionArn": each.arn}
    raise invalid("Token")


def _found(world: World, call: Call) -> Subscription:
    arn = call.params["SubscriptionArn"]
    _check_arn(arn)
    found = world.subscriptions.get(arn)
    if found is None:
        raise Refused("NotFound", "Subscription does not exist", 404, Type="Sender")
    if call.caller.account not in (found.owner, arn.split(":")[4]):
        raise Refused("AuthorizationError", "Not authorized", 403, Type="Sender")
    return found


def _check_arn(arn: str) -> None:
    if (parts := len(arn.split(":"))) < 6:
        raise invalid(f"SubscriptionArn Reason: An ARN must have at least 6 elements, not {parts}")


def get_subscription_attributes(world: World, call: Call) -> Response:
    """Describe a subscription."""
    found = _found(world, call)
    scope = {"FilterPolicyScope": "MessageAttributes"} if "FilterPolicy" in found.attributes else {}
    return {
        "Attributes": {
            "RawMessageDelivery": "false",
            **scope,
            **found.attributes,
            "SubscriptionArn": found.arn,
            "TopicArn": found.topic,
            "Protocol": found.protocol,
            "Endpoint": found.endpoint,
            "Owner": found.owner,
            "PendingConfirmation": str(not found.confirmed).lower(),
            "ConfirmationWasAuthenticated": str(found.confirmed).lower(),
            "SubscriptionPrincipal": call.caller.arn,
        }
    }


def set_subscription_attributes(world: World, call: Call) -> Response:
    """Set one attribute; an empty filter policy takes the filter away."""
    found = _found(world, call)
    name, value = call.params["AttributeName"], call.params.get("AttributeValue", "")
    new = {**found.attributes, name: value}
    if name == "FilterPolicy" and value in ("", "{}"):
        del new[name]
    check_attributes(new)
    found.attributes = new
    return {}


def unsubscribe(world: World, call: Call) -> Response:
    """End a subscription; repeatable, but a pending one cannot be ended.

    [GH hashicorp/terraform-provider-aws, sns topic subscription, has the text]
    """
    arn = call.params["SubscriptionArn"]
    _check_arn(arn)
    if arn not in world.subscriptions:
        return {}
    if not _found(world, call).confirmed:
        raise invalid(
            "SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending confirmation"
        )
    del world.subscriptions[arn]
    return {}


def list_subscriptions_by_topic(world: World, call: Call) -> Response:
    """List a topic's subscriptions, 100 a page."""
    topic = found_topic(world, call.params["TopicArn"])
    return _listed(call, (each for each in world.subscriptions.values() if each.topic == topic.arn))


def list_subscriptions(world: World, call: Call) -> Response:
    """List the caller's subscriptions of the region, 100 a page."""
    return _listed(
        call,
        (
            each
            for each in world.subscriptions.values()
            if each.owner == call.caller.account and each.topic.split(":")[3] == call.region
        ),
    )


def _listed(call: Call, found: Iterable[Subscription]) -> Response:
    shown, token = page(list(found), call.params.get("NextToken"), _PAGE)
    result: dict[str, Any] = {
        "Subscriptions": [
            {
                "SubscriptionArn": each.arn if each.confirmed else "PendingConfirmation",
                "Owner": each.owner,
                "Protocol": each.protocol,
                "Endpoint": each.endpoint,
                "TopicArn": each.topic,
            }
            for each in shown
        ]
    }
    return {**result, "NextToken": token} if token else result


OPERATIONS: Operations = {
    "ConfirmSubscription": confirm_subscription,
    "GetSubscriptionAttributes": get_subscription_attributes,
    "ListSubscriptions": list_subscriptions,
    "ListSubscriptionsByTopic": list_subscriptions_by_topic,
    "SetSubscriptionAttributes": set_subscription_attributes,
    "Subscribe": subscribe,
    "Unsubscribe": unsubscribe,
}
