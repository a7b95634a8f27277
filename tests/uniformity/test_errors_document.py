"""docs/errors.md and the drawing in the error tree's docstring say what the classes are."""

import re

from scaffold.errors import DOCUMENT, document
from services.chassis import errors
from tests.uniformity.source import ROOT


def test_the_document_is_made_from_the_tree() -> None:
    there = (ROOT / "docs" / DOCUMENT.name).read_text(encoding="utf-8")
    assert there == document(), "run `python -m scaffold.errors`"


def test_the_drawing_shows_every_error() -> None:
    drawn = re.findall(r"(\w+) +(\d{3})  (\w+)$", errors.__doc__ or "", re.M)
    real = [
        (error.__name__, str(error.status), error.code)
        for error in errors.tree()
        if error.__module__ == errors.__name__
    ]
    assert drawn == real


def test_codes_are_unique() -> None:
    codes = [error.code for error in errors.tree() if "code" in vars(error)]
    assert len(set(codes)) == len(codes)
