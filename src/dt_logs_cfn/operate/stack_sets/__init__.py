"""A stack in each account and region of an organisation, by a CloudFormation StackSet.

In: options, a verified template, values. Out: operations of CloudFormation's, followed to their
end, and a table of what failed. Open `command` first.

    command   rollout ─► steps ─► confirmed? ─► stack_set ─► failures
"""
