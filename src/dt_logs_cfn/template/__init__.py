"""Define the templates as typed objects, and read untrusted templates.

In: the `Settings`, and the handler's sources.
Out: troposphere templates, the policies that we publish, and resolved or checked parameter values.

    Settings ─► parameters ─┐
    grants ─► role_policies ┼─► templates
    handler ─► embedding ───┘

Open `templates` first. `customizing` lets a customer's function change a template, and finds what
it adds. `parsing` reads an untrusted template and its policy statements. `intrinsics` checks
parameter values, and resolves CloudFormation functions.
"""
