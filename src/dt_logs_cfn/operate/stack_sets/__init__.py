"""A stack in each account and region of an organisation, by a CloudFormation StackSet.

rolling_out  rollout ─► plan ─► intention ─► confirmed? ─► run ─► following ─► report
"""
