"""Compare how long `build` takes with how long a troposphere script takes for one template.

    python benchmarks/build.py [RUNS]

The commands take turns, each in its own process, so that other load affects all of them equally.
Seconds differ between machines, so compare the ratios of the medians. The goal is a ratio of at
most 2.
"""

import compileall
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

BARE = Path(__file__).with_name("bare_template.py")
PACKAGES = ("awacs", "dt_logs_cfn", "dt_logs_handler", "troposphere")


def main(runs: int) -> None:
    """Run each command `runs` times, by turns; print the medians and the ratios."""
    for package in PACKAGES:
        compile_package(package)
    with tempfile.TemporaryDirectory() as scratch:
        commands = {
            "bare troposphere script, one template": [str(BARE), f"{scratch}/bare.json"],
            "build, the whole release": ["-m", "dt_logs_cfn", "build", "--out", scratch],
            "build --check": ["-m", "dt_logs_cfn", "build", "--check", "--out", scratch],
        }
        medians = measure(commands, runs)
    floor = next(iter(medians.values()))
    print(f"median of {runs} interleaved runs, Python {sys.version.split()[0]}")
    for name, seconds in medians.items():
        print(f"{name:<40} {seconds * 1000:6.0f} ms   {seconds / floor:5.2f}")


def compile_package(name: str) -> None:
    """Compile a package to bytecode, so that the first run is not slower.

    Raises SystemExit if the package is not installed.
    """
    spec = find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit(f"{name} is not installed: pip install -e .")
    for folder in spec.submodule_search_locations:
        compileall.compile_dir(folder, quiet=2)


def measure(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, float]:
    """Run each command `runs` times; return the median wall-clock seconds by name."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, arguments in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
