"""SNS: subscriptions."""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.sns import filters
from dt_logs_rehearsal.account.sns.topics import found_topic, invalid
from dt_logs_rehearsal.account.world import (
    Call,
    Response,
    Subscription,
    Topic,
    World,
    page,
    present,
)

_PAGE = 100  # [SNS API, ListSubscriptions]
# [SNS API, SetSubscriptionAttributes]
_SETTABLE = frozenset(
    (
        "DeliveryPolicy",
        "FilterPolicy",
        "FilterPolicyScope",
        "RawMessageDelivery",
        "RedrivePolicy",
        "ReplayPolicy",
        "SubscriptionRoleArn",
    )
)
_DEFAULTS = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STARTS = {"http": "http://", "https": "https://", "sqs": "arn:", "lambda": "arn:"}


def subscribe(world: World, call: Call) -> Response:
    """Subscribe an endpoint, or return its existing subscription if the attributes match.

    [SNS API, Subscribe; localstack tests/aws/services/sns/test_sns]
    """
    params = call.params
    topic = found_topic(world, params["TopicArn"])
    protocol, endpoint = params["Protocol"], params.get("Endpoint", "")
    _check_endpoint(protocol, endpoint)
    attributes = _checked(params.get("Attributes", {}), "Attributes Reason: ")
    known = {(e.topic, e.protocol, e.endpoint): e for e in world.subscriptions.values()}
    found = known.get((topic.arn, protocol, endpoint))
    if found is None:
        found = _new(world, call, topic, attributes)
    elif not {**_DEFAULTS, **found.attributes}.items() >= attributes.items():
        raise invalid("Attributes Reason: Subscription already exists with different attributes")
    shown = found.confirmed or params.get("ReturnSubscriptionArn", False)
    return {"SubscriptionArn": found.arn if shown else "pending confirmation"}


def _check_endpoint(protocol: str, endpoint: str) -> None:
    if protocol not in (*_STARTS, "email", "email-json", "sms", "application", "firehose"):
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if not endpoint or not endpoint.startswith(_STARTS.get(protocol, "")):
        raise invalid("Endpoint Reason: Please use FQDN or ARN" if endpoint else "Endpoint")
    if protocol in ("sqs", "lambda") and len(endpoint.split(":")) < 6:
        raise invalid(f"{protocol.upper()} endpoint ARN")


def _checked(given: Mapping[str, str], where: str) -> dict[str, str]:
    """Check attributes, and return them as SNS keeps them; errors about a value include `where`.

    [localstack tests/aws/services/sns/test_sns, test_sns_filter_policy]
    """
    if not _SETTABLE.issuperset(given):
        raise invalid("AttributeName")
    attributes = dict(given)
    scope = {**_DEFAULTS, **attributes}["FilterPolicyScope"]
    if scope not in ("MessageAttributes", "MessageBody"):
        text = f"Invalid value [{scope}]. Please use either MessageBody or MessageAttributes"
        raise invalid(f"{where}FilterPolicyScope: {text}")
    if "RawMessageDelivery" in attributes:
        raw = attributes["RawMessageDelivery"]
        if raw.lower() not in ("true", "false"):
            text = f"Invalid value [{raw}]. Must be true or false."
            raise invalid(f"{where}RawMessageDelivery: {text}")
        attributes["RawMessageDelivery"] = raw.lower()
    if "FilterPolicy" in attributes:
        try:
            filters.check(attributes["FilterPolicy"], scope)
        except ValueError as error:
            raise invalid(f"{where}FilterPolicy: {error}") from error
    return attributes


def _new(world: World, call: Call, topic: Topic, attributes: dict[str, str]) -> Subscription:
    """Add a subscription; send a token to an endpoint that must confirm it.

    [SNS guide, SendMessageToHttp.confirm.md]
    """
    protocol, endpoint = call.params["Protocol"], call.params.get("Endpoint", "")
    owned = protocol in ("sqs", "lambda", "firehose", "application")
    confirmed = protocol == "sms" or (owned and endpoint.split(":")[4] == call.caller.account)
    found = Subscription(
        arn=f"{topic.arn}:{world.unique()}",
        topic=topic.arn,
        protocol=protocol,
        endpoint=endpoint,
        owner=call.caller.account,
        attributes=attributes,
        confirmed=confirmed,
    )
    world.subscriptions[found.arn] = found
    if not confirmed:
        query = f"Action=ConfirmSubscription&TopicArn={topic.arn}&Token={_token(found)}"
        message = {
            "Type": "SubscriptionConfirmation",
            "Token": _token(found),
            "TopicArn": topic.arn,
            "Message": f"You have chosen to subscribe to the topic {topic.arn}.",
            "SubscribeURL": f"https://sns.{topic.arn.split(':')[3]}.{world.domain}/?{query}",
        }
        world.deliveries[endpoint].append(message)
    return found


def _token(found: Subscription) -> str:
    return sha256(found.arn.encode()).hexdigest()


def confirm_subscription(world: World, call: Call) -> Response:
    """Confirm a subscription with the token that its endpoint received; a repeat succeeds too."""
    topic = found_topic(world, call.params["TopicArn"])
    for each in world.subscriptions.values():
        if each.topic == topic.arn and _token(each) == call.params["Token"]:
            each.confirmed = True
            return {"SubscriptionArn": each.arn}
    raise invalid("Token")


def _named(world: World, call: Call) -> Subscription | None:
    """Return the subscription that a call names, or None if it does not exist.

    Raises Refused if the ARN is invalid, or neither the subscription nor the topic is the caller's.
    [localstack tests/aws/services/sns/test_sns]
    """
    arn = call.params["SubscriptionArn"]
    parts = arn.split(":")
    if len(parts) < 6:
        text = f"SubscriptionArn Reason: An ARN must have at least 6 elements, not {len(parts)}"
        raise invalid(text)
    found = world.subscriptions.get(arn)
    if found is None and not _UUID.fullmatch(parts[-1]):
        raise invalid("SubscriptionId")
    if found is not None and call.caller.account not in (found.owner, parts[4]):
        raise Refused("AuthorizationError", "Not authorized", 403, Type="Sender")
    return found


def _existing(world: World, call: Call) -> Subscription:
    found = _named(world, call)
    if found is None:
        raise Refused("NotFound", "Subscription does not exist", 404, Type="Sender")
    return found


def get_subscription_attributes(world: World, call: Call) -> Response:
    """Describe a subscription."""
    found = _existing(world, call)
    shown = {**_DEFAULTS, **found.attributes}
    if "FilterPolicy" not in shown:  # [localstack tests/aws/services/sns/test_sns_filter_policy]
        del shown["FilterPolicyScope"]
    return {
        "Attributes": {
            **shown,
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
    """Set one attribute; an empty filter policy removes the filter."""
    found = _existing(world, call)
    name, value = call.params["AttributeName"], call.params.get("AttributeValue", "")
    new = {**found.attributes, name: value}
    if name == "FilterPolicy" and value in ("", "{}"):
        del new[name]
    found.attributes = _checked(new, "")
    return {}


def unsubscribe(world: World, call: Call) -> Response:
    """End a subscription, which must not be pending; a repeated call succeeds too.

    [GH hashicorp/terraform-provider-aws, sns topic subscription, quotes the message]
    """
    found = _named(world, call)
    if found is not None and not found.confirmed:
        text = "Cannot unsubscribe a subscription that is pending confirmation"
        raise invalid(f"SubscriptionArn Reason: {text}")
    world.subscriptions.pop(call.params["SubscriptionArn"], None)
    return {}


def list_subscriptions_by_topic(world: World, call: Call) -> Response:
    """List a topic's subscriptions, 100 per page."""
    topic = found_topic(world, call.params["TopicArn"])
    return _listed(world, call, lambda each: each.topic == topic.arn)


def list_subscriptions(world: World, call: Call) -> Response:
    """List the caller's subscriptions in the region, 100 per page."""
    here = (call.caller.account, call.region)
    return _listed(world, call, lambda each: (each.owner, each.topic.split(":")[3]) == here)


def _listed(world: World, call: Call, wanted: Callable[[Subscription], bool]) -> Response:
    """Return one page of subscriptions, including recently ended ones.

    A subscription that the endpoint's owner ended is listed as Deleted for 72 hours. [SNS guide,
    sns-delete-subscription-topic.md]
    """
    now, pending = world.clock(), "PendingConfirmation"
    found = [(e, e.arn if e.confirmed else pending) for e in world.subscriptions.values()]
    found += [(e, "Deleted") for e, at in world.ended.values() if now < at + 72 * 3600]
    listed = [(each, arn) for each, arn in found if wanted(each)]
    shown, token = page(listed, call.params.get("NextToken"), _PAGE)
    entries = [
        {
            "SubscriptionArn": arn,
            "Owner": each.owner,
            "Protocol": each.protocol,
            "Endpoint": each.endpoint,
            "TopicArn": each.topic,
        }
        for each, arn in shown
    ]
    return {"Subscriptions": entries, **present(NextToken=token)}
