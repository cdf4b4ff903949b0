"""The function's entry point: handle the events of CloudFormation and of the schedule.

CloudFormation sends a custom resource's events through Lambda's asynchronous queue: an event may
arrive twice, late, or after a later event. The function answers each of these events
before Lambda's timeout and, unless the event came too late, before the resource's ServiceTimeout.
"""

from __future__ import annotations

import gc
import http.client
import json
import time
import urllib.request
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from random import Random
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from botocore.config import Config
from botocore.session import get_session

from . import answer
from .aws import Aws
from .errors import Contested, HandlerError, Overtaken
from .names import Stack
from .refresh import SECONDS, refresh
from .request import SERVICE_TIMEOUT, parse, scheduled
from .run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol, TypeAlias, TypeVar

    from botocore.session import Session
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

    from .model import Step
    from .request import Properties
    from .run import Outcome

    T = TypeVar("T")

    class Context(Protocol):
        """The part of Lambda's context that the function uses."""

        log_group_name: str

        def get_remaining_time_in_millis(self) -> int: ...


ANSWER_RESERVE = 30.0  # seconds reserved for delivering the answer
WORKERS = 8  # load balancers that are handled at the same time
_LOGGED = ("load_balancer", "bucket", "location", "topic", "subscription", "endpoint")
FRESH = 60.0  # seconds after an event until the role's new permissions certainly apply
Clients: TypeAlias = "tuple[ElasticLoadBalancingv2Client, S3Client, SNSClient]"


@dataclass(frozen=True)
class World:
    """What the function needs from outside: clients, delivery of answers, time and randomness."""

    clients: Callable[[], Clients]
    send: answer.Send
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Random
    workers: int = 1
    cloudformation: Callable[[], CloudFormationClient] = lambda: _cloudformation()


def handler(event: object, context: Context) -> None:
    """Handle one event; the function's entry point."""
    handle(event, context, World(_clients, _send, time.time, time.sleep, Random(), WORKERS))


def handle(event: object, context: Context, world: World) -> None:
    """Carry out an event, and answer CloudFormation. Never raise, so that Lambda does not retry.

    A refresh event does not get an answer. Any other event without a valid answer URL is ignored.
    """
    if isinstance(event, dict) and event.get("RequestType") == "Refresh":
        _refresh(event, context, world)
        return
    url = event.get("ResponseURL") if isinstance(event, dict) else None
    if isinstance(event, dict) and isinstance(url, str) and answer.may_answer(url):
        body = _answered(event, context, world)
        _log("answered", arrived=answer.deliver(url, body, world.send, world.sleep))
    else:
        _log("ignored", reason="the event has no answer URL")


def _answered(event: Mapping[str, object], context: Context, world: World) -> bytes:
    # The physical ID is the same for every event of a resource, even for an invalid event.
    stack = Stack(str(event.get("StackId")), "", "", "")
    physical_id = stack.physical_id(str(event.get("LogicalResourceId", "")))
    hide = partial(_without_secrets, event)

    def work() -> tuple[Outcome, Properties | None]:
        request = parse(event, world.clock())
        _log(request.kind, stack=stack.id, request=event.get("RequestId"))
        return run(request, _aws(request.time, inf, context, world), _log_step), request.properties

    done = _attempted(work, hide, context)
    if isinstance(done, HandlerError):
        _log("failed", what=hide(done.what), fix=hide(done.fix))
        return answer.failed(event, physical_id, done, hide)
    if what := answer.told(done[0]):
        _log("told", what=hide(what))
    return answer.success(event, physical_id, *done, hide)


def _refresh(event: Mapping[str, object], context: Context, world: World) -> None:
    """Carry out a schedule's event; log the outcome, also as a CloudWatch metric."""
    given: dict[str, object] = {}

    def work() -> Outcome:
        stack, at = scheduled(event, world.clock())
        given["StackId"] = stack.id
        aws = _aws(at, SECONDS, context, world)
        learn = partial(given.__setitem__, "ResourceProperties")
        return refresh(stack, at, world.cloudformation(), aws, _log_step, learn)

    hide = partial(_without_secrets, given)
    done = _attempted(work, hide, context)
    stopped = isinstance(done, Overtaken) and not isinstance(done, Contested)
    failed = isinstance(done, HandlerError) and not stopped
    _log(
        "refreshed",
        outcome="stopped" if stopped else "failed" if failed else "in step",
        what=hide(str(done) if isinstance(done, HandlerError) else answer.told(done)),
        **answer.metric("FailedRefreshes", int(failed), given.get("StackId"), world.clock()),
    )


def _attempted(work: Callable[[], T], hide: answer.Hide, context: Context) -> T | HandlerError:
    """Do the work; return its result, or the failure.

    An unexpected exception is logged with its traceback, and becomes a HandlerError.
    """
    try:
        return work()
    except HandlerError as error:
        return error
    except Exception as error:
        import traceback  # imported here, because it slows a cold start

        _log("bug", traceback=hide(traceback.format_exc()))
        return HandlerError(
            f"The function has a fault ({type(error).__name__}).",
            f"Send the log group {context.log_group_name} to Data Theorem.",
        )


def _log(event: str, **fields: object) -> None:
    """Write one line of JSON; Lambda sends it to the log group."""
    text = json.dumps({"event": event, **fields}, default=str)
    print(f"{text}\n", end="", flush=True)  # one call, because several threads write


def _log_step(step: Step, outcome: str) -> None:
    """Log a step with its resources and its outcome."""
    about = ((name, getattr(step, name, None)) for name in _LOGGED)
    _log(type(step).__name__, outcome=outcome, **{name: each for name, each in about if each})


def _without_secrets(event: Mapping[str, object], text: str) -> str:
    """Remove the answer URL and the https endpoints, with their tokens, from a string.

    An error from AWS or an exception may repeat them.
    """
    for each in (event, event.get("ResourceProperties"), event.get("OldResourceProperties")):
        for name in ("ResponseURL", "NotificationEndpoint"):
            secret = each.get(name) if isinstance(each, dict) else None
            if isinstance(secret, str) and secret.startswith("http"):
                query = secret.partition("?")[2]
                token = query if len(query) > 7 else f"?{query}"
                for form in (secret, quote(secret, safe=""), quote(secret), token):
                    text = text.replace(form, "…")
    return text


def _aws(at: float, most: float, context: Context, world: World) -> Aws:
    """Return the clients with an event's deadline; raise Overtaken if the event is too old."""
    now, over = world.clock(), at + SERVICE_TIMEOUT
    if now >= over:
        raise Overtaken(
            f"The event is older than {SERVICE_TIMEOUT} seconds.", "No action is needed."
        )
    end = min(now + min(most, context.get_remaining_time_in_millis() / 1000), over)
    return Aws(
        *world.clients(),
        world.clock,
        world.sleep,
        world.random,
        deadline=max(now + 1, end - ANSWER_RESERVE),
        fresh_until=at + FRESH,
        workers=world.workers,
    )


@cache
def _clients() -> Clients:
    """Create the clients once, one after the other from one session, which is fastest.

    They come from botocore, because boto3's additions to the S3 client would take a fifth of a cold
    start. Also turns on garbage collection.
    """
    clients = tuple(map(_client, ("elbv2", "s3", "sns")))
    gc.freeze()  # the modules and clients stay, so garbage collection can skip them
    gc.enable()  # Lambda's bootstrap disabled garbage collection
    return cast("Clients", clients)


@cache
def _session() -> Session:
    return get_session()


def _cloudformation() -> CloudFormationClient:
    client: CloudFormationClient = _client("cloudformation")
    return client


@cache
def _client(name: str) -> Any:
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 1},  # `Aws.call` retries instead
    )
    return _session().create_client(name, config=config)


def _send(url: str, body: bytes) -> int:
    """PUT the body; return the status, or 0 if the URL is not valid or no answer came.

    The URL is signed without a content type, so the header is empty.
    """
    request = urllib.request.Request(url, body, {"Content-Type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.request.HTTPError as error:
        return error.code
    except (OSError, ValueError, http.client.HTTPException):
        return 0
