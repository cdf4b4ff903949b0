"""Where a file says that it is from: the signature over its release, and whether that still counts.

A release's SHA256SUMS lists its files, and SHA256SUMS.sig signs that list. `versions.json`, beside
the release's folder, says whether the version was withdrawn.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from dt_logs_cfn.errors import FetchError, PublishError, SigningError
from dt_logs_cfn.given import Given
from dt_logs_cfn.publishing.catalogue import VERSIONS, Catalogue
from dt_logs_cfn.release import CHECKSUMS
from dt_logs_cfn.signing import SIGNATURE, Signers

State = Literal["signed", "unsigned", "invalid", "unchecked"]


@dataclass(frozen=True)
class Provenance:
    """What the files beside a given one say of it, in words; `withdrawn` is empty if it is not."""

    state: State
    told: str
    withdrawn: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing speaks against the file."""
        return self.state != "invalid" and not self.withdrawn


def provenance(given: Given, version: str | None, signers: Signers) -> Provenance:
    """Check the signature over a file, if there is one, and whether its version was withdrawn.

    Raises what reading the files beside it raises.
    """
    state, told = _signature(given, signers)
    return Provenance(state, told, withdrawn(given, version) if version else "")


def withdrawn(given: Given, version: str) -> str:
    """Return why a version was withdrawn; empty if nothing says so."""
    content = given.beside(f"../{VERSIONS}")
    if content is None:
        return ""
    try:
        entry = Catalogue.parse(content).find(version)
    except PublishError as error:
        return f"nobody can tell, since {error.what}"
    return entry.withdrawn.reason if entry and entry.withdrawn else ""


def _signature(given: Given, signers: Signers) -> tuple[State, str]:
    try:
        sums, signature = given.beside(CHECKSUMS), given.beside(SIGNATURE)
    except FetchError as error:
        return "unchecked", f"signature not checked: {error.what}"
    if sums is None:
        return "unsigned", f"not signed: there is no {CHECKSUMS} beside it"
    digest = hashlib.sha256(given.content).hexdigest()
    if digest not in {
        line.partition(b"  ")[0].decode("ascii", "replace") for line in sums.split(b"\n")
    }:
        return "invalid", f"NOT in the {CHECKSUMS} beside it"
    if signature is None:
        return "unsigned", f"not signed: there is no {SIGNATURE} beside it"
    try:
        name = signers.signer(sums, signature)
    except SigningError as error:
        return "unchecked", f"signature not checked: {error}"
    if name is None:
        return "invalid", "the signature is NOT by anybody that this source names"
    return "signed", f"signed by {name}"
