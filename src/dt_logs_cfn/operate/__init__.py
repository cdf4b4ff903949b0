"""Plan, deploy, check and remove stacks with the operator's own credentials.

In: a template, parameter values, and an account that boto3 reaches. Out: changed stacks, and
what the commands show. Data and calls are separate. Clients, the clock and the operator
(`cli.terminal.Operator`) are passed in.

    account      the one reader of an account        plan, status, remove
    plans        what the handler would do           plan
    stacks       one stack, deployed and removed     deploy, remove
    stack_sets   one in each account and region      deploy --stack-set
    status       whether logs flow                   status
    replay       the logs of a time window again     replay
    deployed     what a stack runs by now            verify --stack

Open the package of your command first. These serve them all:

    stack_options, operator_settings   what a command is given, by options and by dt-logs-cfn.cfg
    value_sources, values              parameters as they are written, and the one check of them
    load_balancers                     the stack's list, and what leaves it
    templates                          the template to deploy
"""
