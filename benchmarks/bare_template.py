"""Write a template comparable to a release's, with troposphere alone: `bare_template.py FILE`."""

import base64
import io
import sys
import zipfile
from pathlib import Path

from troposphere import Output, Parameter, Ref, Template
from troposphere.awslambda import Code, Function
from troposphere.cloudformation import CustomResource
from troposphere.iam import Policy, Role

import dt_logs_handler

ARCHIVE = io.BytesIO()
with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED) as handler:
    for source in sorted(Path(dt_logs_handler.__path__[0]).glob("*.py")):
        handler.writestr(f"dt_logs_handler/{source.name}", source.read_bytes())

BOOTSTRAP = f"""import base64, io, sys, zipfile
zipfile.ZipFile(io.BytesIO(base64.b64decode("{base64.b64encode(ARCHIVE.getvalue()).decode()}"))
    ).extractall("/tmp/code")
sys.path.insert(0, "/tmp/code")
from dt_logs_handler.main import handler
"""


def allow(service: str, action: str) -> dict[str, object]:
    """Return a policy document that allows an action.

    Only a document for `sts:AssumeRole` names the service.
    """
    statement = {"Effect": "Allow", "Action": action}
    where: dict[str, object] = (
        {"Principal": {"Service": service}} if action == "sts:AssumeRole" else {"Resource": "*"}
    )
    return {"Version": "2012-10-17", "Statement": [statement | where]}


template = Template()
template.set_version()
load_balancers = template.add_parameter(Parameter("LoadBalancerArns", Type="CommaDelimitedList"))
role = template.add_resource(
    Role(
        "DTLogsAnalysisLambdaExecutionRole",
        AssumeRolePolicyDocument=allow("lambda.amazonaws.com", "sts:AssumeRole"),
        Policies=[Policy(PolicyName="logs", PolicyDocument=allow("s3", "s3:*"))],
    )
)
function = template.add_resource(
    Function(
        "DTLogsAnalysisLambdaFunction",
        Code=Code(ZipFile=BOOTSTRAP),
        Handler="index.handler",
        Role=role.get_att("Arn"),
        Runtime="python3.13",
        Timeout=900,
    )
)
template.add_resource(
    CustomResource(
        "InvokeLambdaFunction",
        ServiceToken=function.get_att("Arn"),
        LoadBalancerArns=Ref(load_balancers),
    )
)
template.add_output(Output("FunctionArn", Value=function.get_att("Arn")))
Path(sys.argv[1]).write_text(template.to_json())
