"""Plan the handler's changes to an account, with the handler's own code; write nothing.

asked (the request) ─► operate.account (the state) ─► planned ─► diff; `commands.plan` shows it
"""
