"""TemplateURL: a template from the emulated S3, or from this machine's loopback."""

import re
from dataclasses import replace

from dt_logs_cfn.errors import FetchError
from dt_logs_cfn.template.parsing import LIMIT
from dt_logs_cfn.verify.fetching import fetch
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.world import Call, World

_HOST = r"https://(?:(?P<host>[a-z0-9.-]+)\.)?s3[.-][a-z0-9-]*\.?amazonaws\.com(?:\.cn)?/"
_S3 = re.compile(rf"{_HOST}(?P<path>[^?]+)(?:\?.*)?")


def fetched(world: World, call: Call, url: str) -> str:
    """Return a template's text; of an object in S3, with the caller's right to get it.

    Raises Refused. [botocore, CreateStack: TemplateURL]
    """
    found = _S3.fullmatch(url)
    if found is not None:
        return _object(world, call, found["host"] or "", found["path"])
    if not url.startswith("http://127.0.0.1:"):
        raise Refused("ValidationError", "TemplateURL must be a supported URL.")
    try:
        return fetch(url, LIMIT).decode()
    except (FetchError, UnicodeDecodeError) as error:
        raise Refused("ValidationError", f"Template could not be read: {error}") from error


def _object(world: World, call: Call, host: str, path: str) -> str:
    bucket, key = (host, path) if host else path.split("/", 1)
    get = replace(call, service="s3", operation="GetObject", params={"Bucket": bucket, "Key": key})
    try:
        authorise(world, get)
    except Refused as refused:
        text = f"S3 error: {refused.message}"
        raise Refused("ValidationError", text) from refused
    found = world.buckets[bucket].current(key)
    if found is None or found.body is None:
        raise Refused("ValidationError", "S3 error: The specified key does not exist.")
    return found.body.decode()
