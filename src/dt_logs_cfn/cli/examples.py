"""Two examples for the help of each command."""

_EXAMPLES = """
build --config release.cfg
build --check
deploy --load-balancer '*' --role-arn arn:aws:iam::123456789012:role/dt-logs-analysis
deploy --stack dt-logs-analysis --add-load-balancer ARN --yes
diff 0.1.0
diff old.template.json new.template.json --json
explain
explain --privileges documented
lint
lint build/0.1.0/dt-logs-analysis.template.json --json
plan --load-balancer '*'
plan --stack dt-logs-analysis --add-load-balancer ARN
policy lambda-execution-least-privilege
policy cloudformation-role-lifecycle --account 123456789012 --region eu-west-1
publish --bucket my-releases --dry-run
publish --bucket my-releases --withdraw 0.1.0 --reason 'A newer version replaces it'
rehearse
rehearse --scenario all --report rehearsal.html
remove --stack dt-logs-analysis
remove --stack dt-logs-analysis --yes --leftovers
replay --since 2026-11-28T10:00Z --dry-run
replay --since 2026-11-28T10:00Z --until 2026-11-28T12:00Z
status
status --load-balancer '*' --json
verify dt-logs-analysis.template.json
verify --stack dt-logs-analysis
"""


def examples(program: str, command: str) -> str:
    """Return the text below a command's help."""
    lines = (line for line in _EXAMPLES.splitlines() if line.partition(" ")[0] == command)
    return "\n".join(("examples:", *(f"  {program} {line}" for line in lines)))
