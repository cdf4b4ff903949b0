"""Check a release on real AWS, in an account that you provide. CI never runs this check.

    tox -e aws -- --account 123456789012 --aws-region eu-central-1 --plan

Input: an account, a region, a release. Output: an exit code and a transcript. The run removes
what it created, or reports what is left.

| module | what it does |
|---|---|
| `cli` | parse the command line; plan, run or sweep. Open it first |
| `plan` | list a run's resources, their names and their costs |
| `ledger` | record each resource before it is created |
| `run` | hold a run's state; run our commands; wait |
| `guard` | record calls; stop calls that would change others' buckets or load balancers |
| `transcript` | write calls and answers, without account IDs or secrets |
| `making` | create the load balancer, its security group, the queue, the service role and buckets |
| `scenes` | do what a customer does: create, read a log, update, delete, adopt |
| `texts` | compare AWS's refusals with those of the emulated account |
| `removing` | remove a run's resources, including those that a killed run left |
"""
