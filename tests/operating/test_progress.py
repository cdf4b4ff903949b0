"""The progress that is reported while an account is being read."""

import boto3
from botocore.stub import Stubber

from dt_logs_cfn.cli.terminal import EVERY, watch


def test_a_long_look_tells_now_and_then_how_far_it_is() -> None:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    clients = [boto3.client("sns", **keys), boto3.client("s3", **keys)]
    now, lines = 100.0, list[str]()
    watch(clients, lambda: now, lines.append)
    for seconds in (1.0, 1.0, EVERY, 1.0, EVERY):
        now += seconds
        for client, operation in zip(clients, ("list_topics", "list_buckets"), strict=True):
            with Stubber(client) as stub:
                stub.add_response(operation, {})
                getattr(client, operation)()
    assert lines == [f"{number} answers from AWS so far" for number in (5, 9)]
