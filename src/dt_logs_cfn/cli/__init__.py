"""Parse the command line, and provide the parts that all commands share.

In: the command-line arguments. Out: an exit code. Each command is a module of
`dt_logs_cfn.commands`.

Open `main` first. `parsing` extends argparse. `terminal` prints results, shows progress, asks
questions, adds `--profile` and `--region` to suggested commands, and makes untrusted text safe to
show.
"""
