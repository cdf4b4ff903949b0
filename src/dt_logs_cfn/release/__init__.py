"""Build a release from the templates: its files, and the checks that it must pass.

In: the `Settings`. Out: a `Release`, which is file names and their bytes; a folder on disk;
findings. The same settings give the same bytes on every machine.

    build ─► Release ─► folder (write, compare) ─► ledger (released versions never change)
    lint, rules ─► Finding …

Open `build` first. `catalogue` is the data of `versions.json`, which lists what was published.
"""
