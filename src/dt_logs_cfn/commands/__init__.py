"""The commands, one in each module: `configure` declares the arguments, `run` runs the command.

In: parsed arguments. Out: the result on stdout, progress on stderr, an exit code.
`dt_logs_cfn.cli.main` lists the commands; open it first.
"""
