"""No route is left out of the drill at the border of organisations."""

from tests.backend.crossing import OF_AN_ORGANISATION, OF_THE_PLATFORM, PARAMETER, SMALL_NUMBERS
from tests.backend.test_bad_input import GUARDED


def test_the_drill_has_somebody_elses_id_for_every_parameter() -> None:
    known = OF_AN_ORGANISATION | OF_THE_PLATFORM | SMALL_NUMBERS
    unknown = {
        f"{method} {path}: {name}"
        for method, path in GUARDED
        for name in PARAMETER.findall(path)
        if name not in known
    }
    assert not unknown, f"make_victim in tests/backend/crossing.py has none of these: {sorted(unknown)}"
