"""What is shown of a change set."""

from dt_logs_cfn.operate.stacks.change_sets import Change, Proposal, change, rights, told
from dt_logs_cfn.operate.stacks.stack import Stack

ENDPOINT = "NotificationEndpoint"
BEFORE = Stack(
    id="arn:aws:cloudformation:us-east-1:123456789012:stack/s/1",
    name="s",
    status="CREATE_COMPLETE",
    role="arn:aws:iam::123456789012:role/r",
    parameters={ENDPOINT: "https://a.example.com/?t=ONE", "Old": "x", "Same": "y"},
    tags={"cost": "7", "team": "edge"},
    outputs={},
)


def proposal(before: Stack | None, **more: object) -> Proposal:
    given: dict[str, object] = {
        "name": "s",
        "account": "123456789012",
        "region": "us-east-1",
        "role": "",
        "template": "release 1",
        "before": before,
        "parameters": {},
        "changes": (),
        "tags": {},
        "rights": frozenset(),
    }
    return Proposal(**{**given, **more})  # type: ignore[arg-type]  # a test's own mixture


def test_an_update_is_shown_from_old_to_new() -> None:
    parameters = {ENDPOINT: "https://a.example.com/?t=TWO", "Same": "y", "New": ""}
    changes = (
        Change("Modify", "Invoke", "Custom::A", "False", ("Do", "More")),
        Change("Modify", "Role", "AWS::IAM::Role", "True", ("Path",)),
        Change("Modify", "Other", "AWS::IAM::Role", "Conditional"),
        Change("Remove", "Group", "AWS::Logs::LogGroup"),
    )
    shown = proposal(
        BEFORE,
        parameters=parameters,
        changes=changes,
        tags={"cost": "8", "team": "edge", "new": "x\x1b[2J"},
        template_changes=("Role: right added: s3:A on *",),
    )
    assert told(shown).splitlines() == [
        "update stack s in account 123456789012, us-east-1",
        "  template  release 1",
        "  through   your own rights, without a service role",
        "  Resources",
        "    ~ Invoke  Custom::A  (Do, More)",
        "    ! Role  AWS::IAM::Role  (made anew; Path)",
        "    ! Other  AWS::IAM::Role  (perhaps made anew)",
        "    - Group  AWS::Logs::LogGroup",
        "  Parameters",
        "    NotificationEndpoint: https://a.example.com/… -> https://a.example.com/… (the hidden"
        " part changes)",
        "    New = empty (new)",
        "    Old goes",
        "  Tags",
        "    cost: 7 -> 8",
        "    new = x [2J (new)",
        "  Template",
        "    Role: right added: s3:A on *",
    ]


def test_of_a_new_stack_rights_are_counted() -> None:
    shown = told(proposal(None, rights=frozenset(("s3:A", "s3:B", "sns:C")), tags={"team": "edge"}))
    assert "  Tags\n    team = edge" in shown
    assert "  Rights of the Lambda's role\n    2 of s3, 1 of sns" in shown


def test_changes_are_read_as_cloudformation_has_them() -> None:
    found = {
        "Action": "Modify",
        "LogicalResourceId": "Role",
        "ResourceType": "AWS::IAM::Role",
        "Replacement": "False",
        "Details": [
            {"Target": {"Attribute": "Properties", "Name": "Policies"}},
            {"Target": {"Attribute": "Properties", "Name": "Policies"}},
            {"Target": {"Attribute": "Tags"}},
            {},
        ],
    }
    assert change(found) == Change(
        "Modify", "Role", "AWS::IAM::Role", "False", ("Policies", "Tags")
    )


def test_rights_are_those_of_the_roles_in_a_template() -> None:
    def role(*actions: object) -> dict[str, object]:
        statements = [{"Action": each} for each in actions]
        policy = {"PolicyDocument": {"Statement": statements}}
        return {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}

    template = {"Resources": {"A": role("s3:A", ["s3:B", "sns:C"]), "B": {"Type": "Custom::B"}}}
    assert rights(template) == {"s3:A", "s3:B", "sns:C"}
    assert rights({}) == rights({"Resources": 7}) == frozenset()
