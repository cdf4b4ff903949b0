"""Check a release on real AWS, in an account that you provide. Never part of CI.

    tox -e aws -- --account 123456789012 --aws-region eu-central-1 --plan

In: an account, a region, a release. Out: an exit code, a transcript, and an account as it was.

| module | what it does |
|---|---|
| `cli` | parse the command line; plan, run or sweep. Open it first |
| `plan` | say what a run makes, what it is called and what it costs |
| `ledger` | record what a run makes, before it is made |
| `run` | hold a run's state; run our commands; wait |
| `guard` | record the calls, and stop one that would change what the run did not make |
| `transcript` | write calls and answers without account IDs and secrets |
| `making` | create the load balancer, the queue, the service role and buckets |
| `scenes` | create, read a log, update, delete, adopt |
| `texts` | compare AWS's refusals with the emulated account's |
| `removing` | remove what a run made, or what a killed run left |
"""
