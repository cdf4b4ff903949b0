"""Measure `rehearse` with one scenario and with all scenarios, as a customer runs it.

    python benchmarks/rehearse.py [RUNS]

Seconds differ between machines. The goals on two cores are 4 s for one scenario and 60 s
for all. Ratios are relative to importing boto3 and creating three clients in the same run.
"""

import sys

from build import compile_package, measure

CLIENTS = "import boto3; s = boto3.Session(region_name='us-east-1');" + "".join(
    f"s.client('{name}', aws_access_key_id='i', aws_secret_access_key='k');"
    for name in ("elbv2", "s3", "sns")
)
GOALS = {"one scenario": 4.0, "all scenarios": 60.0}


def main(runs: int) -> None:
    """Run each command `runs` times, by turns; print the medians, the ratios and the goals."""
    for package in ("boto3", "botocore", "dt_logs_cfn", "dt_logs_handler", "moto", "werkzeug"):
        compile_package(package)
    medians = measure(
        {
            "import boto3 and three clients": ["-c", CLIENTS],
            "one scenario": ["-m", "dt_logs_cfn", "rehearse"],
            "all scenarios": ["-m", "dt_logs_cfn", "rehearse", "--scenario", "all"],
        },
        runs,
    )
    floor = next(iter(medians.values()))
    print(f"median of {runs} interleaved runs, Python {sys.version.split()[0]}")
    for name, seconds in medians.items():
        goal = f"   goal {GOALS[name]:.0f} s" if name in GOALS else ""
        print(f"{name:<32} {seconds:6.2f} s   {seconds / floor:6.2f}{goal}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
