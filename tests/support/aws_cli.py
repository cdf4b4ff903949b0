"""The AWS CLI as an independent client, installed beside this Python or on PATH."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def aws_cli() -> str:
    """Return the AWS CLI's path. If it is not installed, skip the test, or fail it in CI."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("aws", path=beside) or shutil.which("aws")
    if found is None:
        text = "needs the AWS CLI: pip install awscli"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return found
