"""Plan, deploy, check and remove stacks with the operator's own credentials.

The input is a template, parameter values, and an account that boto3 reaches. The output is changed
stacks, and what the commands print. Modules marked `pure` do not call AWS. Callers pass in AWS's
clients, the clock and the operator (`cli.terminal.Operator`).

    account      reads an account                    plan, deploy, status, remove, replay
    plans        plans the handler's changes         plan
    stacks       deploys and removes one stack       deploy, remove
    stack_sets   deploys to accounts and regions     deploy --stack-set
    status       checks whether logs flow            status
    replay       announces past logs again           replay
    deployed     compares a stack with its template  verify --stack

Start with the package that your command uses. These modules serve several commands:

    stack_options, operator_settings   settings from options and from dt-logs-cfn.cfg
    values                             parameters: reading and checking their values
    templates                          the template to deploy
    retry                              calls over an unreliable network
"""
