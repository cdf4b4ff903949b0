"""Read an account, and check whether logs flow; `commands.status` shows the checks.

look ─► seen ─► checks
"""
