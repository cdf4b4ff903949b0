"""Compare IAM's patterns: `*`, `?`, characters, and symbols for unknown values.

A symbol, such as `<AWS::Region>`, is one element of a pattern, longer than a character. It stands
for a string that only the customer's account knows, and always for the same string.
"""

from functools import lru_cache

Pattern = tuple[str, ...]

_FRESH = "\uffff"  # a character that IAM does not accept in a policy
_RUN = [_FRESH] * 16  # longer than any run of `?` in our patterns


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Return whether `wide` matches everything that `narrow` matches; never wrongly true."""
    # Only `*` matches the stand-in for `*`. Only `*` and `?` match the stand-in for `?`.
    letters = {"*": "**", "?": _FRESH}
    return _meet(wide, tuple(letters.get(each, each) for each in narrow))


def may_cover(wide: Pattern, narrow: Pattern) -> bool:
    """Return whether `wide` may match everything that `narrow` matches; never wrongly false.

    If false, `narrow` matches a string that `wide` does not, whatever the symbols stand for.
    """
    texts = {"*": _RUN, "?": [_FRESH]}
    tried = [letter for each in narrow for letter in texts.get(each, [each])]
    one, other = (tuple("*" if len(a) > 1 else a for a in letters) for letters in (wide, tried))
    return _meet(one, other)


@lru_cache(1 << 16)
def _meet(one: Pattern, other: Pattern) -> bool:
    """Return whether some string matches both patterns; a symbol is a single letter."""
    reached = [True] + [False] * len(other)
    for a in (*one, ""):
        following = [False] * len(reached)
        for place, b in enumerate((*other, "")):
            if not reached[place]:
                continue
            if "*" in (a, b):  # the `*` ends here, or matches the other's letter
                following[place] = bool(a)
                if b:
                    reached[place + 1] = True
            elif a and b and (a == b or (len(a) == len(b) == 1 and "?" in (a, b))):
                following[place + 1] = True
        if a:
            reached = following
    return reached[-1]
