"""The entry point of `python -m aws_check`. On SIGTERM, as on Ctrl-C, it cleans up."""

import signal
import sys

from aws_check.cli import main


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main(sys.argv[1:]))
