"""Make HTML pages that do not load fonts, images or scripts from elsewhere.

In: the settings, the release's other files and its customization (`Contents`). Out: a page's text.

Open `launch` first: it makes the release's launch page from `launch.html`. `flow.html` is a drawing
of how logs flow. The rehearsal's report also uses this drawing and `markup`.
"""
