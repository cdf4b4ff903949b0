"""What the handler would do in an account: read and planned by its own code, nothing written.

asked (the request) ─► operate.account (the state) ─► planned ─► diff ─► shown
"""
