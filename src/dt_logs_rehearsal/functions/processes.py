"""AWS Lambda without Docker: a function's code runs under awslambdaric in its own process.

As in Lambda, the process has only the code, the role's credentials and a deadline. Unlike in
Lambda, its memory is not limited, and it is not isolated. Time passes at the account's pace.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from queue import Empty
from threading import Event as Flag
from threading import Lock, Thread

from dt_logs_cfn.errors import RehearsalError
from dt_logs_rehearsal.functions.runtime_api import Event, Invocation, RuntimeApi
from dt_logs_rehearsal.pace import Pace

# The code is unchanged; only its time passes faster, like the account's. As in Lambda, the code
# cannot import this project's packages.
_START = """
import sys, time
began, rate = float(sys.argv[1]), int(sys.argv[2])
mark, clock, sleep = time.monotonic(), time.monotonic, time.sleep
offset = time.time() - began
time.time = lambda: began + offset * rate + (clock() - mark) * rate
time.sleep = lambda seconds: sleep(seconds / rate)
sys.path[:] = [sys.argv[3], *[each for each in sys.path if each not in sys.argv[5:]]]
sys.meta_path[:] = [
    each for each in sys.meta_path if not getattr(each, "__module__", "").startswith("__editable")
]
from awslambdaric.__main__ import main
main(["awslambdaric", sys.argv[4]])
"""
_PROBE = "import awslambdaric, boto3"
_PATIENCE = 300  # seconds; a process may take over half a minute to start on a busy machine


@dataclass(frozen=True)
class Function:
    """A function to run: `code` is the content of index.py; `timeout` is in seconds."""

    name: str
    arn: str
    runtime: str
    handler: str
    code: str
    timeout: float
    memory: int
    log_group: str
    region: str
    credentials: Mapping[str, str]


_STOPPED = Invocation("exited", "the function was stopped")


class Functions:
    """Runs functions; on exit, ends all their processes."""

    def __init__(
        self,
        folder: Path,
        endpoint_url: str,
        pace: Pace,
        retry_after: Sequence[float] = (60, 120),
    ) -> None:
        """Keep code and files in `folder`; retry a failed event after each pause in `retry_after`.

        [Lambda guide, invocation-async.md: two retries, after one and two minutes]. Raises
        RehearsalError if awslambdaric or boto3 cannot be imported.
        """
        if not _importable(sys.executable):
            raise RehearsalError(
                "awslambdaric or boto3 cannot be imported.",
                "Install them with: pip install 'dt-logs-cfn[rehearse]'",
            )
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._pace = pace
        self._retry_after = retry_after
        # A sleeping or retrying invocation must not block the others.
        self._pool = ThreadPoolExecutor(64, thread_name_prefix="function")
        self._processes: dict[str, _Process] = {}
        self._lock = Lock()
        self._closing = Flag()

    def __enter__(self) -> Functions:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        with self._lock:
            for process in self._processes.values():
                process.kill()
        self._pool.shutdown()

    def invoke(self, function: Function, event: object) -> Invocation:
        """Run a function once with an event, as soon as the function is idle."""
        process = self._process(function)
        return process.invoke(json.dumps(event).encode())

    def invoke_async(self, function: Function, event: object) -> Future[tuple[Invocation, ...]]:
        """Queue an event, and retry it if it fails; return a future of all attempts."""
        try:
            return self._pool.submit(self._attempts, function, event)
        except RuntimeError:  # if the pool is shut down
            if not self._closing.is_set():
                raise
            stopped: Future[tuple[Invocation, ...]] = Future()
            stopped.set_result((_STOPPED,))
            return stopped

    def _attempts(self, function: Function, event: object) -> tuple[Invocation, ...]:
        done = [self.invoke(function, event)]
        for pause in self._retry_after:
            if done[-1].outcome == "returned" or self._closing.wait(pause / self._pace.rate):
                break
            done.append(self.invoke(function, event))
        return tuple(done)

    def _process(self, function: Function) -> _Process:
        with self._lock:
            found = self._processes.get(function.name)
            if found is None or found.function != function:
                if found is not None:
                    found.kill()
                folder = self._folder / f"{function.name}-{uuid.uuid4().hex[:8]}"
                found = _Process(function, folder, self._endpoint_url, self._pace)
                self._processes[function.name] = found
            if self._closing.is_set():  # closed while the event waited for a thread
                found.kill()
            return found


@cache
def _importable(python: str) -> bool:
    """Return whether a Python interpreter has the packages that a function needs."""
    try:
        command = [python, "-I", "-c", _PROBE]
        return subprocess.run(command, capture_output=True, timeout=_PATIENCE).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@cache
def interpreter(runtime: str) -> tuple[str, str]:
    """Return the Python interpreter for a runtime, and its description.

    The interpreter has the runtime's version if this machine has that version with awslambdaric and
    boto3. Otherwise, the interpreter is the one that runs this program.
    """
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if runtime == here:
        return sys.executable, f"{runtime}, as in Lambda"
    other = shutil.which(runtime)
    if other and _importable(other):
        return other, f"{runtime}, as in Lambda"
    return sys.executable, f"{here} ({runtime} with awslambdaric not found)"


@dataclass
class _Process:
    """A function's process, which starts when needed and stays warm until an event fails."""

    function: Function
    _folder: Path
    _endpoint_url: str
    _pace: Pace
    _lock: Lock = field(default_factory=Lock)
    _running: subprocess.Popen[bytes] | None = None
    _api: RuntimeApi | None = None
    _dead: Flag = field(default_factory=Flag)
    _read: int = 0

    def invoke(self, body: bytes) -> Invocation:
        with self._lock:
            if self._dead.is_set():
                return _STOPPED
            api = self._started()
            if self._dead.is_set():  # killed before its process had started
                self._stop()
                return _STOPPED
            request_id, timeout = str(uuid.uuid4()), self.function.timeout
            deadline = int((self._pace() + timeout) * 1000)
            api.events.put(Event(request_id, self.function.arn, deadline, body))
            try:
                found = api.results.get(timeout=timeout / self._pace.rate)
            except Empty:
                text = f"{request_id} Task timed out after {timeout:.2f} seconds"
                found = Invocation("timed out", text)
            if found.outcome != "returned":
                self._stop()
            return replace(found, output=self._output())

    def _started(self) -> RuntimeApi:
        if self._api is not None and self._running is not None and self._running.poll() is None:
            return self._api
        self._stop()
        code, temporary = self._folder / "task", self._folder / "tmp"
        code.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(exist_ok=True)
        (code / "index.py").write_text(self.function.code, "utf-8")
        api = self._api = RuntimeApi()
        python = interpreter(self.function.runtime)[0]
        with open(self._folder / "log", "ab") as log:
            pace = (str(self._pace.began), str(self._pace.rate))
            what = (str(code), self.function.handler, *_ours())
            running = self._running = subprocess.Popen(
                [python, "-I", "-c", _START, *pace, *what],
                cwd=code,
                env=self._environment(api.address, code, temporary),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def ended() -> None:
            """Report the process's end, after all its answers, to the thread that waits."""
            text = f"Runtime exited with error: exit status {running.wait()}"
            api.results.put(Invocation("exited", text))

        Thread(target=ended, name="function's end", daemon=True).start()
        return api

    def _environment(self, api: str, code: Path, temporary: Path) -> dict[str, str]:
        """Return an environment like Lambda's [Lambda guide, configuration-envvars.md]."""
        function = self.function
        return {
            **function.credentials,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": f"2026/11/01/[$LATEST]{function.name}",
            "AWS_LAMBDA_RUNTIME_API": api,
            "AWS_REGION": function.region,
            "HOME": str(temporary),
            "LAMBDA_TASK_ROOT": str(code),
            "NO_PROXY": "*",
            "PATH": os.defpath,
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
            "TZ": ":UTC",
        }

    def _output(self) -> str:
        """Return the process's output since the last call."""
        with open(self._folder / "log", "rb") as log:
            log.seek(self._read)
            found = log.read()
        self._read += len(found)
        return found.decode(errors="replace")

    def kill(self) -> None:
        """End the process for good, even during an event."""
        self._dead.set()
        _end(self._running)
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        _end(self._running)
        if self._api is not None:
            self._api.close()
        self._running = self._api = None


def _end(running: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and its child processes; wait until the process has ended."""
    if running is not None:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@cache
def _ours() -> tuple[str, ...]:
    """Return the source folders of a checkout, from which a function must not import."""
    import dt_logs_handler
    import dt_logs_rehearsal

    packages = (dt_logs_rehearsal, dt_logs_handler)
    homes = {Path(each.__file__ or "").parent.parent for each in packages}
    return tuple(str(each) for each in homes if not each.name.endswith("-packages"))
