"""Change the code a little, a sample of times, and list the changes that no test notices.

    python tests/mutation/run.py FOLDER --tests tests/handler 'handler/dt_logs_handler/p*.py'

mutmut makes the changes in a copy in FOLDER. Strings stay as they are: most are texts. Of what it
can change, a sample is tried, always the same for the same code, seed and size.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_CONFIG = """
[mutmut]
source_paths = src
only_mutate =
    {modules}
also_copy =
    build
    release.cfg
pytest_add_cli_args_test_selection =
    {tests}
"""
_KILLED = ("killed", "timeout", "caught by type check", "segfault")


def stage(folder: Path, modules: Sequence[str], tests: Sequence[str]) -> None:
    """Copy the project to where mutmut looks for it: every package in `src`."""
    shutil.rmtree(folder, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("tests", "build", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copytree(ROOT / "handler", folder / "src", ignore=ignore, dirs_exist_ok=True)
    shutil.copy(ROOT / "release.cfg", folder)
    inside = [each.replace("handler/", "src/", 1) for each in modules]
    config = _CONFIG.format(modules="\n    ".join(inside), tests="\n    ".join(tests))
    (folder / "setup.cfg").write_text((ROOT / "setup.cfg").read_text("utf-8") + config, "utf-8")


def sample(mutmut: Any, size: int, seed: int) -> None:
    """Make the changes, and mark those as skipped that are not in the sample."""
    for step in (mutmut.copy_src_dir, mutmut.copy_also_copy_files, mutmut.setup_source_paths):
        step()
    mutmut.create_mutants(os.cpu_count() or 1)
    made, files = mutmut.collect_source_file_mutation_data(mutant_names=())
    names = sorted(name for _, name, _ in made)
    chosen = set(random.Random(seed).sample(names, min(size, len(names))))
    for each in files.values():
        each.exit_code_by_key |= {n: 34 for n in each.exit_code_by_key if n not in chosen}
        each.save()
    print(f"{len(chosen)} of {len(names)} changes")


def report(mutmut: Any) -> int:
    """Print the score of each module, and the changes that survived; return their number."""
    survived = 0
    for path, data in sorted(mutmut.collect_source_file_mutation_data(mutant_names=())[1].items()):
        found = {n: mutmut.status_by_exit_code[code] for n, code in data.exit_code_by_key.items()}
        tried = {name: status for name, status in found.items() if status != "skipped"}
        counts = Counter(status in _KILLED for status in tried.values())
        survived += counts[False]
        for name, status in tried.items():
            if status not in _KILLED:
                print(f"\n{name}: {status}\n{mutmut.get_diff_for_mutant(name, path=path)}")
        print(f"{path}: {counts[True]} of {len(tried)} were noticed")
    return survived


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    stage(given.folder, given.modules, given.tests)
    os.chdir(given.folder)

    import mutmut.__main__ as mutmut  # It reads its configuration in the folder.
    from mutmut.mutation.mutators import mutation_operators, operator_string

    mutation_operators[:] = [each for each in mutation_operators if each[1] is not operator_string]
    sample(mutmut, given.sample, given.seed)
    mutmut._run((), None)
    return 1 if report(mutmut) else 0


if __name__ == "__main__":
    raise SystemExit(main())
