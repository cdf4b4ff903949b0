"""Find out with the handler's own code what it would do in an account; write nothing.

asked (the request) ─► operate.account (the state) ─► planned ─► diff ─► shown
"""
