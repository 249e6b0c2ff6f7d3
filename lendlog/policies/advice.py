"""What to do about each finding."""

_DATES = (
    "Let each row begin on the day after the one before it ends, the first reach back far enough, and the last have no "
    "end."
)
_BANDS = (
    "Let each band begin (at_least) where the one before it ends (below); the first has no at_least, the last no below."
)
_ADVICE = {
    "not-readable": "Name a file that is there and that you may read, in UTF-8.",
    "not-yaml": "Mend the YAML at this line; a text with `: ` or `#` in it stands in quotes.",
    "unknown-kind": "Copy a file of the house of the kind that you mean, and change that.",
    "key-twice": "Remove one: of two the last would win, and nobody would see it.",
    "key-missing": "Add the key, as the house's file of this kind has it.",
    "unknown-key": "Remove the key, or correct how it is written.",
    "bad-value": "Write a value of the kind that is asked for; figures with decimals as strings.",
    "policy-refused": _DATES,
    "policy-gap": _DATES,
    "policy-overlap": _DATES,
    "policy-reversed": "Let the row end on or after the day on which it begins.",
    "cap-gap": "Let the following row begin on the day after this one ends.",
    "rate-cap-rows-overlap": "Let one end on the day before the other begins, or take the product kind out of one.",
    "band-gap": _BANDS,
    "band-overlap": _BANDS,
    "band-reversed": "Let the band begin below where it ends.",
    "id-twice": "Give each its own; a changed rule is a new version with a new date.",
    "version-twice": "Give the changed rule a new version and a date of its own.",
    "unknown-scorecard": "Name a scorecard as name@version that is there, or check its file together with this one.",
    "unknown-attribute": "Ask only for attributes that applications are measured by.",
    "unknown-reference": "Add the reference rate with its dated values, or name one that is there.",
    "steps-not-ascending": "Let the first step begin where a case opens, and each later one on a later day.",
    "window-at-night": "Keep the window between 05:00 and 23:00, outside of the hours in which clocks change.",
}


def advice(rule: str) -> str:
    """What to do, a sentence."""
    return _ADVICE.get(rule, "Correct the value that is named.")
