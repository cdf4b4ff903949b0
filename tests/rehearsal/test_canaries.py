"""Internals of moto and awslambdaric that we use although they may change, one test for each.

If a test fails after an upgrade, the library's new release has changed an internal. Adapt the
module that the test names, or pin the previous release in setup.cfg.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

from moto.backends import get_backend
from moto.core.request import Request, determine_request_protocol
from moto.core.utils import get_service_model
from moto.iam.models import Role
from werkzeug.test import EnvironBuilder

PIN = "5.2.5"


def test_moto_is_the_release_that_this_was_written_for() -> None:
    """http/protocol.py and http/endpoint.py use internals: pin the release, or adapt both."""
    assert version("moto") == PIN


def test_requests_are_routed_and_parsed_by_botocores_models() -> None:
    """http/protocol.py uses get_service_router and PROTOCOL_PARSERS."""
    from dt_logs_rehearsal.http.protocol import parse

    authorization = "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, Signed"
    builder = EnvironBuilder("/logs?policy", method="PUT", data=b"{}")
    builder.headers["Authorization"] = authorization
    found = parse(Request(builder.get_environ()), b"{}")
    assert found is not None
    assert (found.operation, found.params) == (
        "PutBucketPolicy",
        {"Bucket": "logs", "Policy": "{}"},
    )


def test_answers_are_serialized_by_botocores_models() -> None:
    """http/protocol.py uses get_serializer_class."""
    from dt_logs_rehearsal.http.protocol import success

    answer = success("sns", "CreateTopic", {"TopicArn": "arn:aws:sns:us-east-1:1:a"})
    assert b"<TopicArn>arn:aws:sns:us-east-1:1:a</TopicArn>" in answer.body
    assert answer.status == 200


def test_protocols_are_told_by_content_type() -> None:
    """http/protocol.py uses determine_request_protocol."""
    form = "application/x-www-form-urlencoded; charset=utf-8"
    assert determine_request_protocol(get_service_model("sns"), form) == "query"
    json = "application/x-amz-json-1.0"
    assert determine_request_protocol(get_service_model("cloudwatch"), json) == "json"


def test_backends_are_kept_by_account_and_can_be_dropped() -> None:
    """http/endpoint.py uses get_backend(service).pop(account)."""
    backend = get_backend("iam")
    first = backend["111111111111"]["aws"]
    backend.pop("111111111111", None)
    assert backend["111111111111"]["aws"] is not first
    backend.pop("111111111111", None)


def test_a_role_keeps_its_inline_policies_and_its_trust() -> None:
    """http/endpoint.py reads Role.policies and Role.assume_role_policy_document."""
    names = inspect.signature(Role.__init__).parameters
    assert "assume_role_policy_document" in names
    assert "self.policies" in inspect.getsource(Role.__init__)


def test_lambda_and_logs_tell_of_functions_and_groups() -> None:
    """http/endpoint.py uses list_functions() and groups."""
    assert list(get_backend("lambda")["111111111111"]["us-east-1"].list_functions()) == []
    assert dict(get_backend("logs")["111111111111"]["us-east-1"].groups) == {}


def test_a_function_keeps_its_zip() -> None:
    """http/endpoint.py uses get_function(name).code_bytes."""
    from moto.awslambda.models import LambdaFunction

    assert "self.code_bytes" in inspect.getsource(LambdaFunction)


def test_the_account_of_a_call_is_taken_from_a_header() -> None:
    """http/endpoint.py uses x-moto-account-id."""
    from moto.core.responses import BaseResponse

    assert "x-moto-account-id" in inspect.getsource(BaseResponse.get_current_account)


def test_awslambdaric_is_started_by_main_with_the_handler_behind_its_name() -> None:
    """functions/processes.py uses main([name, handler])."""
    from awslambdaric.__main__ import main

    assert list(inspect.signature(main).parameters) == ["args"]
