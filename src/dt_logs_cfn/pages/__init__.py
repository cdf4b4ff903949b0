"""Make HTML pages that load no font, image or script from elsewhere.

In: the settings and the release's other files (`Contents`). Out: the text of a page.

Open `launch` first: it makes the release's launch page from `launch.html`. `flow.html` is the
drawing. The rehearsal's report also uses the drawing and `markup`.
"""
