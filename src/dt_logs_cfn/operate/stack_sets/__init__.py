"""Deploy a stack in each requested account and region with a CloudFormation stack set.

This package takes options, a template and values. It follows CloudFormation's operations to their
end, and prints a table of the failures. Open `command` first.

    command   rollout ─► steps ─► confirmed? ─► stack_set ─► table of failures
"""
