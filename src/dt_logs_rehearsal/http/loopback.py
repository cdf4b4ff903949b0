"""Where everything here listens: on the loopback, on a port that the system chooses."""

import socket

from dt_logs_cfn.errors import RehearsalError


def listener() -> socket.socket:
    """Return a socket that listens on the loopback alone. Raises RehearsalError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.bind(("127.0.0.1", 0))
        found.listen(64)
    except OSError as error:
        found.close()
        raise RehearsalError(
            f"No port of the loopback can be had: {error.strerror or error}.",
            "Close programs that hold many connections, and try again.",
        ) from error
    return found
