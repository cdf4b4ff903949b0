"""Make HTML pages that load no font, image or script from elsewhere.

In: the settings, the release's other files and its customization (`Contents`). Out: a page's text.

Open `launch` first: it makes the release's launch page from `launch.html`. `flow.html` is the
drawing of how logs flow. The rehearsal's report also uses the drawing and `markup`.
"""
