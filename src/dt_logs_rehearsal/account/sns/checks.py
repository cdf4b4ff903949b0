"""SNS: what a subscription may be."""

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.sns import filters

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
_STARTS = {"http": "http://", "https": "https://", "sqs": "arn:", "lambda": "arn:"}


def invalid(text: str) -> Refused:
    """Return SNS's refusal of a parameter."""
    return Refused("InvalidParameter", f"Invalid parameter: {text}", Type="Sender")


def check_endpoint(protocol: str, endpoint: str) -> None:
    """Raise Refused unless the endpoint fits the protocol."""
    if protocol not in (*_STARTS, "email", "email-json", "sms", "application", "firehose"):
        raise invalid(f"Protocol Reason: Does not support this protocol string: {protocol}")
    if not endpoint or not endpoint.startswith(_STARTS.get(protocol, "")):
        raise invalid("Endpoint Reason: Please use FQDN or ARN" if endpoint else "Endpoint")
    if protocol in ("sqs", "lambda") and len(endpoint.split(":")) < 6:
        raise invalid(f"{protocol.upper()} endpoint ARN")
    if protocol == "sqs" and endpoint.endswith(".fifo"):
        raise invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard"
            " SNS topics"
        )


def check_attributes(attributes: dict[str, str]) -> None:
    """Raise Refused unless a subscription may have these attributes together."""
    for key in attributes:
        if key not in _SETTABLE:
            raise invalid("AttributeName")
    scope = attributes.get("FilterPolicyScope", "MessageAttributes")
    if scope not in ("MessageAttributes", "MessageBody"):
        raise invalid("FilterPolicyScope: Invalid value")
    if attributes.get("RawMessageDelivery", "false") not in ("true", "false"):
        raise invalid("Attributes Reason: RawMessageDelivery: Invalid value")
    if "FilterPolicy" in attributes:
        filters.check(attributes["FilterPolicy"], scope)
