"""The process edge: `python -m dt_logs_cfn` and the console script."""

import errno
import os
import sys
import threading

from dt_logs_cfn.cli import main


def run() -> None:
    """Run the command line of this process and exit with its code.

    A reader that closes the pipe early, a full disk, and Ctrl-C end it without a traceback.
    """
    if sys.stdout is None:  # closed by whoever started the process
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  for as long as the process lives
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        # The interpreter flushes stdout once more on its way out, and must find somebody there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"dt-logs-cfn: the output could not be written: {error}", file=sys.stderr)
        code = 3
    except KeyboardInterrupt:
        print("dt-logs-cfn: interrupted", file=sys.stderr)
        code = 130
        if threading.active_count() > 1:  # in calls that may take a minute, which nobody awaits
            sys.stdout.flush()
            os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
