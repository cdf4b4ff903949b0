"""Watch a session's calls: record them; stop changes to others' buckets and load balancers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.model import OperationModel

from aws_check.ledger import Ledger
from aws_check.plan import Thing
from aws_check.transcript import Transcript

_READS = ("Describe", "Get", "Head", "List")


def watch(session: boto3.Session, by: str, ledger: Ledger, transcript: Transcript) -> None:
    """Watch the clients that a session creates from now on; `by` names the caller.

    A call that would change a bucket or load balancer that the ledger does not hold is a bug:
    AssertionError is raised, and the call is not sent.
    """

    def before(
        params: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: object
    ) -> None:
        context["aws_check"] = params
        thing = changed(model.service_model.service_name, model.name, params)
        assert thing is None or thing in ledger.left(), f"{model.name} of {thing} is not ours"

    def after(
        parsed: Mapping[str, Any], model: OperationModel, context: dict[str, Any], **_: object
    ) -> None:
        transcript.write(
            {
                "by": by,
                "service": model.service_model.service_name,
                "operation": model.name,
                "request": context.get("aws_check", {}),
                "status": parsed.get("ResponseMetadata", {}).get("HTTPStatusCode"),
                "response": parsed,
            }
        )

    session.events.register("provide-client-params.*.*", before)
    session.events.register("after-call.*.*", after)


def changed(service: str, operation: str, params: Mapping[str, Any]) -> Thing | None:
    """Return the bucket or load balancer that a call would create or change, or None."""
    if operation.startswith(_READS):
        return None
    if service == "s3":
        return Thing("bucket", params.get("Bucket", ""))
    if service == "elbv2":
        arn = params.get("LoadBalancerArn", "///")
        return Thing("load balancer", params.get("Name") or arn.split("/")[2])
    return None
