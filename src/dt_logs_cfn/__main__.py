"""The process edge: `python -m dt_logs_cfn` and the console script."""

import os
import sys

from dt_logs_cfn.cli import main


def run() -> None:
    """Run the command line of this process and exit with its code.

    A reader that closes the pipe early, and Ctrl-C, end the process without a traceback.
    """
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes stdout once more on its way out, and must find somebody there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
