"""Where Lambda comes in: one event, one answer.

CloudFormation sends a custom resource's events through Lambda's asynchronous queue: an event may
arrive twice, late, or after a later one. Whatever happens, it gets an answer before the function's
time or the resource's ServiceTimeout is over, whichever comes first.
"""

import gc
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from urllib.parse import quote

from botocore.config import Config
from botocore.session import get_session

from . import answer, log
from .aws import Aws
from .errors import HandlerError, Overtaken
from .marks import digest
from .request import SERVICE_TIMEOUT, Request, parse
from .run import Outcome, run

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

ANSWER_RESERVE = 30.0  # seconds kept for delivering the answer
WORKERS = 8  # load balancers that are seen to at once
FRESH = 60.0  # seconds after an event in which the role's rights may still spread


Clients: TypeAlias = "tuple[ElasticLoadBalancingv2Client, S3Client, SNSClient]"


class Context(Protocol):
    """What is used of Lambda's context."""

    log_group_name: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True)
class World:
    """Everything outside: clients, time and the way to CloudFormation."""

    clients: Callable[[], Clients]
    send: answer.Send
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    random: Random = field(default_factory=Random)
    workers: int = 1


def handler(event: object, context: Context) -> None:
    """Handle one event of CloudFormation's; the function's entry point."""
    handle(event, context, World(_clients, _send, workers=WORKERS))


def handle(event: object, context: Context, world: World) -> None:
    """Carry out an event and answer it. Raises nothing, so that Lambda repeats nothing."""
    url = event.get("ResponseURL") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(url, str) or not answer.may_answer(url):
        log.line("ignored", reason="the event has no answer URL")
        return
    body = _answered(event, context, world)
    arrived = answer.deliver(url, body, world.send, world.sleep)
    log.line("answered", arrived=arrived)


def _answered(event: Mapping[str, object], context: Context, world: World) -> bytes:
    physical_id = f"dt-logs-analysis-{digest(str(event.get('StackId')), 24)}"
    hide = partial(_without, _secrets(event))
    try:
        request = parse(event, world.clock())
        physical_id = request.stack.physical_id(str(event.get("LogicalResourceId", "")))
        log.line(request.kind, stack=request.stack.id, request=str(event.get("RequestId")))
        outcome = _run(request, context, world)
        return answer.success(event, physical_id, outcome, request.properties, hide)
    except HandlerError as error:
        log.line("failed", what=hide(error.what), fix=hide(error.fix))
        return answer.failed(event, physical_id, error, hide)
    except Exception as error:
        log.bug(hide)
        fault = HandlerError(
            f"The function has a fault ({type(error).__name__}).",
            f"Send the log group {context.log_group_name} to Data Theorem.",
        )
        return answer.failed(event, physical_id, fault)


def _secrets(event: Mapping[str, object]) -> list[str]:
    """Return what may appear in no text: the answer's URL, and endpoints that may hold a token."""
    found = [event.get("ResponseURL")]
    for name in ("ResourceProperties", "OldResourceProperties"):
        properties = event.get(name)
        if isinstance(properties, dict):
            found.append(properties.get("NotificationEndpoint"))
    return [each for each in found if isinstance(each, str) and each.startswith("http")]


def _without(secrets: list[str], text: str) -> str:
    """Take secrets out of a text that AWS or an exception may have repeated them in."""
    for each in secrets:
        for form in (each, quote(each, safe=""), quote(each), each.partition("?")[2]):
            text = text.replace(form, "…") if form else text
    return text


def _run(request: Request, context: Context, world: World) -> Outcome:
    now = world.clock()
    over = request.time + SERVICE_TIMEOUT
    if now >= over:
        raise Overtaken(
            "The event is older than CloudFormation waits for its answer.", "Nothing is to be done."
        )
    end = min(now + context.get_remaining_time_in_millis() / 1000, over)
    elbv2, s3, sns = world.clients()
    aws = Aws(
        elbv2=elbv2,
        s3=s3,
        sns=sns,
        clock=world.clock,
        sleep=world.sleep,
        random=world.random,
        deadline=max(now + 1, end - ANSWER_RESERVE),
        fresh_until=request.time + FRESH,
        workers=world.workers,
    )
    return run(request, aws, log.step)


@cache
def _clients() -> Clients:
    """Make the clients once, one after the other from one session, which is the fastest way.

    They are boto3's, without its additions to S3, which would take a fifth of a cold start.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    session = get_session()
    elbv2, s3, sns = (session.create_client(name, config=config) for name in ("elbv2", "s3", "sns"))
    gc.freeze()  # what is there by now stays, and need not be looked through
    gc.enable()  # which the bootstrap has put off until here
    return cast("Clients", (elbv2, s3, sns))


def _send(url: str, body: bytes) -> int:
    """Put the body; 0 stands for no answer at all. The URL is signed for no content type."""
    request = urllib.request.Request(url, body, {"Content-Type": ""}, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError, http.client.HTTPException):
        return 0
