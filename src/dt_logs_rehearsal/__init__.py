"""Rehearse a release: run its templates, unchanged, in an emulated AWS account on one machine.

    scenarios ─► sandbox ────────────────────────────────────────────────► report
    (a release,   ├ http            the account's endpoint; asks IAM first  (text, JSON,
     step by      │  ├ account      Elastic Load Balancing, S3, SNS, STS     HTML page)
     step)        │  └ moto         EventBridge, IAM, Lambda, CloudWatch Logs
                  ├ cloudformation  stacks, custom resources, rollback
                  ├ functions       awslambdaric, in a process with the role's credentials
                  └ vendor          the second account, which reads the logs

The command `rehearse` starts in the module `command`; tests use `account` alone, or a `sandbox`.
Every part except `account` needs the extra `rehearse`. `report.data.EMULATED` lists what a
rehearsal cannot show.
"""
