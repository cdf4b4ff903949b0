"""Read an account, check whether logs flow, and show the checks.

look ─► seen ─► checks ─► shown
"""
