"""Load a file to verify. Check who signed its release, and whether the version was withdrawn.

The file and its neighbours are read from disk, a URL or S3, within a size limit. A release's
SHA256SUMS lists its files, and SHA256SUMS.sig signs that list. `versions.json`, beside the
release's folder, lists the published versions and marks the withdrawn ones.

OpenSSH makes and checks the signatures: `ssh-keygen -Y`. Most machines with git have ssh-keygen
(OpenSSH 8.2 or newer). It works offline, and its list of signers is one file [ssh-keygen(1),
ALLOWED SIGNERS]. The folder `signers` has this list and the revoked keys.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import shown_ascii
from dt_logs_cfn.errors import FetchError, PublishError, SigningError, VerifyError
from dt_logs_cfn.release.build import CHECKSUMS, sha256
from dt_logs_cfn.release.catalogue import VERSIONS, Catalogue, Entry, is_version
from dt_logs_cfn.template.parsing import LIMIT, read_bytes
from dt_logs_cfn.verify.fetching import fetch, optional, shown_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

State = Literal["signed", "unsigned", "invalid", "unchecked"]
Standing = Literal["published", "withdrawn", "unknown"]

SIGNATURE = "SHA256SUMS.sig"
NAMESPACE = "dt-logs-cfn"  # signatures for other purposes do not count
SIGNATURE_LIMIT = 20_000  # bytes; the signature of a 4,096-bit RSA key has about 1,600
_SECONDS = 60
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})")


@dataclass(frozen=True)
class Signers:
    """A file of allowed signers, and a file of revoked keys or a key revocation list (KRL)."""

    allowed: Path
    revoked: Path

    def signer(self, content: bytes, signature: bytes) -> str | None:
        """Return the name of the allowed signer of these bytes, or None.

        Raises SigningError if ssh-keygen or a list is missing, or ssh-keygen takes too long.
        """
        if len(signature) > SIGNATURE_LIMIT:
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
        """True if the list of allowed signers has an entry."""
        lines = self._list(self.allowed).read_text("utf-8").splitlines()
        return any(line.strip() and not line.startswith("#") for line in lines)

    @staticmethod
    def _list(path: Path) -> Path:
        if not path.is_file():
            raise SigningError(f"{path} does not exist.", "Take it from this project's source.")
        return path


@dataclass(frozen=True)
class Source:
    """An untrusted file to verify: its path or URL for display, and its bytes.

    `beside` returns the content of another file by its name relative to this file's folder, or None
    if that file does not exist. It raises the same errors as reading this file. `remote` is false
    only for a file on disk.
    """

    name: str
    content: bytes
    beside: Callable[[str], bytes | None]
    remote: bool = True


@dataclass(frozen=True)
class Provenance:
    """What the neighbouring files show about a file: its signature, and its version's standing.

    `signature` describes the signature's `state` in words, and `told` describes the version's
    `standing`. If a signature is `required`, a missing or unchecked one is a finding.
    """

    state: State
    signature: str
    standing: Standing
    told: str
    required: bool = False

    @property
    def sound(self) -> bool:
        """True if the signature and the version are acceptable."""
        good = self.state == "signed" or (self.state != "invalid" and not self.required)
        return good and self.standing != "withdrawn"


def signers() -> Signers:
    """Return the signers and revoked keys that our source lists."""
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


def check(
    source: Source, version: str | None, signers: Signers, required: bool = False
) -> Provenance:
    """Check a file's signature, and whether the file's version was withdrawn.

    A remote file must be signed if `signers` lists anyone, because anyone who may write to its
    location could have removed the signature. Raises SigningError if the list of signers is
    missing, and the errors of `source.beside`; most FetchErrors only make a part of the result
    unknown.
    """
    state, signature = _signature(source, version, signers)
    known, told, entry = standing(source, version)
    sums = source.beside(CHECKSUMS) if entry else None
    if entry and sums is not None and sha256(sums) != entry.sha256sums:
        state, signature = "invalid", f"{VERSIONS} has other contents for {entry.version}"
    demanded = required or (source.remote and signers.any)
    return Provenance(state, signature, known, told, demanded)


def standing(source: Source, version: str | None) -> tuple[Standing, str, Entry | None]:
    """Return a version's standing, its description, and its entry in `versions.json`, if any."""
    try:
        content = source.beside(f"../{VERSIONS}")
        found = Catalogue.parse(content, lenient=True) if content is not None else None
    except (FetchError, PublishError) as error:
        return unknown(error.what)
    if found is None:
        return unknown(f"there is no {VERSIONS} beside its folder")
    entry = found.find(version) if version else None
    if entry is None:
        return unknown(f"{VERSIONS} does not list it")
    if entry.withdrawn:
        why = shown_ascii(entry.withdrawn.reason)
        return "withdrawn", f"WITHDRAWN on {entry.withdrawn.at[:10]}: {why}", entry
    return "published", f"published on {entry.published[:10]}, and not withdrawn", entry


def unknown(why: str) -> tuple[Standing, str, None]:
    """Return an unknown standing, with the reason."""
    return "unknown", f"unknown whether it was withdrawn: {why}", None


def _signature(source: Source, version: str | None, signers: Signers) -> tuple[State, str]:
    try:
        sums, signature = source.beside(CHECKSUMS), source.beside(SIGNATURE)
    except FetchError as error:
        return "unchecked", f"signature not checked: {error.what}"
    if sums is None:
        return "unsigned", f"not signed: there is no {CHECKSUMS} beside it"
    names = _names(sums, source.content)
    *_, folder, name = ("", "", *source.name.replace("\\", "/").split("/"))
    if not names:
        return "invalid", f"NOT in the {CHECKSUMS} beside it"
    if source.remote and name not in names:
        return "invalid", f"listed in {CHECKSUMS} as {names[0]}, NOT as {name}"
    if source.remote and version and is_version(folder) and folder != version:
        return "invalid", f"of version {version}, NOT of {folder}, the folder that it is in"
    if signature is None:
        return "unsigned", f"not signed: there is no {SIGNATURE} beside it"
    try:
        signer = signers.signer(sums, signature)
    except SigningError as error:
        return "unchecked", f"signature not checked: {error}"
    if signer is None:
        return "invalid", "the signature is NOT from a signer that this source names"
    return "signed", f"signed by {signer}" + ("" if name in names else f" as {names[0]}")


def _names(sums: bytes, content: bytes) -> list[str]:
    """Return the names under which SHA256SUMS lists these bytes."""
    digest = sha256(content)
    pairs = (line.partition("  ") for line in sums.decode("utf-8", "replace").splitlines())
    return [name for found, _, name in pairs if found == digest and name.isprintable()]


def from_file(path: Path) -> Source:
    """Read a file on disk. Raises VerifyError."""

    def beside(name: str) -> bytes | None:
        other = path.parent / name
        return read_bytes(other) if other.is_file() else None

    return Source(shown_url(str(path)), read_bytes(path), beside, remote=False)


def from_url(url: str) -> Source:
    """Fetch the public content of a URL. Raises FetchError."""
    folder = url.partition("?")[0].rpartition("/")[0]
    return Source(shown_url(url), fetch(url, LIMIT), below_url(folder))


def below_url(folder: str) -> Callable[[str], bytes | None]:
    """Return a function for `Source.beside` that fetches files relative to a URL."""
    return lambda name: optional(_joined(folder, name), LIMIT)


def from_s3(path: str, s3: S3Client, owner: str) -> Source:
    """Read an object `s3://BUCKET/KEY` from an account's bucket.

    Raises VerifyError and ClientError.
    """
    found = _S3.fullmatch(path)
    if found is None:
        raise VerifyError(
            f"{shown_url(path)} is not an S3 object.", "Give one like s3://BUCKET/KEY."
        )
    bucket, key = found[1], found[2]
    folder = key.rpartition("/")[0]

    def get(name: str) -> bytes | None:
        found = aws.read_object(s3, bucket, name, owner, LIMIT)
        if found and len(found.content) > LIMIT:
            raise VerifyError(f"s3://{bucket}/{name} has more than {LIMIT:,} bytes.", "Check it.")
        return found.content if found else None

    content = get(key)
    if content is None:
        raise VerifyError(f"{path} does not exist.", "Check the bucket and the key.")
    return Source(shown_url(path), content, lambda name: get(_joined(folder, name)))


def _joined(folder: str, name: str) -> str:
    """Join a folder and a relative name, which may begin with `../`."""
    while name.startswith("../"):
        folder, name = folder.rpartition("/")[0], name.removeprefix("../")
    return f"{folder}/{name}" if folder else name


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
