"""AWS's refusals, and the errors that boto3 raises for them."""

from typing import Any

from botocore.exceptions import ClientError


class Refused(Exception):
    """A service's refusal of a call; clients turn it into a ClientError."""

    def __init__(self, code: str, message: str, status: int = 400, /, **details: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = details


def client_error(operation: str, refused: Refused) -> ClientError:
    """Return boto3's error for a refused call; `operation` is the call's name in AWS's API."""
    response: Any = {
        "Error": {"Code": refused.code, "Message": refused.message, **refused.details},
        "ResponseMetadata": metadata(refused.status),
    }
    return ClientError(response, operation)


def metadata(status: int) -> dict[str, Any]:
    """Return the ResponseMetadata of a call that was not retried."""
    return {
        "RequestId": "00000000-0000-4000-8000-000000000000",
        "HTTPStatusCode": status,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
    }
