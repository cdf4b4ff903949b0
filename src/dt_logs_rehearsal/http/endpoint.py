"""The emulated account's HTTP endpoint on the loopback; IAM decides about every call first.

`dt_logs_rehearsal.account` answers for most services, and `dt_logs_rehearsal.cloudformation` for
CloudFormation. moto keeps the state of EventBridge, IAM, Lambda and CloudWatch Logs. The endpoint
refuses unknown callers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, get_args

from moto.backends import get_backend
from moto.core.request import Request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Response

from dt_logs_rehearsal.account import Account, Caller, Refused
from dt_logs_rehearsal.account.client import SERVICES, answers
from dt_logs_rehearsal.account.iam.access import ApiCall, Decided, authorise
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, evaluate
from dt_logs_rehearsal.account.iam.policy import Request as PolicyRequest
from dt_logs_rehearsal.account.world import Call, Operations
from dt_logs_rehearsal.http.loopback import Server
from dt_logs_rehearsal.http.protocol import Answer, Parsed, parse, refusal, success

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ANSWERS = "/cloudformation-custom-resource-response/"
CODE = "/lambda-function-code/"
_BY_MOTO = get_args(Literal["events", "iam", "lambda", "logs"])


@dataclass(frozen=True)
class Session:
    """An access key's owner; a role's policies are read at each call."""

    name: str
    account: str
    role: str = ""  # the role's ARN; empty for an administrator


class Endpoint:
    """Serves an account until the endpoint is closed; calls may come from several threads."""

    def __init__(
        self,
        account: Account,
        heard: Callable[[ApiCall], None],
        answered: Callable[[str, bytes], None],
    ) -> None:
        """Prepare to serve; discard moto's earlier state of the account.

        `heard` receives each call that reaches IAM, and `answered` the token and body of each
        answer to CloudFormation.
        """
        self.account = account
        # By service: if given, these operations replace the account's operations for the service.
        self.operations: dict[str, Operations] = {}
        # Runs before each call is authorised; may raise Refused, for example to throttle the call.
        self.before: Callable[[Call], None] = lambda call: None
        self._heard = heard
        self._answered = answered
        self._sessions: dict[str, Session] = {}
        self._expired: set[str] = set()
        self._codes: dict[str, bytes] = {}  # functions' code, by the URL's path and query
        self._made_at: dict[str, float] = {}
        self._lock = Lock()
        for service in _BY_MOTO:
            get_backend(service).pop(account.account_id, None)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = Server(self._serve)
        # The endpoint's address, as `AWS_ENDPOINT_URL` takes it.
        self.url = f"http://{self._server.address}"

    def __enter__(self) -> Endpoint:
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()

    def session(self, name: str, account: str = "", role: str = "") -> dict[str, str]:
        """Return credentials, as boto3 takes them, for a role or for an account's administrator."""
        with self._lock:
            key = f"ASIA{len(self._sessions):016d}"
            self._sessions[key] = Session(name, account or self.account.account_id, role)
        return {
            "aws_access_key_id": key,
            "aws_secret_access_key": "emulated",
            "aws_session_token": "emulated",
        }

    def expire(self, credentials: Mapping[str, str]) -> None:
        """Let credentials expire now."""
        self._expired.add(credentials["aws_access_key_id"])

    def lets_assume(self, role: str, service: str) -> bool:
        """Return whether a role exists and its trust policy lets a service assume it."""
        name = role.rpartition("/")[2]
        trusts = [each.assume_role_policy_document for each in self._roles() if each.name == name]
        statements = json.loads(trusts[0])["Statement"] if trusts else []
        # A trust policy does not name a resource, because it applies only to its own role.
        trust = {"Statement": [{**each, "Resource": "*"} for each in statements]}
        return _allows(trust, service, "sts:AssumeRole", role, {})

    def lets_invoke(self, function: str, service: str, context: Context) -> bool:
        """Return whether a function's own policy lets a service invoke it."""
        functions: Any = get_backend("lambda")[self.account.account_id][self.account.region]
        policy = functions.get_function(function).policy
        found = policy.get_policy()["Policy"] if policy else {"Statement": []}
        return _allows(found, service, "lambda:InvokeFunction", function, context)

    def deployed(self) -> dict[str, Any]:
        """Return the account's roles, functions, log groups and rules as comparable data."""
        account, region = self.account.account_id, self.account.region
        functions: Any = get_backend("lambda")[account][region]
        logs: Any = get_backend("logs")[account][region]
        rules: Any = get_backend("events")[account][region].event_buses["default"].rules
        return {
            "roles": {
                each.name: {
                    "trust policy": json.loads(each.assume_role_policy_document),
                    "policies": {k: json.loads(_text(v)) for k, v in each.policies.items()},
                }
                for each in self._roles()
            },
            "functions": {
                each.function_name: {"role": each.role, "runtime": each.run_time}
                for each in functions.list_functions()
            },
            "log_groups": {
                name: {"RetentionInDays": each.retention_in_days or "never expires"}
                for name, each in logs.groups.items()
            },
            "rules": {
                name: {"ScheduleExpression": each.scheduled_expression}
                for name, each in rules.items()
            },
        }

    def decide(self, name: str, role: str, action: str, params: Mapping[str, Any]) -> None:
        """Let IAM decide about a service's call with a role; report the call. Raises Refused."""
        service, _, operation = action.partition(":")
        session = Session(name, self.account.account_id, role)
        asked = Parsed("", service, self.account.region, operation, params)
        self._made(session, self._call(session, asked), lambda: None)

    def _serve(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        answer = self._answer(Request(environ), body)
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        start(f"{answer.status} .", [(key, str(value)) for key, value in headers.items()])
        return [answer.body]

    def _answer(self, request: Request, body: bytes) -> Answer:
        if request.path.startswith(ANSWERS):
            self._answered(request.path.removeprefix(ANSWERS), body)
            return Answer(200, {}, b"")
        if request.path.startswith(CODE):
            found = self._codes.get(f"{request.path}?{request.query_string.decode()}")
            return Answer(200, {}, found) if found else Answer(403, {}, b"")
        parsed = parse(request, body)
        if parsed is None:
            return Answer(403, {}, b"not signed by a known caller")
        try:
            session = self._known(parsed)
            call = self._call(session, parsed)
            self.before(call)
            return self._called(session, call, request.environ, body)
        except Refused as refused:
            return refusal(parsed.service, refused)

    def _known(self, parsed: Parsed) -> Session:
        """Return the access key's owner. Raises Refused if the key has expired or is unknown."""
        if parsed.access_key in self._expired:
            text = "The security token included in the request is expired"
            raise Refused("ExpiredToken", text, 403)
        found = self._sessions.get(parsed.access_key)
        if found is None:
            text = "The security token included in the request is invalid."
            raise Refused("InvalidClientTokenId", text, 403)
        return found

    def _called(
        self, session: Session, call: Call, environ: WSGIEnvironment, body: bytes
    ) -> Answer:
        """Answer a known caller's call. Raises Refused."""
        known = answers(call.service) if call.service in SERVICES else {}
        operation = self.operations.get(call.service, known).get(call.operation)
        if operation is not None:
            world = self.account.world
            result = self._made(session, call, lambda: operation(world, call))
            return success(call.service, call.operation, result)
        if call.service not in _BY_MOTO:
            text = f"{call.operation} of {call.service} is not emulated"
            raise Refused("NotImplemented", text, 501)
        self._made(session, call, lambda: None)
        environ["wsgi.input"] = BytesIO(body)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = session.account
        answer = Response.from_app(self._moto, environ, buffered=True)
        if call.operation == "GetFunction" and answer.status_code == 200:
            return self._function(json.loads(answer.data))
        return Answer(answer.status_code, dict(answer.headers), answer.data)

    def _function(self, found: dict[str, Any]) -> Answer:
        """Answer GetFunction with a URL that serves the function's code, as Lambda does."""
        name = found["Configuration"]["FunctionName"]
        functions: Any = get_backend("lambda")[self.account.account_id][self.account.region]
        path = f"{CODE}{name}?X-Amz-Signature={uuid.uuid4().hex}"
        self._codes[path] = functions.get_function(name).code_bytes
        found["Code"]["Location"] = f"{self.url}{path}"
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())

    def _made(self, session: Session, call: Call, effect: Callable[[], Any]) -> Any:
        """Authorise a call, carry it out, and report it. Raises Refused."""
        decisions: list[Decided] = []
        error = ""
        try:
            with self.account.world.lock:
                authorise(self.account.world, call, decisions.append)
                return effect()
        except Refused as refused:
            error = f"{refused.code}: {refused.message}"
            raise
        finally:
            made = (session.name, call.service, call.operation)
            self._heard(ApiCall(*made, tuple(decisions), error))

    def _call(self, session: Session, asked: Parsed) -> Call:
        roles = self._roles(session.account)
        known = {each.arn for each in roles if self._spread(each.arn)}
        arn = f"arn:{self.account.partition}:iam::{session.account}:root"
        policies: tuple[str, ...] | None = None
        if session.role:
            name = session.role.rpartition("/")[2]
            arn = (
                f"arn:{self.account.partition}:sts::{session.account}"
                f":assumed-role/{name}/{session.name.replace(' ', '')}"
            )
            own = [each for each in roles if each.name == name and each.arn in known]
            policies = tuple(_text(each) for role in own for each in role.policies.values())
        caller = Caller(session.account, arn, policies)
        arns = {each.name: each.arn for each in roles}
        return Call(asked.service, asked.operation, asked.params, caller, asked.region, arns)

    def _roles(self, account: str = "") -> list[Any]:
        """Return the roles of an account, as moto keeps them."""
        iam: Any = get_backend("iam")[account or self.account.account_id][self.account.partition]
        return list(iam.roles.values())

    def _spread(self, role: str) -> bool:
        """Return whether a role has existed long enough to be known everywhere."""
        now = self.account.clock()
        made = self._made_at.setdefault(role, now)
        return now >= made + self.account.world.consistency.new_rights


def _allows(
    policy: Mapping[str, Any], service: str, action: str, resource: str, context: Context
) -> bool:
    request = PolicyRequest(Principal(service=service), action, resource, context)
    return evaluate((json.dumps(policy),), request) is Decision.ALLOW


def _text(policy: object) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)
