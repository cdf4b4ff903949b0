"""Build a release from the templates, write it to disk, and check it.

In: the `Settings`. Out: a `Release` (file names and their bytes), a folder on disk, and findings.
The same input gives the same bytes on every machine.

    build ─► Release ─► folder (write, compare, mark as released)
    lint ─► Finding …

Open `build` first. `catalogue` models `versions.json`, the list of published versions.
"""
