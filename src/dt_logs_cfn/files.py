"""Read the files that a user names, without waiting for a pipe that nothing writes to."""

import errno
import os
from pathlib import Path
from stat import S_ISFIFO


def read_bytes(path: Path, most: int = -1) -> bytes:
    """Return the first `most` bytes of a file, by default all bytes. Raises OSError.

    The file may be a pipe, such as the shell's `<(command)`; an empty pipe is an error.
    """
    # A blocking open would wait until something opens the pipe for writing.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        os.set_blocking(file.fileno(), True)
        content = file.read(most)
        if not content and S_ISFIFO(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EPIPE, "it is a pipe that nothing writes to")
    return content
