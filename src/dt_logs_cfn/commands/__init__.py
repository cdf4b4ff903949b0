"""Run one command a module: `configure` declares its arguments, `run` carries it out.

In: parsed arguments. Out: the result on stdout, progress on stderr, an exit code.
`dt_logs_cfn.cli.main` lists the commands; open it first.
"""
