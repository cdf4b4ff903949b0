"""Show the SDK's log on stderr; hide whatever may be a secret."""

import logging
import re

from dt_logs_cfn.cli.terminal import printable, shown_text, tell

_LOGGERS = ("boto3", "botocore", "urllib3")
_NOISY = ("botocore.hooks", "botocore.loaders", "botocore.regions")
# A secret's name and its value, in a header, a query, JSON, XML or a Python literal.
_SECRET = re.compile(
    r"""(?ix) ([\w-]*(?:authorization|token|secret|signature|password|credential|assertion
              |access-?_?key(?:-?_?id)?) (?:\\*["'])? \s* (?:[:=>]|%3D|(?<=["']),) \s* )
        (?: (?:Bearer|Basic)\s+\S+ | b?\\*'[^']* | b?\\*"[^"]* | [^\s&<,;'"})]+ )"""
)
_ENCODED_ADDRESS = re.compile(r"""(?i)(?:%(?:25)*3A(?:%(?:25)*2F){2}|:(?:\\+/){2})[^\s&<>"']*""")
_PATH = re.compile(r'"([A-Z]{3,7}) /\S+')  # the form in which urllib3 logs requests


def show() -> None:
    """Show the log from now on."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(_Handler())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def without_secrets(text: str) -> str:
    """Return a text without credentials, with each address made safe to show."""
    text = _ENCODED_ADDRESS.sub("://…", shown_text(text))
    return _PATH.sub(r'"\1 /…', _SECRET.sub(r"\1…", text))


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        for line in without_secrets(self.format(record)).splitlines():
            tell(printable(f"{record.name}: {line}"))
