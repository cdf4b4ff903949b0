"""A function that does almost nothing, for tests of the emulated Lambda."""

from dt_logs_rehearsal.functions.processes import Function, interpreter

PLAIN = Function(
    name="plain",
    arn="arn:aws:lambda:us-east-1:123456789012:function:plain",
    runtime=interpreter("python0.0")[1].partition(" ")[0],  # the running Python's version
    handler="index.handler",
    code="def handler(event, context):\n    print('got', event)\n    return event\n",
    timeout=300,
    memory=128,
    log_group="/aws/lambda/plain",
    region="us-east-1",
    credentials={"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"},
)
