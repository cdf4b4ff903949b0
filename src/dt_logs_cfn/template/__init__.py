"""Define the templates as typed objects, and read templates that others give us.

In: the `Settings`, and the handler's rights (`dt_logs_handler.grants`) and sources.
Out: troposphere templates, the policies that we publish, and resolved or checked parameter values.

    Settings ─► parameters ─┐
    GRANTS ─► *_policies ───┼─► resources ─► templates
    handler ─► embedding ───┘

Open `templates` first. `customizing` lets a customer's function change a template, and `added`
tells what that added. `parsing` reads any template, `declared` checks values for its parameters,
and `intrinsics` resolves its functions.
"""
