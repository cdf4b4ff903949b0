"""The released template, unchanged, from end to end in an emulated AWS account on one machine.

    Released ─► Play ─► Sandbox ─────────────────────────────────────────────┐
    (templates)  (steps)  ├ Endpoint    HTTP on the loopback, IAM before all  │
                          │   ├ emulator   Elastic Load Balancing, S3, SNS    ├─► Report ─► text,
                          │   └ moto       IAM, Lambda, CloudWatch Logs       │   JSON, page
                          ├ CloudFormation  stacks, custom resources, rollback│
                          ├ Functions   awslambdaric in a process, by role    │
                          └ Vendor      the second account, which reads ──────┘

Needs the extra `rehearse`. What it cannot show is in `report.EMULATED`.
"""
