"""Texts that may be anybody's, so that they cannot drive the terminal that shows them."""


def printable(text: str, instead: str = " ") -> str:
    """Return a text with something instead of each character that is none to be seen."""
    return "".join(c if c.isprintable() else instead for c in text)


def one_line(text: str) -> str:
    """Return the same as one line, with single spaces between words."""
    return " ".join(printable(text).split())
