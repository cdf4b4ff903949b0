"""The emulated account's HTTP endpoint on the loopback: every call is decided by IAM first.

Elastic Load Balancing, S3, SNS and STS are answered by `dt_logs_rehearsal.account`,
CloudFormation by `dt_logs_rehearsal.cloudformation`. IAM, Lambda and CloudWatch Logs keep their
state in moto, behind the same decision. A caller that the account does not know is refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

from moto.backends import get_backend
from moto.core.request import Request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from dt_logs_rehearsal.account import Account, Caller, Refused
from dt_logs_rehearsal.account.client import OPERATIONS
from dt_logs_rehearsal.account.iam.access import Decided, authorise
from dt_logs_rehearsal.account.world import Call, Operation
from dt_logs_rehearsal.http.loopback import listener
from dt_logs_rehearsal.http.protocol import Answer, Parsed, parse, refusal, success

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ANSWERS = "/cloudformation-custom-resource-response/"
CODE = "/lambda-function-code/"
_BY_MOTO: tuple[Literal["iam", "lambda", "logs"], ...] = ("iam", "lambda", "logs")


@dataclass(frozen=True)
class Recorded:
    """A call that was made: by whom, what, what IAM said, and AWS's error if it has one."""

    name: str
    call: Call
    decisions: tuple[Decided, ...]
    error: str


@dataclass(frozen=True)
class Session:
    """Whom an access key stands for; a role's policies are those that it has at each call."""

    name: str
    account: str
    role: str = ""  # its ARN; empty for an administrator


class Endpoint:
    """Serves an account until it is closed; calls may come from several threads."""

    def __init__(
        self,
        account: Account,
        heard: Callable[[Recorded], None],
        answered: Callable[[str, bytes], None],
    ) -> None:
        """Prepare to serve; moto's state of the account begins anew.

        `heard` is told of each call, `answered` what was put to CloudFormation: a token, a body.
        """
        self.account = account
        self.control_policies: tuple[str, ...] = ()  # the organisation's, as JSON texts
        self.operations: dict[str, Mapping[str, Operation]] = dict(OPERATIONS)
        # Hears of each call before it is decided, and may raise Refused: a throttle, for tests.
        self.before: Callable[[Call], None] = lambda call: None
        self._heard = heard
        self._answered = answered
        self._sessions: dict[str, Session] = {}
        self._expired: set[str] = set()
        self._codes: dict[str, bytes] = {}  # what a function's code is, by the URL's last part
        self._made_at: dict[str, float] = {}
        self._lock = Lock()
        for service in _BY_MOTO:
            get_backend(service).pop(account.account_id, None)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._socket = listener()
        host, port = self._socket.getsockname()
        self._server: BaseWSGIServer = make_server(
            host,
            port,
            self._serve,
            threaded=True,
            request_handler=_Quiet,
            fd=self._socket.fileno(),
        )
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._socket.close()

    @property
    def url(self) -> str:
        """The endpoint's address, as `AWS_ENDPOINT_URL` takes it."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def session(self, name: str, account: str = "", role: str = "") -> dict[str, str]:
        """Return credentials, as boto3 takes them, of a role or of an account's administrator."""
        with self._lock:
            key = f"ASIA{len(self._sessions):016d}"
            self._sessions[key] = Session(name, account or self.account.account_id, role)
        return {
            "aws_access_key_id": key,
            "aws_secret_access_key": "emulated",
            "aws_session_token": "emulated",
        }

    def expire(self, credentials: Mapping[str, str]) -> None:
        """Let credentials be as they are when their time is over."""
        self._expired.add(credentials["aws_access_key_id"])

    def trust(self, role: str) -> str:
        """Return who may assume a role, as a policy that can be evaluated; empty for no role."""
        iam: Any = get_backend("iam")[self.account.account_id][self.account.partition]
        name = role.rpartition("/")[2]
        document: Any = next(
            (
                json.loads(each.assume_role_policy_document)
                for each in iam.roles.values()
                if each.name == name
            ),
            {"Statement": []},
        )
        # Trust policies name no resource: it is the role.
        return json.dumps({"Statement": [{**e, "Resource": "*"} for e in document["Statement"]]})

    def deployed(self) -> dict[str, Any]:
        """Return the roles, functions and log groups that there are, as comparable data."""
        account, region = self.account.account_id, self.account.region
        iam: Any = get_backend("iam")[account][self.account.partition]
        functions: Any = get_backend("lambda")[account][region]
        logs: Any = get_backend("logs")[account][region]
        return {
            "roles": {
                each.name: {
                    "trust": json.loads(each.assume_role_policy_document),
                    "policies": {k: json.loads(_text(v)) for k, v in each.policies.items()},
                }
                for each in iam.roles.values()
            },
            "functions": {
                each.function_name: {"role": each.role, "runtime": each.run_time}
                for each in functions.list_functions()
            },
            "log_groups": {name: each.retention_in_days for name, each in logs.groups.items()},
        }

    def decide(self, name: str, role: str, action: str, params: Mapping[str, Any]) -> None:
        """Decide what AWS does for a role without a call to this endpoint. Raises Refused."""
        service, _, operation = action.partition(":")
        session = Session(name, self.account.account_id, role)
        call = self._call(session, service, operation, params, self.account.region)
        self._made(session, call, lambda: None)

    def _serve(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        request = Request(environ)
        if request.path.startswith(ANSWERS):
            self._answered(request.path.removeprefix(ANSWERS), body)
            return _sent(start, Answer(200, {}, b""))
        if request.path.startswith(CODE):
            found = self._codes.get(f"{request.path}?{request.query_string.decode()}")
            return _sent(start, Answer(200, {}, found) if found else Answer(403, {}, b""))
        parsed = parse(request, body)
        if parsed is None:
            return _sent(start, Answer(403, {}, b"not signed by anybody who is known here"))
        try:
            session = self._known(parsed)
            where = parsed.region or self.account.region
            call = self._call(session, parsed.service, parsed.operation, parsed.params, where)
            self.before(call)
            if parsed.service in _BY_MOTO:
                self._made(session, call, lambda: None)
                environ["wsgi.input"] = BytesIO(body)
                environ["HTTP_X_MOTO_ACCOUNT_ID"] = session.account
                if parsed.operation == "GetFunction":
                    return _sent(start, self._function(call, environ))
                answered: Iterable[bytes] = self._moto(environ, start)
                return answered
            operation = self._operation(parsed)
            return _sent(
                start,
                self._made(
                    session,
                    call,
                    lambda: success(
                        call.service, call.operation, operation(self.account.world, call)
                    ),
                ),
            )
        except Refused as refused:
            return _sent(start, refusal(parsed.service, refused, request.method == "HEAD"))

    def _known(self, parsed: Parsed) -> Session:
        """Return whose the access key is. Raises Refused, as the service puts it."""
        plain = parsed.service in ("lambda", "logs")
        if parsed.access_key in self._expired:
            code = "ExpiredTokenException" if plain else "ExpiredToken"
            raise Refused(code, "The security token included in the request is expired", 403)
        found = self._sessions.get(parsed.access_key)
        if found is None:
            code = "UnrecognizedClientException" if plain else "InvalidClientTokenId"
            code = "InvalidAccessKeyId" if parsed.service == "s3" else code
            raise Refused(code, "The security token included in the request is invalid.", 403)
        return found

    def _operation(self, parsed: Parsed) -> Operation:
        found = self.operations.get(parsed.service, {}).get(parsed.operation)
        if found is None:
            text = f"{parsed.operation} of {parsed.service} is not emulated"
            raise Refused("NotImplemented", text, 501)
        return found

    def _function(self, call: Call, environ: WSGIEnvironment) -> Answer:
        """Answer GetFunction with a URL that really has the code, as Lambda's does for a while."""
        answer = Response.from_app(self._moto, environ, buffered=True)
        if answer.status_code != 200:
            return Answer(answer.status_code, dict(answer.headers), answer.data)
        found = json.loads(answer.data)
        name = found["Configuration"]["FunctionName"]
        functions: Any = get_backend("lambda")[self.account.account_id][self.account.region]
        path = f"{CODE}{name}?X-Amz-Signature={uuid.uuid4().hex}"
        self._codes[path] = functions.get_function(name).code_bytes
        found["Code"]["Location"] = f"{self.url}{path}"
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())

    def _made(self, session: Session, call: Call, effect: Callable[[], Any]) -> Any:
        """Decide a call, let it take effect, and tell of it. Raises Refused."""
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
            self._heard(Recorded(session.name, call, tuple(decisions), error))

    def _call(
        self, session: Session, service: str, operation: str, params: Mapping[str, Any], region: str
    ) -> Call:
        iam = get_backend("iam")[session.account][self.account.partition]
        roles = {each.name: each.arn for each in iam.roles.values()}
        for arn in roles.values():
            self._spread(arn)
        arn = f"arn:{self.account.partition}:iam::{session.account}:root"
        policies: tuple[str, ...] | None = None
        if session.role:
            name = session.role.rpartition("/")[2]
            arn = (
                f"arn:{self.account.partition}:sts::{session.account}"
                f":assumed-role/{name}/{session.name.replace(' ', '')}"
            )
            found = next((each for each in iam.roles.values() if each.name == name), None)
            policies = ()
            if found is not None and self._spread(found.arn):
                policies = tuple(map(_text, found.policies.values()))
            policies += self.control_policies
        caller = Caller(session.account, arn, policies)
        return Call(service, operation, params, caller, region, roles)

    def _spread(self, role: str) -> bool:
        """Tell whether a role that was made is known everywhere by now."""
        now = self.account.clock()
        made = self._made_at.setdefault(role, now)
        return now >= made + self.account.world.consistency.new_rights


def _text(policy: object) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)


def _sent(start: StartResponse, answer: Answer) -> list[bytes]:
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    start(f"{answer.status} .", [(key, str(value)) for key, value in headers.items()])
    return [answer.body]


class _Quiet(WSGIRequestHandler):
    """Writes each answer at once, logs nothing, and keeps connections open, as AWS does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log(self, type: str, message: str, *args: object) -> None:
        """Keep quiet: the account's calls are told otherwise."""
