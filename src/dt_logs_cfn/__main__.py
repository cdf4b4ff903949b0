"""Run the command line as a process: `python -m dt_logs_cfn` or the console script."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from typing import TextIO

from dt_logs_cfn.cli.main import main


class _Stream(io.TextIOWrapper):
    """A standard stream that never raises OSError; output that cannot be written is lost.

    The command continues. `failure` keeps the error, unless the reader only closed the pipe.
    """

    failure: OSError | None = None
    seen = True

    def writable(self) -> bool:
        """Return whether anyone may still see the output."""
        return self.seen

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.seen = False
        if not isinstance(error, BrokenPipeError):
            self.failure = error
        # Discard the buffered output and all later output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def run() -> None:
    """Run this process's command line, and exit with the command's exit code.

    The code is 130 after Ctrl-C, and 3 if a disk is full or the results cannot be written; none of
    these shows a traceback. A standard stream that is closed, or that nobody reads, does not change
    the code.
    """
    sys.stdout = results = _opened(sys.stdout)
    sys.stderr = _opened(sys.stderr)
    try:
        code = main(sys.argv[1:])
    except SystemExit as stop:  # raised by argparse
        code = stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        print("dt-logs-cfn: interrupted", file=sys.stderr)
        code = 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        code = _unwritten(error)
    results.flush()
    if code != 130 and results.failure:
        code = _unwritten(results.failure)
    if code == 130 and threading.active_count() > 1:  # do not wait for calls that take minutes
        os._exit(code)
    sys.exit(code)


def _opened(stream: TextIO | None) -> _Stream:
    if stream is None:  # closed by the caller; print(file=None) would use stdout
        nowhere = _Stream(os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb"), encoding="utf-8")
        nowhere.seen = False
        return nowhere
    assert isinstance(stream, io.TextIOWrapper)  # Python's own streams are of this type
    return _Stream(
        open(stream.fileno(), "wb", closefd=False),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


def _unwritten(error: OSError) -> int:
    print(f"dt-logs-cfn: the output could not be written: {error}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    run()
