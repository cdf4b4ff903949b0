"""Compare how long `--help` takes with how long Python alone takes to start.

    python benchmarks/startup.py [RUNS] [OTHER_SOURCES]

The commands take turns, each in its own process, so that other load affects all of them equally.
`OTHER_SOURCES` is the `src` folder of another version. If it is given, the comparison is with that
version's `--help` and not with Python alone. The goal is then a ratio of at most 1.3.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from build import PACKAGES, compile_package

HELP = ["-m", "dt_logs_cfn", "--help"]


def main(runs: int, other: str) -> None:
    """Run each command `runs` times, by turns; print the medians and the ratios."""
    for package in PACKAGES:
        compile_package(package)
    floor = ([*HELP], other) if other else (["-c", ""], "")
    commands: dict[str, tuple[Sequence[str], str]] = {
        "--help of the other version" if other else "Python alone": floor,
        "--help": (HELP, ""),
        "build --help": (["-m", "dt_logs_cfn", "build", "--help"], ""),
        "plan --help": (["-m", "dt_logs_cfn", "plan", "--help"], ""),
    }
    medians = measure(commands, runs)
    first = next(iter(medians.values()))
    print(f"median of {runs} interleaved runs, Python {sys.version.split()[0]}")
    for name, seconds in medians.items():
        print(f"{name:<40} {seconds * 1000:6.0f} ms   {seconds / first:5.2f}")


def measure(commands: Mapping[str, tuple[Sequence[str], str]], runs: int) -> dict[str, float]:
    """Run each command `runs` times; return the median wall-clock seconds by name."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, (arguments, sources) in commands.items():
            handler = Path(sources).parent / "handler"
            path = {"PYTHONPATH": f"{sources}{os.pathsep}{handler}"} if sources else {}
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                check=True,
                capture_output=True,
                env={**os.environ, **path},
            )
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 15,
        sys.argv[2] if len(sys.argv) > 2 else "",
    )
