"""The packages hold exactly the listed files, have full metadata, and build without warnings."""

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

from dt_logs_cfn import __version__
from dt_logs_cfn.template import embedding

ROOT = Path(__file__).parents[2]


def expected(kind: str) -> list[str]:
    """Return the files that a kind of archive must hold, from the list beside this test."""
    lines = Path(__file__).with_name(f"{kind}.txt").read_text().splitlines()
    return sorted(line.replace("VERSION", __version__) for line in lines)


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(archive.namelist())
        settings = archive.read("dt_logs_cfn/release.cfg")
        text = archive.read(f"dt_logs_cfn-{__version__}.dist-info/METADATA").decode()

    assert names == expected("wheel")
    assert settings == (ROOT / "release.cfg").read_bytes()  # the same as in a checkout
    assert (ROOT / "release.cfg").is_symlink()
    found = Parser().parsestr(text, headersonly=True)
    for name in ("Author", "Classifier", "Keywords", "Project-URL", "Requires-Python", "Summary"):
        assert found[name], name
    assert found.get_all("Provides-Extra") == ["rehearse", "dev"]


def test_the_sdist_holds_what_the_wheel_is_built_from(dist: Path) -> None:
    with tarfile.open(dist / f"dt_logs_cfn-{__version__}.tar.gz") as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]

    assert sorted(files) == expected("sdist")


def test_the_handlers_zip_holds_what_lambda_imports_and_nothing_else() -> None:
    assert [*embedding.handler_files()] == expected("handler")


def test_an_index_takes_both_packages(dist: Path) -> None:
    packages = [*dist.glob("*.whl"), *dist.glob("*.tar.gz")]
    assert len(packages) == 2
    command = [sys.executable, "-m", "twine", "check", "--strict", *packages]

    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout
