"""Values of parameters for some stack instances alone, from a CSV that is checked line by line.

    account,region,LoadBalancerArns
    111122223333,eu-west-1,arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/…
    444455556666,,*

A row without a region holds in each one; where there is one for the region, that one alone holds.
An instance that has a row gets exactly what it says: an empty cell is the stack set's own value.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.targets import ACCOUNT, REGION, Instance
from dt_logs_cfn.template.declared import Declared, refusal, shown_name

MOST_BYTES = 10_000_000
MOST_ROWS = 20_000
_TOLD = 3
_PLACE = "[0-9]{1,20}|[A-Za-z]{1,12}|[A-Za-z]{2,4}-[A-Za-z-]{3,12}[0-9]?"  # or nearly one
_FIX = "Correct these lines, and try again; nothing was changed."

Values = tuple[tuple[str, str], ...]  # of parameters, by name, sorted


@dataclass(frozen=True)
class Row:
    """What a line of the file says; without a region, for each one."""

    line: int
    account: str
    region: str
    values: Values


def read_overrides(path: Path, parameters: Declared) -> tuple[Row, ...]:
    """Read a file of overrides for a template with these parameters.

    Raises OperatingError, which names the lines, if it is too large, no such file, or has a row
    twice, a column of no parameter, or a value that the template would not take.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OperatingError(
            f"{path} cannot be read: {error.strerror or error}.", "Give a CSV with --overrides."
        ) from error
    if len(content) > MOST_BYTES:
        raise OperatingError(f"{path} has more than {MOST_BYTES:,} bytes.", "Split the roll-out.")
    try:
        return parse_overrides(content.decode("utf-8-sig"), parameters)
    except UnicodeDecodeError as error:
        raise OperatingError(f"{path} is no UTF-8 text.", "Save it as a CSV in UTF-8.") from error


def parse_overrides(text: str, parameters: Declared) -> tuple[Row, ...]:
    """Return the rows of a CSV. Raises OperatingError as `read_overrides` does."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [each.strip() for each in next(reader, [])]
        _check_columns(columns, parameters)
        lines = []
        for cells in reader:
            if any(map(str.strip, cells)):
                lines.append((reader.line_num, [each.strip() for each in cells]))
            if len(lines) > MOST_ROWS:
                raise OperatingError(
                    f"The overrides have more than {MOST_ROWS:,} rows.", "Split the roll-out."
                )
    except csv.Error as error:
        raise OperatingError(
            f"The overrides are no CSV: line {reader.line_num}: {error}.", _FIX
        ) from error
    _refuse([*_faults(lines, columns, parameters)])
    return tuple(_row(line, columns, cells) for line, cells in lines)


def assigned(rows: Sequence[Row], instances: Iterable[Instance]) -> dict[Instance, Values]:
    """Return the overrides of those instances that rows speak of.

    Raises OperatingError, which names the lines, for a row of no such instance, and for one whose
    load balancers are of another account or region.
    """
    targets = set(instances)
    accounts = {each.account for each in targets}
    regions = {each.region for each in targets}
    by_place = {(row.account, row.region): row for row in rows}
    faults = [
        f"line {row.line}: {row.account} {row.region}".rstrip() + " is no target"
        for row in rows
        if row.account not in accounts or row.region not in {*regions, ""}
    ]
    found: dict[Instance, Values] = {}
    for each in sorted(targets):
        row = by_place.get((each.account, each.region)) or by_place.get((each.account, ""))
        if row is None:
            continue
        found[each] = row.values
        if elsewhere(dict(row.values).get("LoadBalancerArns", ""), each):
            faults.append(
                f"line {row.line}: LoadBalancerArns names one that is not in {each.account}"
                f" {each.region}"
            )
    _refuse(faults)
    return found


def elsewhere(load_balancer_arns: str, instance: Instance) -> bool:
    """Tell whether a list names a load balancer that an instance's stack cannot onboard."""
    ours = ["elasticloadbalancing", instance.region, instance.account]
    return any(
        each not in ("", "*") and each.split(":", 5)[2:5] != ours
        for each in map(str.strip, load_balancer_arns.split(","))
    )


def _check_columns(columns: Sequence[str], parameters: Declared) -> None:
    if "account" not in columns:
        raise OperatingError(
            "The overrides have no column `account` in line 1.",
            "Begin with a line like account,region,LoadBalancerArns.",
        )
    known = {"account", "region", *parameters}
    for number, each in enumerate(columns, 1):
        if each not in known or columns.count(each) > 1:
            what = "is there twice" if each in known else "is no parameter of the template"
            raise OperatingError(
                f"The overrides' column {shown_name(each, known) or number} in line 1 {what}.",
                f"Use account, region, {', '.join(parameters)}, each once.",
            )


def _faults(
    lines: Iterable[tuple[int, list[str]]], columns: Sequence[str], parameters: Declared
) -> Iterator[str]:
    seen: dict[tuple[str, str], int] = {}
    for line, cells in lines:
        if len(cells) != len(columns):
            yield f"line {line}: {len(cells)} cells, not {len(columns)}"
            continue
        row = _row(line, columns, cells)
        if not re.fullmatch(ACCOUNT, row.account):
            yield f"line {line}: {_cell(row.account, 'account')} is no account of 12 digits"
        if row.region and not re.fullmatch(REGION, row.region):
            yield f"line {line}: {_cell(row.region, 'region')} is no region"
        place = (row.account, row.region)
        if place in seen:
            yield f"line {line}: the same account and region as line {seen[place]}"
        seen.setdefault(place, line)
        for name, value in row.values:
            if why := refusal(parameters[name], value):
                yield f"line {line}: {name} {why}"


def _cell(text: str, column: str) -> str:
    """Return a cell as it may be shown: columns out of their order may bring a token into it."""
    return repr(text) if re.fullmatch(_PLACE, text) else f"its {column}"


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    found: Mapping[str, str] = dict(zip(columns, cells, strict=True))
    values = sorted(
        (name, value)
        for name, value in found.items()
        if value and name not in ("account", "region")
    )
    return Row(line, found["account"], found.get("region", ""), tuple(values))


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise OperatingError(f"The overrides do not hold: {'; '.join(faults[:_TOLD])}{more}.", _FIX)
