"""`remove`, against an emulated account over HTTP; the AWS CLI as another client of our stacks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rehearsal.shell import Shell
from support.commands import Ran, aws_cli
from support.drifts import denies
from support.emulated import BOTH, ENDPOINT, Emulated
from support.emulated import STACK as NAME
from support.lossy import EVERY, lossy

from dt_logs_cfn.cli.terminal import Here, Operator
from dt_logs_cfn.commands import deploy, remove
from dt_logs_cfn.operate.stacks.removing import delete
from dt_logs_cfn.operate.stacks.stack import describe
from dt_logs_cfn.settings import Privileges
from dt_logs_handler.names import load_balancer_name

CLEAN = (0, f"{NAME}: deleted, and the account is clean\n")
DOCUMENTED, LEAST = Privileges.DOCUMENTED, Privileges.LEAST_PRIVILEGE


def deployed(shell: Shell, privileges: Privileges = LEAST, name: str = NAME, **more: str) -> str:
    """Create a stack with one of the two privilege sets, and return its ID."""
    return shell.emulated.create_stack(name, shell.emulated.template(privileges), **more)


def removes(ran: Ran) -> list[str]:
    """Return what a removal announces to remove besides the stack's four resources."""
    return [line[6:] for line in ran.told.splitlines() if line.startswith("    - ")][4:]


def topics(shell: Shell) -> list[str]:
    return list(shell.account.world.topics)


def test_a_stack_is_shown_confirmed_deleted_and_the_account_is_clean(shell: Shell) -> None:
    before = shell.snapshot()
    stack = deployed(shell)
    bucket, made = shell.bucket(), shell.snapshot()
    refused = shell.remove(answers=["n"]).failure
    assert refused.startswith("It was not confirmed, so nothing was changed.")
    assert (shell.status(), shell.snapshot()) == ("CREATE_COMPLETE", made)
    ran = shell.remove(answers=["yes"])
    assert (ran.code, ran.failure, ran.out) == (0, "", CLEAN[1])
    assert shell.asked == [f"Delete the stack {NAME}? [y/N]"] * 2
    lines = ran.told.splitlines()
    assert lines[:4] == [
        "searching the account for what the stack set up",
        f"delete stack {NAME}, which is in CREATE_COMPLETE",
        f"  through   {shell.emulated.role}",
        "  Remove",
    ]
    assert removes(ran) == [
        f"the access logging of load balancer {load_balancer_name(shell.web)}",
        f"bucket {bucket}: it is empty, and nobody uses it",
        f"topic arn:aws:sns:us-east-1:123456789012:{NAME}-1-{bucket}: no other stack uses it",
    ]
    at = lines.index("  Keep")
    assert lines[at + 1 : at + 3] == [
        "    the bucket's name in the attributes of the load balancers, because AWS does not accept"
        " an empty one",
        f"    the service role {shell.emulated.role}",
    ]
    assert shell.status(stack) == "DELETE_COMPLETE"
    assert f"To check again later: `dt-logs-cfn remove --stack {stack}`" in lines
    after = shell.snapshot()
    for each in ("buckets", "topics", "functions", "log_groups"):
        assert after[each] == before[each]


def test_the_topic_of_a_bucket_that_is_gone_goes_as_was_said(shell: Shell) -> None:
    deployed(shell)
    bucket = shell.bucket()
    del shell.account.world.buckets[bucket]
    ran = shell.remove()
    (goes,) = (line for line in ran.told.splitlines() if line.startswith("    - topic "))
    assert goes.endswith(f":{NAME}-1-{bucket}: no other stack uses it")
    assert (ran.code, ran.out) == CLEAN
    assert topics(shell) == []


def test_what_the_role_may_not_delete_or_lambda_made_stays_and_is_announced(shell: Shell) -> None:
    """A stack that changes its privileges leaves some things that it made before."""
    deployed(shell, DOCUMENTED)
    shell.deploy("--privileges", LEAST.value)
    ran = shell.remove()
    (group,) = shell.emulated.sandbox.endpoint.deployed()["log_groups"]
    why = f"log group {group}: Lambda made it, so it is not a resource of the stack"
    assert (ran.code, f"    {why}" in ran.told.splitlines()) == (0, True)
    assert f"  stays    {why}" in ran.out.splitlines()

    stack = deployed(shell)
    shell.deploy("--privileges", DOCUMENTED.value)
    ran = shell.remove()
    (topic,) = topics(shell)
    inert = f"topic {topic}: no other stack uses it, and the stack's role may not delete it"
    assert (ran.code, f"    {inert}" in ran.told.splitlines()) == (0, True)
    again = shell.remove("--stack", stack, answers=[])
    assert (again.code, f"  stays    topic {topic}" in again.out) == (0, True)


def test_a_deleted_stack_s_leftovers_are_removed_if_that_is_agreed_to(shell: Shell) -> None:
    """The stack's role may not delete everything, so the operator's permissions are used."""
    stack = deployed(shell, DOCUMENTED)
    bucket = shell.bucket()
    shell.account.write_log(shell.web)
    ran = shell.remove()
    (topic,) = topics(shell)
    assert f"           aws sns delete-topic --topic-arn {topic}" in ran.out.splitlines()
    assert "aws logs delete-log-group --log-group-name /aws/lambda/" in ran.out
    ran = shell.remove("--stack", stack, "--json", answers=["y"])
    assert shell.asked == ["Remove these? [y/N]"]
    found = json.loads(ran.out)
    assert [each["what"] for each in found["removed"]] == ["topic", "log group"]
    assert [(each["what"], each["name"]) for each in found["left"]] == [("bucket", bucket)]
    assert (ran.code, found["clean"]) == (0, True)
    assert topics(shell) == []
    assert shell.emulated.sandbox.endpoint.deployed()["log_groups"] == {}
    again = shell.remove("--stack", stack, "--leftovers", answers=[])
    assert (again.out.count("\n"), f"  stays    bucket {bucket}: " in again.out) == (2, True)


def test_a_topic_with_somebody_else_s_subscription_stays(shell: Shell) -> None:
    deployed(shell, DOCUMENTED)
    (topic,) = topics(shell)
    shell.account.confirm(ENDPOINT)
    queue = "arn:aws:sqs:us-east-1:123456789012:mine"
    shell.account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    ran = shell.remove("--leftovers")
    assert f"stays    topic {topic}: somebody else is subscribed to it" in ran.out
    assert "removed  subscription " in ran.out
    assert [each.endpoint for each in shell.account.world.subscriptions.values()] == [queue]


def test_what_another_stack_uses_stays_until_that_one_goes(shell: Shell) -> None:
    """Removing the last stack also removes the first stack's resources, and says so."""
    before = shell.snapshot()
    deployed(shell)
    bucket = shell.bucket()
    deployed(shell, name=f"{NAME}-2")
    ran = shell.remove()
    assert f"    bucket {bucket}: another stack uses it" in ran.told.splitlines()
    assert f"  stays    bucket {bucket}: another stack uses it" in ran.out.splitlines()
    assert ran.code == 0
    ran = shell.remove("--stack", f"{NAME}-2")
    assert removes(ran) == [
        "the access logging (turned on by a stack that no longer uses it) of load balancer"
        f" {load_balancer_name(shell.web)}",
        f"bucket {bucket}: it is empty, and nobody uses it; a stack that no longer uses it created"
        " it",
        f"topic arn:aws:sns:us-east-1:123456789012:{NAME}-1-{bucket}: no other stack uses it",
    ]
    assert (ran.code, ran.out) == (0, f"{NAME}-2: deleted, and the account is clean\n")
    assert shell.snapshot()["buckets"] == before["buckets"]


def test_a_bucket_with_logs_stays_and_goes_with_any_stack_once_it_is_empty(shell: Shell) -> None:
    """If a stack's Delete does not run the function, the stack takes nothing over."""
    deployed(shell)
    bucket = shell.bucket()
    assert shell.account.write_log(shell.web)
    ran = shell.remove()
    assert f"    bucket {bucket}: it holds logs, which are yours" in ran.told.splitlines()
    assert (ran.code, ran.out) == (
        0,
        f"{NAME}: deleted; these are meant to stay:\n  stays    bucket {bucket}:"
        " it holds logs, which are yours; empty and delete it when you like (its tag"
        " dt-logs-analysis:left says: holds logs or earlier versions of objects)\n",
    )
    failed = deployed(shell, LoadBalancerArns=shell.web.replace("/web/", "/wob/"))
    assert shell.status() == "ROLLBACK_COMPLETE"
    for each in shell.snapshot()["buckets"][bucket]["objects"]:
        shell.account.s3.delete_object(Bucket=bucket, Key=each)
    ran = shell.remove()
    assert bucket not in ran.told
    assert (ran.code, ran.out) == CLEAN
    assert shell.remove("--stack", failed, answers=[]).out == ran.out
    assert bucket in shell.account.world.buckets

    deployed(shell, LoadBalancerArns=shell.account.add_load_balancer("other"))
    ran = shell.remove()
    made = "a stack that no longer uses it created it"
    goes = f"    - bucket {bucket}: it is empty, and nobody uses it; {made}"
    assert goes in ran.told.splitlines()
    assert (ran.code, ran.out) == CLEAN
    assert bucket not in shell.account.world.buckets


def test_a_topic_whose_users_cannot_be_told_is_not_removed(shell: Shell) -> None:
    """Only the bucket's policy names the topic's users, and the operator may not read it."""
    for name in (NAME, f"{NAME}-2"):
        deployed(shell, DOCUMENTED, name=name)
    before = topics(shell)
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    shell.act_as(everything, {**everything, "Effect": "Deny", "Action": "s3:GetBucketPolicy"})

    assert shell.remove("--leftovers").code == 1
    assert topics(shell) == before


def test_a_delete_that_fails_tells_the_reason_first(shell: Shell) -> None:
    stack, iam = deployed(shell), shell.emulated.client("iam")
    named = {"RoleName": shell.emulated.role.rpartition("/")[2], "PolicyName": "no"}
    iam.put_role_policy(**named, PolicyDocument=json.dumps(denies("lambda:DeleteFunction")))
    ran = shell.remove()
    assert ran.failure.startswith("DTLogsAnalysisLambdaFunction failed: ")
    assert "lambda:DeleteFunction" in ran.failure
    assert ran.failure.endswith(
        f"The stack {NAME} is in DELETE_FAILED. Correct that, and remove the stack again. To delete"
        " the stack and keep DTLogsAnalysisLambdaFunction: `aws cloudformation delete-stack"
        f" --stack-name {NAME} --retain-resources DTLogsAnalysisLambdaFunction`."
    )
    iam.delete_role_policy(**named)
    role = shell.emulated.sandbox.cloudformation.stacks[stack]
    role.role = "arn:aws:iam::123456789012:role/gone"
    assert "role/gone is invalid or cannot be assumed" in shell.remove().failure
    assert shell.remove("--role-arn", shell.emulated.role).code == 0
    assert shell.status(stack) == "DELETE_COMPLETE"


DEPLOYS = {
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate",
    "cloudformation:ListChangeSets",
}
REMOVES = {
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
}


def test_the_rights_that_the_guide_names_are_enough_and_needed(shell: Shell) -> None:
    """`deploy` needs its permissions only on its stack, and iam:PassRole on the service role."""
    guide = (Path(__file__).parents[2] / "docs" / "customer.md").read_text("utf-8")
    begun = list[int]()

    def acts(rights: set[str], resource: str, *more: dict[str, str]) -> None:
        begun.append(len(shell.emulated.sandbox.calls))
        shell.act_as({"Effect": "Allow", "Action": sorted(rights), "Resource": resource}, *more)
        assert all(f"`{each.partition(':')[2]}`" in guide for each in rights)

    def asked() -> set[str]:
        made = shell.emulated.sandbox.calls[begun[-1] :]
        calls = [each for each in made if each.caller == "person"]
        return {each.action for call in calls for each in call.decisions} - {"iam:PassRole"}

    here = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/*"
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": shell.emulated.role}
    acts(DEPLOYS, here, passing)
    ran = shell.deploy(*shell.first(), answers=["no"])
    assert (ran.code, ran.out, "create stack" in ran.told) == (3, "", True)
    assert shell.stacks() == []
    assert shell.deploy(*shell.first()).code == 0
    assert shell.deploy("--parameter", "RunToken=2").code == 0
    assert asked() == DEPLOYS

    shell.account.add_bucket("somebody-else-s")
    acts(REMOVES, "*")
    ran = shell.remove()
    assert (ran.code, ran.out) == CLEAN
    assert asked() == REMOVES


def test_marks_that_are_left_are_findings(shell: Shell) -> None:
    """The stack is deleted without its custom resource, so all that the function set up stays."""
    stack = deployed(shell)
    del shell.emulated.sandbox.cloudformation.stacks[stack].resources["InvokeLambdaFunction"]
    ran = shell.remove()
    lines = ran.out.splitlines()
    assert (ran.code, lines[0]) == (1, f"{NAME}: deleted; look at:")
    statement = "1 statement of the stack in its policy; remove from the policy"
    for left in ("load balancer app/web/", f"bucket {shell.bucket()}: {statement}", "topic "):
        assert any(line.startswith(f"  LEFT     {left}") for line in lines)


ELSEWHERE = "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1"
NOT_OURS = "The stack service-role does not onboard load balancers. Name another with --stack."


@pytest.mark.parametrize(
    ("command", "name", "failure"),
    [
        (
            *(remove, "never"),
            "There is no stack never in this account and region. Check --stack, --profile and"
            " --region; use the stack ID for a deleted stack.",
        ),
        (
            *(remove, ELSEWHERE),
            f"No stack in this account and region has the ID '{ELSEWHERE}'. Give the whole ID, and"
            " use credentials of account 123456789012 and --region eu-west-1.",
        ),
        (remove, "service-role", NOT_OURS),
        (deploy, "service-role", NOT_OURS),
    ],
)
def test_no_other_stack_is_touched(
    shell: Shell, command: ModuleType, name: str, failure: str
) -> None:
    argv = shell.first()[2:] if command is deploy else []
    assert shell.run(command, *argv, "--stack", name).failure == failure
    assert shell.status("service-role") == "CREATE_COMPLETE"


@pytest.mark.parametrize("number", [1, EVERY])
def test_a_delete_whose_answer_is_lost_is_followed(shell: Shell, number: int) -> None:
    stack = deployed(shell)
    with lossy(shell.emulated.sandbox.endpoint.url) as network:
        # The search for leftovers does not use the query protocol, so it bypasses this network.
        shell.environment.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", network.url)
        network.calls.add(("DeleteStack", EVERY))
        assert "127.0.0.1 cannot be reached (ConnectionClosedError)." in shell.remove().failure
        assert shell.status(stack) == "CREATE_COMPLETE"
        network.calls.clear()
        network.answers.add(("DeleteStack", number))
        network.sent.clear()
        ran = shell.remove()
    assert (ran.code, ran.out) == CLEAN
    assert shell.status(stack) == "DELETE_COMPLETE"


def test_a_delete_that_is_interrupted_says_what_may_be(shell: Shell) -> None:
    stack, lines = deployed(shell), list[str]()
    client = shell.emulated.client("cloudformation")
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
    assert shell.stacks() == []


def cloudformation(account: Emulated, *argv: str) -> Any:
    """Run `aws cloudformation`, and return its parsed answer."""
    command = [aws_cli(), "cloudformation", *argv, "--output", "json"]
    done = subprocess.run(command, env=account.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout


def test_the_aws_cli_deploys_and_deletes_stacks_that_we_update_and_remove(shell: Shell) -> None:
    account = shell.emulated
    proposed = cloudformation(
        account,
        *("deploy", "--no-execute-changeset", "--stack-name", NAME),
        *("--template-file", str(shell.release / "dt-logs-analysis.template.json")),
        *("--role-arn", account.role, "--capabilities", *BOTH, "--parameter-overrides"),
        *(f"LoadBalancerArns={shell.web}", "DataTheoremAccountId=999988887777"),
        "NotificationEndpoint=https://logs.example.com/in",
    )
    cloudformation(account, "execute-change-set", "--change-set-name", proposed.split()[-1])
    # The AWS CLI polls only every 30 seconds, so finish the creation before its first poll.
    account.sandbox.cloudformation.join()
    cloudformation(account, "wait", "stack-create-complete", "--stack-name", NAME)
    updated = json.loads(shell.deploy("--parameter", "RunToken=2", "--json").out)
    assert (updated["result"], updated["stack"]["status"]) == ("updated", "UPDATE_COMPLETE")
    events = cloudformation(account, "describe-stack-events", "--stack-name", NAME)["StackEvents"]
    assert events[0]["ResourceStatus"] == "UPDATE_COMPLETE"
    removed = json.loads(shell.remove("--json").out)
    assert (removed["clean"], removed["left"]) == (True, [])
    gone = cloudformation(account, "list-stacks", "--stack-status-filter", "DELETE_COMPLETE")
    assert [each["StackName"] for each in gone["StackSummaries"]] == [NAME]

    made = json.loads(shell.deploy(*shell.first(), "--json").out)["stack"]["id"]
    cloudformation(account, "delete-stack", "--stack-name", NAME)
    account.sandbox.cloudformation.join()
    cloudformation(account, "wait", "stack-delete-complete", "--stack-name", made)
    assert json.loads(shell.remove("--stack-name", made, "--json").out)["left"] == []
