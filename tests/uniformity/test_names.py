"""A file is named after a noun: what is put into `utils` is looked for in vain."""

from tests.uniformity.source import PRODUCT, python_files

NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "stuff"}


def test_no_file_and_no_folder_is_nameless() -> None:
    found = [
        str(path) for path in python_files(*PRODUCT, "tests") if NAMELESS & {path.stem, *path.parts[:-1]}
    ]
    assert not found
