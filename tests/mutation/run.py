"""Make small changes to the code, one at a time, and report the changes that no test notices.

    python tests/mutation/run.py .tox/names 'handler/*/names.py' --tests tests/handler

mutmut makes the changes in a copy of the project in FOLDER, here `.tox/names`. It tries a sample of
all changes, which depends only on the code, the seed and the size. It does not change strings, most
of which are messages, or values that a module computes once.

If mutmut fails to collect stats, run pytest in FOLDER/mutants, with src on PYTHONPATH, to see why.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shlex
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Each change is tried in a new process. The process imports our code and its tests itself, so that
# it does not keep values from the unchanged code. Other libraries are loaded only once.
_LOADED_ONCE = "boto3 cfnlint hypothesis moto.server pytest troposphere awacs.aws"
_CONFIG = """
[mutmut]
source_paths = src
only_mutate =
    {modules}
{excluded}
also_copy =
    {others}
pytest_add_cli_args =
    --assert=plain
    -pno:hypothesispytest
pytest_add_cli_args_test_selection =
    {tests}
process_isolation = forkserver
forkserver_warmup = import
preload_modules_file = preload.txt
timeout_multiplier = {limit}
timeout_constant = 4
"""
# With a change, all tests together may take _LIMIT times as long as without it, and each test may
# take _SECONDS.
_LIMIT = 6
_SECONDS = 90
# Exit codes that mutmut does not know: a test module cannot be imported, a test does not end, or
# the tests could not be run.
_STATUS = {2: "killed", -signal.SIGALRM: "timeout", 255: "not run"}
_NOTICED = ("killed", "timeout", "segfault")
# mutmut skips decorated functions, so these decorators become calls below their functions.
_UNWRAPPED = ("cache", "contextmanager", "property")


def undecorated(source: str) -> str:
    """Return the code with _UNWRAPPED decorators written as calls below their functions."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and len(node.decorator_list) == 1:
            decorator = ast.unparse(node.decorator_list[0])
            if decorator in _UNWRAPPED and node.end_lineno:
                indent = " " * node.col_offset
                lines[node.lineno - 2] = ""
                lines[node.end_lineno - 1] += f"\n{indent}{node.name} = {decorator}({node.name})"
    return "\n".join(lines) + "\n"


def stage(folder: Path, modules: Sequence[str], excluded: Sequence[str], tests: str) -> None:
    """Copy the project to a folder as mutmut expects it, with every package in `src`."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info"))
    shutil.move(folder / "handler/dt_logs_handler", folder / "src")
    for pattern in modules:
        for path in folder.glob(_staged(pattern)):
            path.write_text(undecorated(path.read_text("utf-8")), "utf-8")
    (folder / "preload.txt").write_text("\n".join(_LOADED_ONCE.split()), "utf-8")
    config = _CONFIG.format(
        limit=_LIMIT,
        others="\n    ".join(sorted({path.name for path in folder.iterdir()} - {"src"})),
        modules="\n    ".join(map(_staged, modules)),
        excluded="\n    ".join(["do_not_mutate =", *map(_staged, excluded)] if excluded else ()),
        tests="\n    ".join(shlex.split(tests)),
    )
    (folder / "setup.cfg").write_text((ROOT / "setup.cfg").read_text("utf-8") + config, "utf-8")


def _staged(pattern: str) -> str:
    return pattern.replace("handler/", "src/", 1) if pattern.startswith("handler/") else pattern


def sample(mutmut: Any, size: int, seed: int) -> None:
    """Make the changes, and mark those outside the sample as skipped."""
    for step in (mutmut.copy_src_dir, mutmut.copy_also_copy_files, mutmut.setup_source_paths):
        step()
    mutmut.create_mutants(1)
    made, files = mutmut.collect_source_file_mutation_data(mutant_names=())
    names = sorted(name for _, name, _ in made)
    chosen = set(random.Random(seed).sample(names, min(size, len(names))))
    for each in files.values():
        each.exit_code_by_key |= {n: 34 for n in each.exit_code_by_key if n not in chosen}
        each.save()
    print(f"{len(chosen)} of {len(names)} changes, seed {seed}")


class Watch:
    """A pytest plugin that stops endless tests, and notes test modules that cannot be imported."""

    collection_failed = False

    def pytest_collectreport(self, report: Any) -> None:
        self.collection_failed |= report.failed

    def pytest_runtest_setup(self) -> None:
        signal.alarm(_SECONDS)  # Unless the next test begins in time, SIGALRM ends the process.


def adapt(harness: Any, isolation: Any, state: Any) -> None:
    """Make mutmut run the quickest tests first, and count a broken test module as a failure."""
    submit, execute = isolation.ForkServerRunner.submit, harness.PytestRunner.execute_pytest

    def quickest_first(runner: Any, name: str, tests: list[str], *limits: float) -> None:
        seconds = state().duration_by_test
        submit(runner, name, sorted(tests, key=lambda test: seconds.get(test, 0)), *limits)

    def watched(runner: Any, args: list[str], plugins: Sequence[object] = ()) -> int:
        watch = Watch()
        try:
            return int(execute(runner, args, plugins=[*plugins, watch]))
        except harness.BadTestExecutionCommandsException:
            if watch.collection_failed:
                return 1
            raise

    isolation.ForkServerRunner.submit = quickest_first
    harness.PytestRunner.execute_pytest = watched


def outcomes(mutmut: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield each tried change: its file's data, its name and its status."""
    for _, data in sorted(mutmut.collect_source_file_mutation_data(mutant_names=())[1].items()):
        for name, code in data.exit_code_by_key.items():
            status = _STATUS.get(code) or mutmut.status_by_exit_code[code]
            if status != "skipped":
                yield data, name, status


def try_again(mutmut: Any, tests: Mapping[str, float], processes: int) -> None:
    """Try the unnoticed changes again, with every test.

    mutmut tries a change with the tests that it saw call the function. It misses calls that compute
    a module's constant, and calls whose results an earlier test has cached.
    """
    left = {name: data for data, name, status in outcomes(mutmut) if status not in _NOTICED}
    modules = {test.partition("::")[0] for test in tests}
    limit = _LIMIT * round(sum(tests.values()) + 60)
    print(f"{len(left)} changes are tried again, with every test")
    runner = mutmut.get_mutant_runner(processes)

    def note() -> None:
        result = runner.wait_for_result()
        left[result.mutant_name].exit_code_by_key[result.mutant_name] = result.exit_code
        left[result.mutant_name].save()

    runner.startup()
    for name in left:
        while not runner.has_capacity():
            note()
        runner.submit(name, sorted(modules), limit, 0.0)
    runner.signal_work_complete()
    while runner.pending_count():
        note()
    runner.shutdown()


def report(mutmut: Any) -> float:
    """Print the unnoticed changes and each module's score; return the total score."""
    tried = list(outcomes(mutmut))
    for data, name, status in tried:
        if status not in _NOTICED:
            print(f"\n{name}: {status}\n{mutmut.get_diff_for_mutant(name, path=data.path)}")
    noticed = Counter(data.path for data, _, status in tried if status in _NOTICED)
    for path, count in Counter(data.path for data, _, _ in tried).items():
        print(f"{path.stem:<22}{noticed[path]:>4} of {count:>4} noticed")
    score = 100 * noticed.total() / (len(tried) or 1)
    slow = sum(status == "timeout" for _, _, status in tried)
    print(f"{score:.1f} % of {len(tried)} changes were noticed, {slow} because tests do not end")
    return score


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--tests", required=True, help="arguments of pytest")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--at-least", type=float, default=90, help="fail below this percentage")
    given = parser.parse_args()
    stage(given.folder, given.modules, given.exclude, given.tests)
    os.chdir(given.folder)
    sys.dont_write_bytecode = (
        False  # Otherwise, each process would compile all the changed code again.
    )

    import mutmut.__main__ as mutmut  # mutmut reads its configuration from the current folder.
    from mutmut.mutation.mutators import mutation_operators, operator_string
    from mutmut.runners import harness
    from mutmut.state import state
    from mutmut.workers import isolation

    if not sys.stdout.isatty():
        mutmut.print_stats = mutmut.print_status = lambda *_, **__: None
    mutation_operators[:] = [each for each in mutation_operators if each[1] is not operator_string]
    sample(mutmut, given.sample, given.seed)
    adapt(harness, isolation, state)
    mutmut._run((), given.processes)
    try_again(mutmut, state().duration_by_test, given.processes)
    return 0 if report(mutmut) >= given.at_least else 1


if __name__ == "__main__":
    raise SystemExit(main())
