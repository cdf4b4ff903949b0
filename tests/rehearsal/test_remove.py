"""`remove`, against an emulated account over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.commands import Runner
from support.emulated import BOTH, ENDPOINT, Emulated
from support.emulated import STACK as NAME
from support.lossy import EVERY, lossy

from dt_logs_cfn.cli.terminal import Here, Operator
from dt_logs_cfn.commands import deploy, remove
from dt_logs_cfn.operate.stacks.removing import delete
from dt_logs_cfn.operate.stacks.stack import describe
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account.elbv2 import Visit, log_file

ActAs = Callable[..., None]
CLEAN = (0, f"{NAME}: deleted, and the account is clean\n")


@pytest.fixture
def run(account: Emulated, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(remove.configure, remove.run, capsys)


def deployed(
    account: Emulated,
    privileges: Privileges = Privileges.LEAST_PRIVILEGE,
    name: str = NAME,
    **more: str,
) -> str:
    """Create a stack with one of the two privilege sets, and return its ID."""
    return account.create_stack(name, account.template(privileges), **more)


def changed_to(account: Emulated, privileges: Privileges, **more: str) -> None:
    """Update the stack to this privilege set."""
    account.client("cloudformation").update_stack(
        StackName=NAME,
        TemplateBody=account.template(privileges),
        Capabilities=list(BOTH),
        Parameters=[
            {"ParameterKey": each, "UsePreviousValue": True}
            for each in ("LoadBalancerArns", "DataTheoremAccountId", "NotificationEndpoint")
        ],
        **more,
    )
    account.sandbox.cloudformation.join()


def status(account: Emulated, stack: str) -> str:
    found = account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return str(found["StackStatus"])


def write_log(account: Emulated) -> None:
    balancer = account.load_balancers[0]
    body = log_file(balancer, [Visit("192.0.2.7", "/")], account.sandbox.pace())
    account.sandbox.account.write_log(balancer, body)


def snapshot(account: Emulated) -> dict[str, Any]:
    return {**account.sandbox.account.snapshot(), **account.sandbox.endpoint.deployed()}


def stack_bucket(account: Emulated) -> str:
    (name,) = (each for each in account.sandbox.account.world.buckets if each.startswith(NAME))
    return name


def test_a_stack_is_shown_confirmed_deleted_and_the_account_is_clean(
    account: Emulated, run: Runner
) -> None:
    before = snapshot(account)
    stack = deployed(account)
    bucket = stack_bucket(account)
    ran = run.answering("yes")()
    assert (ran.code, ran.failure) == (0, "")
    assert run.asked == [f"Delete the stack {NAME}? [y/N]"]
    lines = ran.told.splitlines()
    assert lines[:4] == [
        "searching the account for what the stack set up",
        f"delete stack {NAME}, which is in CREATE_COMPLETE",
        f"  through   {account.role}",
        "  Remove",
    ]
    assert [line[6:] for line in lines if line.startswith("    - ")][4:] == [
        "the access logging of load balancer"
        f" app/web/{account.load_balancers[0].rpartition('/')[2]}",
        f"bucket {bucket}: it is empty, and nobody uses it",
        f"topic arn:aws:sns:us-east-1:123456789012:{NAME}-1-{bucket}: no other stack uses it",
    ]
    at = lines.index("  Keep")
    assert lines[at + 1 : at + 3] == [
        "    the bucket's name in the attributes of the load balancers, because AWS does not accept"
        " an empty one",
        f"    the service role {account.role}",
    ]
    assert ran.out == f"{NAME}: deleted, and the account is clean\n"
    assert status(account, stack) == "DELETE_COMPLETE"
    assert f"To check again later: `dt-logs-cfn remove --stack {stack}`" in lines
    after = snapshot(account)
    assert after["buckets"] == before["buckets"]
    assert after["topics"] == before["topics"]
    assert after["functions"] == before["functions"]
    assert after["log_groups"] == before["log_groups"]
    assert "SECRET" not in ran.told + ran.out


def test_what_is_not_confirmed_stays_as_it_is(account: Emulated, run: Runner) -> None:
    stack = deployed(account)
    before = snapshot(account)
    assert run.answering("n")().failure.startswith("It was not confirmed, so nothing was changed.")
    assert (status(account, stack), snapshot(account)) == ("CREATE_COMPLETE", before)


def test_the_topic_of_a_bucket_that_is_gone_goes_as_was_said(
    account: Emulated, run: Runner
) -> None:
    deployed(account)
    bucket = stack_bucket(account)
    del account.sandbox.account.world.buckets[bucket]
    ran = run("--yes")
    (goes,) = (line for line in ran.told.splitlines() if line.startswith("    - topic "))
    assert goes.endswith(f":{NAME}-1-{bucket}: no other stack uses it")
    assert (ran.code, ran.out) == CLEAN
    assert account.sandbox.account.world.topics == {}


def test_a_stack_that_changed_its_privileges_leaves_what_its_role_may_not_delete(
    account: Emulated, run: Runner
) -> None:
    stack = deployed(account)
    changed_to(account, Privileges.DOCUMENTED)
    ran = run("--yes")
    (topic,) = account.sandbox.account.world.topics
    inert = f"topic {topic}: no other stack uses it, and the stack's role may not delete it"
    assert (ran.code, f"    {inert}" in ran.told.splitlines()) == (0, True)
    again = run("--stack", stack)
    assert (again.code, f"  stays    topic {topic}" in again.out) == (0, True)


def test_a_log_group_that_lambda_made_before_stays_and_is_announced(
    account: Emulated, run: Runner
) -> None:
    deployed(account, Privileges.DOCUMENTED)
    changed_to(account, Privileges.LEAST_PRIVILEGE, RoleARN=account.role)
    ran = run("--yes")
    (group,) = account.sandbox.endpoint.deployed()["log_groups"]
    why = f"log group {group}: Lambda made it, so it is not a resource of the stack"
    assert (ran.code, f"    {why}" in ran.told.splitlines()) == (0, True)
    assert f"  stays    {why}" in ran.out.splitlines()


def test_a_deleted_stack_s_leftovers_are_removed_if_that_is_agreed_to(
    account: Emulated, run: Runner
) -> None:
    """The stack's role may not delete everything, so the operator's permissions are used."""
    stack = deployed(account, Privileges.DOCUMENTED)
    bucket = stack_bucket(account)
    write_log(account)
    ran = run("--yes")
    (topic,) = account.sandbox.account.world.topics
    assert f"           aws sns delete-topic --topic-arn {topic}" in ran.out.splitlines()
    assert "aws logs delete-log-group --log-group-name /aws/lambda/" in ran.out
    ran = run.answering("y")("--stack", stack, "--json")
    assert run.asked == ["Remove these? [y/N]"]
    found = json.loads(ran.out)
    assert [each["what"] for each in found["removed"]] == ["topic", "log group"]
    assert [(each["what"], each["name"]) for each in found["left"]] == [("bucket", bucket)]
    assert (ran.code, found["clean"]) == (0, True)
    assert account.sandbox.account.world.topics == {}
    assert account.sandbox.endpoint.deployed()["log_groups"] == {}
    again = run("--stack", stack, "--leftovers")
    assert (again.out.count("\n"), f"  stays    bucket {bucket}: " in again.out) == (2, True)


def test_a_topic_with_somebody_else_s_subscription_stays(account: Emulated, run: Runner) -> None:
    deployed(account, Privileges.DOCUMENTED)
    (topic,) = account.sandbox.account.world.topics
    account.sandbox.account.confirm(ENDPOINT)
    queue = "arn:aws:sqs:us-east-1:123456789012:mine"
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    ran = run("--yes", "--leftovers")
    assert f"stays    topic {topic}: somebody else is subscribed to it" in ran.out
    assert "removed  subscription " in ran.out
    left = account.sandbox.account.world.subscriptions.values()
    assert [each.endpoint for each in left] == [queue]


def test_what_another_stack_uses_stays_until_that_one_goes(account: Emulated, run: Runner) -> None:
    """Removing the last stack also removes the first stack's resources, and says so."""
    before = snapshot(account)
    deployed(account)
    bucket = stack_bucket(account)
    deployed(account, name=f"{NAME}-2")
    ran = run("--yes")
    assert f"    bucket {bucket}: another stack uses it" in ran.told.splitlines()
    assert f"  stays    bucket {bucket}: another stack uses it" in ran.out.splitlines()
    assert ran.code == 0
    ran = run("--yes", "--stack", f"{NAME}-2")
    assert [line[6:] for line in ran.told.splitlines() if line.startswith("    - ")][4:] == [
        "the access logging (turned on by a stack that no longer uses it) of load balancer"
        f" app/web/{account.load_balancers[0].rpartition('/')[2]}",
        f"bucket {bucket}: it is empty, and nobody uses it; a stack that no longer uses it created"
        " it",
        f"topic arn:aws:sns:us-east-1:123456789012:{NAME}-1-{bucket}: no other stack uses it",
    ]
    assert (ran.code, ran.out) == (0, f"{NAME}-2: deleted, and the account is clean\n")
    assert snapshot(account)["buckets"] == before["buckets"]


def left_behind(account: Emulated, run: Runner) -> str:
    """Remove a stack, and return its bucket: it holds logs, and a load balancer still names it."""
    deployed(account)
    bucket = stack_bucket(account)
    write_log(account)
    ran = run("--yes")
    assert f"    bucket {bucket}: it holds logs, which are yours" in ran.told.splitlines()
    assert (ran.code, ran.out) == (
        0,
        f"{NAME}: deleted; these are meant to stay:\n  stays    bucket {bucket}:"
        " it holds logs, which are yours; empty and delete it when you like (its tag"
        " dt-logs-analysis:left says: holds logs or earlier versions of objects)\n",
    )
    assert bucket in account.sandbox.account.world.buckets
    return bucket


def empty(account: Emulated, bucket: str) -> None:
    """Delete the bucket's logs as the customer would."""
    client = account.client("s3")
    for each in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=each["Key"])


def test_a_bucket_with_logs_stays_and_goes_with_any_stack_once_it_is_empty(
    account: Emulated, run: Runner
) -> None:
    bucket = left_behind(account, run)
    empty(account, bucket)
    deployed(account, LoadBalancerArns=account.sandbox.account.add_load_balancer("other"))
    ran = run("--yes")
    made = "a stack that no longer uses it created it"
    goes = f"    - bucket {bucket}: it is empty, and nobody uses it; {made}"
    assert goes in ran.told.splitlines()
    assert (ran.code, ran.out) == CLEAN
    assert bucket not in account.sandbox.account.world.buckets


def test_a_stack_whose_function_is_not_asked_takes_nothing_over(
    account: Emulated, run: Runner
) -> None:
    bucket = left_behind(account, run)
    missing = account.load_balancers[0].replace("/web/", "/wob/")
    failed = deployed(account, LoadBalancerArns=missing)
    assert status(account, failed) == "ROLLBACK_COMPLETE"
    empty(account, bucket)
    ran = run("--yes")
    assert bucket not in ran.told
    assert (ran.code, ran.out) == CLEAN
    assert run("--stack", failed).out == ran.out
    assert bucket in account.sandbox.account.world.buckets


def test_a_topic_whose_users_cannot_be_told_is_not_removed(
    account: Emulated, run: Runner, act_as: ActAs
) -> None:
    """Only the bucket's policy names the topic's users, and the operator may not read it."""
    deployed(account, Privileges.DOCUMENTED)
    deployed(account, Privileges.DOCUMENTED, name=f"{NAME}-2")
    topics = set(account.sandbox.account.world.topics)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    but = {"Effect": "Deny", "Action": "s3:GetBucketPolicy", "Resource": "*"}
    act_as(everything, but)

    ran = run("--yes", "--leftovers")

    assert ran.code == 1
    assert set(account.sandbox.account.world.topics) == topics


def test_a_delete_that_fails_tells_the_reason_first(account: Emulated, run: Runner) -> None:
    stack = deployed(account)
    iam = account.client("iam")
    name = account.role.rpartition("/")[2]
    deny = {"Effect": "Deny", "Action": "lambda:DeleteFunction", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=name, PolicyName="no", PolicyDocument=policy)
    ran = run("--yes")
    assert ran.failure.startswith("DTLogsAnalysisLambdaFunction failed: ")
    assert "lambda:DeleteFunction" in ran.failure
    assert ran.failure.endswith(
        f"The stack {NAME} is in DELETE_FAILED. Correct that, and remove it again. To delete the"
        " stack and keep DTLogsAnalysisLambdaFunction: `aws cloudformation delete-stack"
        f" --stack-name {NAME} --retain-resources DTLogsAnalysisLambdaFunction`."
    )
    iam.delete_role_policy(RoleName=name, PolicyName="no")
    assert run("--yes").code == 0
    assert status(account, stack) == "DELETE_COMPLETE"


RIGHTS = (
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:ListStackResources",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "logs:DescribeLogGroups",
    "s3:GetBucketNotification",
    "s3:GetBucketPolicy",
    "s3:GetBucketTagging",
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
)


def test_the_rights_that_the_guide_names_are_enough_and_needed(
    account: Emulated, run: Runner, act_as: ActAs
) -> None:
    deployed(account)
    account.client("s3").create_bucket(Bucket="somebody-else-s")
    may = {"Effect": "Allow", "Action": [*RIGHTS], "Resource": "*"}
    act_as(may)
    ran = run("--yes")
    assert (ran.code, ran.out) == CLEAN
    asked = {
        decision.action
        for call in account.sandbox.calls
        if call.caller == "person"
        for decision in call.decisions
    }
    assert asked == set(RIGHTS)
    text = (Path(__file__).parents[2] / "docs" / "customer.md").read_text("utf-8")
    assert all(f"`{each.partition(':')[2]}`" in text for each in RIGHTS)


def test_marks_that_are_left_are_findings(account: Emulated, run: Runner) -> None:
    """The stack is deleted without its custom resource, so everything that it set up stays."""
    stack = deployed(account)
    bucket = stack_bucket(account)
    found = account.sandbox.cloudformation.stacks[stack]
    del found.resources["InvokeLambdaFunction"]
    ran = run("--yes")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == f"{NAME}: deleted; look at:"
    assert any(line.startswith("  LEFT     load balancer app/web/") for line in lines)
    assert (
        f"  LEFT     bucket {bucket}: 1 statement of the stack in its policy; remove from the"
        " policy"
    ) in lines
    assert any(line.startswith("  LEFT     topic ") for line in lines)


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        (
            "never",
            "There is no stack never in this account and region. Check --stack, --profile and"
            " --region; use the stack ID for a deleted stack.",
        ),
        (
            "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1",
            "No stack in this account and region has the ID"
            " 'arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1'. Give the whole ID, and use"
            " credentials of account 123456789012 and --region eu-west-1.",
        ),
        (
            "service-role",
            "The stack service-role does not onboard load balancers. Name another with --stack.",
        ),
    ],
)
def test_no_other_stack_is_touched(account: Emulated, run: Runner, name: str, failure: str) -> None:
    assert run("--yes", "--stack", name).failure == failure
    assert status(account, "service-role") == "CREATE_COMPLETE"


def test_no_other_stack_is_updated_either(
    account: Emulated, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Runner(deploy.configure, deploy.run, capsys)
    more = ("--stack", "service-role", "--release", str(account.release), "--yes")
    values = ("--load-balancer", "*", "--parameter", "DataTheoremAccountId=999988887777")
    ran = run(*more, *values, "--parameter", f"NotificationEndpoint={ENDPOINT}")
    assert ran.failure.startswith("The stack service-role does not onboard load balancers.")


def test_a_stack_whose_role_is_gone_is_removed_through_another(
    account: Emulated, run: Runner
) -> None:
    stack = deployed(account)
    other = account.client("iam").get_role(RoleName=account.role.rpartition("/")[2])["Role"]
    found = account.sandbox.cloudformation.stacks[stack]
    found.role = "arn:aws:iam::123456789012:role/gone"
    assert "role/gone is invalid or cannot be assumed" in run("--yes").failure
    assert run("--yes", "--role-arn", other["Arn"]).code == 0


@pytest.mark.parametrize("number", [1, EVERY])
def test_a_delete_whose_answer_is_lost_is_followed(
    account: Emulated, run: Runner, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    stack = deployed(account)
    with lossy(account.sandbox.endpoint.url) as network:
        # The search for leftovers does not use the query protocol, so it bypasses this network.
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", network.url)
        network.calls.add(("DeleteStack", EVERY))
        assert "127.0.0.1 cannot be reached (ConnectionClosedError)." in run("--yes").failure
        assert status(account, stack) == "CREATE_COMPLETE"
        network.calls.clear()
        network.answers.add(("DeleteStack", number))
        network.sent.clear()
        ran = run("--yes")
    assert (ran.code, ran.out) == CLEAN
    assert status(account, stack) == "DELETE_COMPLETE"


def test_a_delete_that_is_interrupted_says_what_may_be(account: Emulated) -> None:
    stack, lines = deployed(account), list[str]()
    client = account.client("cloudformation")
    found = describe(client, stack)
    assert found is not None

    def after(**given: object) -> None:
        raise KeyboardInterrupt

    client.meta.events.register("after-call.cloudformation.DeleteStack", after)
    with pytest.raises(KeyboardInterrupt):
        delete(client, found, Operator(tell=lines.append, here=Here("mine")), "")
    again = f"`dt-logs-cfn remove --stack {stack} --profile mine`"
    assert lines == [
        f"To check again later: {again}",
        f"AWS may already be deleting the stack {NAME}. If so, {again} follows the deletion;"
        " otherwise, it asks again.",
    ]
    account.sandbox.cloudformation.join()
    assert status(account, stack) == "DELETE_COMPLETE"
