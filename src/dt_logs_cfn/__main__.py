"""The process edge: `python -m dt_logs_cfn` and the console script."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from typing import TYPE_CHECKING, TextIO

from dt_logs_cfn.cli import main

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Output(io.FileIO):
    """What a stream writes to; what cannot be written is lost, and nothing else is.

    A stack that is followed goes on without a reader, and so does whoever follows it.
    `failure` is why, unless the reader has only closed the pipe.
    """

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.failure = error
            return memoryview(data).nbytes


def run() -> None:
    """Run the command line of this process and exit with its code.

    Ctrl-C and a full disk end it without a traceback. A stream that is closed, or that nobody
    reads any more, changes no exit code; results that could not be written make it 3.
    """
    results, sys.stdout = _opened(sys.stdout)
    _, sys.stderr = _opened(sys.stderr)
    code = _ended()
    sys.stdout.flush()
    if code != 130 and results.failure:
        code = _unwritten(results.failure)
    if code == 130 and threading.active_count() > 1:  # in calls of minutes, which nobody awaits
        os._exit(code)
    sys.exit(code)


def _opened(stream: TextIO | None) -> tuple[_Output, TextIO]:
    """Return a stream of the process as one that raises nothing, and what that writes to."""
    if stream is None:  # closed by whoever started the process; print() would take the other one
        output = _Output(os.devnull, "w")
        return output, io.TextIOWrapper(io.BufferedWriter(output), encoding="utf-8")
    assert isinstance(stream, io.TextIOWrapper)  # as Python makes them
    output = _Output(stream.fileno(), "w", closefd=False)
    return output, io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


def _ended() -> int:
    try:
        return main(sys.argv[1:])
    except SystemExit as stop:  # as argparse raises it
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        print("dt-logs-cfn: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return _unwritten(error)


def _unwritten(error: OSError) -> int:
    print(f"dt-logs-cfn: the output could not be written: {error}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    run()
