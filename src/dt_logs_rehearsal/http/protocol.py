"""Read requests and write answers in AWS's wire protocols, with moto's parsers and serializers.

The parsers and serializers are not part of moto's API, so setup.cfg pins moto. If another release
of moto changes them, adapt this module and `endpoint.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

from dt_logs_rehearsal.account import Refused

_SCOPE = re.compile(
    r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
)
# Services whose name in a signature differs from botocore's.
_SERVICES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
# The protocol that boto3 uses, for services that have several.
_PROTOCOLS = {"cloudwatch": "json"}
REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Parsed:
    """A request: its access key, service, region, operation and parameters."""

    access_key: str
    service: str
    region: str
    operation: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def parse(request: Request, body: bytes) -> Parsed | None:
    """Parse a signed request; return None if it is not signed or its operation is unknown.

    Signatures are not checked. Raises NotImplementedError for a chunked body.
    """
    if "aws-chunked" in request.headers.get("Content-Encoding", ""):
        raise NotImplementedError("a body in chunks")
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope is None:
        return None
    service = _SERVICES.get(scope["service"], scope["service"])
    try:
        operation, uri = get_service_router(service).match(request)
    except NotFound:
        return None
    protocol = determine_request_protocol(get_service_model(service), request.content_type)
    params = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": uri,
        }
    )
    return Parsed(scope["key"], service, scope["region"], operation.name, params)


def success(service: str, operation: str, result: Mapping[str, Any]) -> Answer:
    """Return the answer to a successful call; an object's content is sent unchanged."""
    model = get_service_model(service).operation_model(operation)
    members = dict(result)
    content = members.pop("Body").read() if "Body" in members else None
    made = get_serializer_class(service, _protocol(service))(model).serialize(members)
    body = made["body"] if content is None else content
    return Answer(
        made["status_code"], made["headers"], body.encode() if isinstance(body, str) else body
    )


def _protocol(service: str) -> str:
    return _PROTOCOLS.get(service) or str(get_service_model(service).protocol)


def refusal(service: str, refused: Refused) -> Answer:
    """Return the answer to a refused call, in the service's format."""
    code, message = escape(refused.code), escape(refused.message)
    plain = {"__type": refused.code, "message": refused.message}
    headers = {"x-amzn-RequestId": REQUEST_ID}
    match _protocol(service):
        case "json" | "rest-json":
            text = json.dumps(plain)
            headers |= {"Content-Type": "application/json", "x-amzn-ErrorType": refused.code}
        case "rest-xml":
            more = "".join(f"<{k}>{escape(v)}</{k}>" for k, v in refused.details.items())
            text = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
            headers["Content-Type"] = "application/xml"
        case _:
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
                f"<Message>{message}</Message></Error><RequestId>{REQUEST_ID}</RequestId>"
                "</ErrorResponse>"
            )
            headers["Content-Type"] = "text/xml"
    return Answer(refused.status, headers, text.encode())
