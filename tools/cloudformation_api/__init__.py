"""CloudFormation's API on top of the rehearsal's engine, for commands that operate stacks.

`api.serve` lets an emulated account answer the API, for the check on AWS, the documentation and the
commands' tests. A rehearsal calls the engine directly and does not need the API.

The API is as strict as AWS is documented to be. The error messages come from users' reports and are
unverified. The API refuses what it does not emulate: replacement of a resource, nested stacks,
imports, stack policies, any behaviour on failure other than a rollback, notifications, forced
deletion, retained resources, continuation of a failed rollback, templates from S3 and a stack's
previous template. It neither checks for drift nor validates a template's structure.
"""
