"""Plan, deploy, check and remove stacks with the operator's own credentials.

In: a template, parameter values, and an account that boto3 reaches. Out: changed stacks, and
the commands' output. Modules marked `pure` do not call AWS. Clients, the clock and the operator
(`cli.terminal.Operator`) are passed in.

    account      reads an account                    plan, deploy, status, remove, replay
    plans        plans the handler's changes         plan
    stacks       deploys and removes one stack       deploy, remove
    stack_sets   deploys to accounts and regions     deploy --stack-set
    status       checks whether logs flow            status
    replay       announces past logs again           replay
    deployed     compares a stack with its template  verify --stack

Start with the package of your command. These modules serve several commands:

    stack_options, operator_settings   settings from options and from dt-logs-cfn.cfg
    values                             parameters: reading and checking their values
    templates                          the template to deploy
    retry                              calls over an unreliable network
"""
