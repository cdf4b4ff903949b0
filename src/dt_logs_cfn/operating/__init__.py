"""Operating stacks with the operator's own credentials: what a command shows, asks and follows.

    values ─► proposing ─► change_sets ─► confirmed? ─► following ─► stack_events
    (checked)  (AWS makes   (as text)                    (live)       (the cause, first)
               a change set)

What is shown is data first, apart from the calls; clock, sleep, screen and keyboard are given.
"""
