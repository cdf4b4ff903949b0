"""Check where a file is from: its release's signature, and whether the version was withdrawn.

A release's SHA256SUMS lists its files, and SHA256SUMS.sig signs that list. `versions.json`, beside
the release's folder, lists the versions, and which of them were withdrawn.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from dt_logs_cfn.errors import FetchError, PublishError, SigningError
from dt_logs_cfn.release.build import CHECKSUMS
from dt_logs_cfn.release.catalogue import VERSIONS, Catalogue, Entry
from dt_logs_cfn.verify.rebuild import shown_ascii
from dt_logs_cfn.verify.signature import SIGNATURE, Signers
from dt_logs_cfn.verify.source import Given
from dt_logs_cfn.versions import is_version

State = Literal["signed", "unsigned", "invalid", "unchecked"]
Standing = Literal["published", "withdrawn", "unknown"]


@dataclass(frozen=True)
class Provenance:
    """What the neighbouring files say about a file, each with its text.

    `state` is that of the signature, `standing` that of the version. If a signature is `required`,
    a missing or unchecked one is a finding.
    """

    state: State
    signature: str
    standing: Standing
    told: str
    required: bool = False

    @property
    def sound(self) -> bool:
        """Whether there is no finding against the file."""
        good = self.state == "signed" or (self.state != "invalid" and not self.required)
        return good and self.standing != "withdrawn"


def provenance(
    given: Given, version: str | None, signers: Signers, required: bool = False
) -> Provenance:
    """Check the signature over a file, and whether its version was withdrawn.

    A remote file must be signed if `signers` names anybody, because anyone who may write there
    could have left the signature out. Raises what reading the neighbouring files raises.
    """
    state, signature = _signature(given, version, signers)
    entry, told = entry_of(given, version)
    if entry and _digest(given.beside(CHECKSUMS)) not in (None, entry.sha256sums):
        state, signature = "invalid", f"{VERSIONS} has other contents for {entry.version}"
    standing, words = standing_of(entry, told)
    demanded = required or (given.remote and signers.any)
    return Provenance(state, signature, standing, words, demanded)


def standing_of(entry: Entry | None, otherwise: str) -> tuple[Standing, str]:
    """Return what an entry of `versions.json` says about its version, or why there is none."""
    if entry is None:
        return "unknown", f"unknown whether it was withdrawn: {otherwise}"
    if entry.withdrawn:
        return (
            "withdrawn",
            f"WITHDRAWN on {entry.withdrawn.at[:10]}: {shown_ascii(entry.withdrawn.reason)}",
        )
    return "published", f"published on {entry.published[:10]}, and not withdrawn"


def entry_of(given: Given, version: str | None) -> tuple[Entry | None, str]:
    """Return a version's entry in the `versions.json` beside its folder, or why there is none."""
    try:
        content = given.beside(f"../{VERSIONS}")
        found = Catalogue.parse(content, lenient=True) if content is not None else None
    except (FetchError, PublishError) as error:
        return None, error.what
    if found is None:
        return None, f"there is no {VERSIONS} beside its folder"
    entry = found.find(version) if version else None
    return entry, f"{VERSIONS} does not list it"


def _signature(given: Given, version: str | None, signers: Signers) -> tuple[State, str]:
    try:
        sums, signature = given.beside(CHECKSUMS), given.beside(SIGNATURE)
    except FetchError as error:
        return "unchecked", f"signature not checked: {error.what}"
    if sums is None:
        return "unsigned", f"not signed: there is no {CHECKSUMS} beside it"
    names = _names(sums, given.content)
    *_, folder, name = ("", "", *given.name.replace("\\", "/").split("/"))
    if not names:
        return "invalid", f"NOT in the {CHECKSUMS} beside it"
    if given.remote and name not in names:
        return "invalid", f"listed in {CHECKSUMS} as {names[0]}, NOT as {name}"
    if given.remote and version and is_version(folder) and folder != version:
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
    """Return the names under which SHA256SUMS has these bytes."""
    digest = _digest(content)
    pairs = (line.partition("  ") for line in sums.decode("utf-8", "replace").splitlines())
    return [name for found, _, name in pairs if found == digest and name.isprintable()]


def _digest(content: bytes | None) -> str | None:
    return hashlib.sha256(content).hexdigest() if content is not None else None
