"""Parse the command line, and hold what all commands share.

In: the words of the command line. Out: an exit code. Each command is a module of
`dt_logs_cfn.commands`.

Open `main` first. `parsing` and `aws_options` are for commands with arguments. `terminal` prints
results, shows progress, asks questions, and makes untrusted text safe to show.
"""
