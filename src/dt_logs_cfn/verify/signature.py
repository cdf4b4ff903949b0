"""Sign a release's SHA256SUMS and verify the signature with OpenSSH: `ssh-keygen -Y`.

Most machines with git have ssh-keygen (OpenSSH 8.2 or newer). It works offline, and its list of
signers is one file [ssh-keygen(1), ALLOWED SIGNERS]. The folder `signers` has that file and the
revoked keys.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dt_logs_cfn.errors import SigningError

SIGNATURE = "SHA256SUMS.sig"
NAMESPACE = "dt-logs-cfn"  # signatures for other purposes do not count
LIMIT = 20_000  # bytes; the signature of an RSA key has about two thousand
_SECONDS = 60


@dataclass(frozen=True)
class Signers:
    """A file of allowed signers, and a file of revoked public keys or a KRL."""

    allowed: Path
    revoked: Path

    def signer(self, content: bytes, signature: bytes) -> str | None:
        """Return the name of the allowed signer of these bytes, or None.

        Raises SigningError if ssh-keygen is missing or the lists cannot be read.
        """
        if len(signature) > LIMIT:
            return None
        with TemporaryDirectory() as folder:
            path = Path(folder, "signature")
            path.write_bytes(signature)
            by = ("-s", str(path), "-f", str(self._list(self.allowed)))
            found = _ran(("-Y", "find-principals", *by), b"")
            for name in found.stdout.decode(errors="replace").splitlines():
                revoked = ("-r", str(self._list(self.revoked)))
                check = ("-Y", "verify", *by, "-I", name, "-n", NAMESPACE, *revoked)
                if _ran(check, content).returncode == 0:
                    return name
        return None

    @property
    def any(self) -> bool:
        """True if the list has a signer."""
        lines = self._list(self.allowed).read_text("utf-8").splitlines()
        return any(line.strip() and not line.startswith("#") for line in lines)

    @staticmethod
    def _list(path: Path) -> Path:
        if not path.is_file():
            raise SigningError(f"{path} is not there.", "Take it from this project's source.")
        return path


def signers() -> Signers:
    """Return the signers listed in our source."""
    folder = Path(__file__).parents[1] / "signers"
    return Signers(folder / "allowed_signers", folder / "revoked_keys")


def sign(content: bytes, key: Path) -> bytes:
    """Sign bytes with a private key, or with a public key if an agent has its private half.

    An Ed25519 key gives the same signature each time. Raises SigningError.
    """
    if not key.is_file():
        raise SigningError(f"{key} is not a file.", "Name a key that ssh-keygen can sign with.")
    done = _ran(("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key)), content)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        said = " ".join(done.stderr.decode(errors="replace").split())[:200]
        raise SigningError(
            f"ssh-keygen could not sign with {key}: {said}.",
            "Unlock the key, or add it to your ssh-agent and name its public half.",
        )
    return done.stdout


def _ran(arguments: Sequence[str], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ("ssh-keygen", *arguments), input=stdin, capture_output=True, timeout=_SECONDS
        )
    except FileNotFoundError as error:
        raise SigningError(
            "ssh-keygen is not installed.", "Install OpenSSH (openssh-client)."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SigningError(
            f"ssh-keygen took over {_SECONDS} s.", "Check the key and the agent."
        ) from error
