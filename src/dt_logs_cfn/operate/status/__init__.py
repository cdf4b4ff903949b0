"""Whether logs flow: looked at, judged check by check, shown.

look ─► seen ─► checks ─► shown
"""
