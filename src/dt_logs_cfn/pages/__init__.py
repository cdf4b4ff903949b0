"""Make HTML pages that do not load fonts, images or scripts from elsewhere.

In: a release's settings, other files and customization (`Contents`). Out: the text of a page.

Open `launch` first: it makes the release's launch page from `launch.html`. `flow.html` is a drawing
of how logs flow. The rehearsal's report also uses this drawing and `markup`.
"""
