"""Deploy a stack in each requested account and region with a CloudFormation stack set.

The input is options, a template and values. The output is CloudFormation's operations, followed to
their end, and a table of the failures. Open `command` first.

    command   rollout ─► steps ─► confirmed? ─► stack_set ─► table of failures
"""
