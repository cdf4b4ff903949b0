"""Find the revision of the source from which a release is published."""

import re
import subprocess
from pathlib import Path

from dt_logs_cfn.errors import PublishError

_OTHERWISE = "or give --revision if the source is not in git."


def revision(checkout: Path) -> str:
    """Return the commit of a clean checkout. Raises PublishError."""
    status = _git(checkout, "status", "--porcelain", "--untracked-files=all")
    if status:
        changed = status.splitlines()[0].strip()
        raise PublishError(
            f"The checkout has uncommitted changes ({changed[:80]}).",
            f"Commit or stash it, {_OTHERWISE}",
        )
    found = _git(checkout, "rev-parse", "HEAD").strip()
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", found):
        raise PublishError("git does not name a commit.", f"Commit first, {_OTHERWISE}")
    return found


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ("git", *arguments), cwd=checkout, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PublishError(
            "git cannot be asked for the revision.", f"Install it, {_OTHERWISE}"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:200] or "it says nothing"
        raise PublishError(f"git did not name the revision: {said}.", f"Mend that, {_OTHERWISE}")
    return done.stdout
