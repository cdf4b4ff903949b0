"""Operating stacks with the operator's own credentials: what a command shows, asks and follows.

    plans        what the handler would do           plan
    stacks       one stack, deployed and removed     deploy, remove
    stack_sets   one in each account and region      deploy --stack-set
    status       whether logs flow                   status

What is shown is data first, apart from the calls; clock, sleep, screen and keyboard are given.
"""
