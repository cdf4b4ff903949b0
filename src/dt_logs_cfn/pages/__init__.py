"""Make HTML pages that load no font, image or script from elsewhere.

In: the settings and the release's other files (`Contents`). Out: the text of a page.

Open `launch` first: it is the release's launch page. `launch.html` is its text, and `flow.html`
the drawing. The drawing and `markup` also serve the report of the rehearsal.
"""
