"""Operating stacks with the operator's own credentials: what a command shows, asks and follows.

    plan         asked ─► planned ─► plan_diff, stack_diff ─► plan_shown
    deploy       values ─► proposing ─► change_sets ─► confirmed? ─► following ─► stack_events
    --stack-set  rollout ─► stack_set_plan ─► stack_set_intention ─► confirmed? ─► stack_set_run
                 ─► stack_set_following ─► stack_set_report
    status       look ─► seen ─► checks ─► status_shown
    remove       marks_read ─► marks ─► confirmed? ─► deleting ─► following ─► marks_read

What is shown is data first, apart from the calls; clock, sleep, screen and keyboard are given.
"""
