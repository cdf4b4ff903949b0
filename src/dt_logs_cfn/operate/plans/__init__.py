"""Plan the handler's changes to an account with its own code; write nothing.

asked (the request) ─► operate.account (the state) ─► planned ─► diff ─► shown
"""
