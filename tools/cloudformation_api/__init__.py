"""CloudFormation's API for the rehearsal's engine, for commands that operate stacks.

`api.serve` lets an emulated account answer it: to the check on AWS, the documentation and the tests
of the commands. A rehearsal runs stacks by the engine and needs none of it.

As strict as AWS is documented to be; the texts are those that its users quote, unverified. Refused
as not emulated: replacement of a resource, nested stacks, imports, stack policies, another
behaviour on failure than rolling back, notifications, forced deletion or rollback. Drift is never
checked.
"""
