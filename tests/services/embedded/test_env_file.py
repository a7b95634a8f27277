"""`.env` is made once, private, from `.env.example`; later only what is missing is added."""

import base64
from pathlib import Path

from services.contracts.catalog import CALLERS
from services.embedded.env_file import PLACEHOLDER, complete_env, read_env
from services.embedded.settings import key_variable

EXAMPLE = Path(__file__).parents[3] / ".env.example"


def test_a_new_file_is_private_and_every_secret_is_random(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        complete_env(path, EXAMPLE, known={})
    assert one.stat().st_mode & 0o777 == 0o600
    asked = [name for name, value in read_env(EXAMPLE).items() if value == PLACEHOLDER]
    secrets = [read_env(one)[name] for name in asked]
    assert len(set(secrets)) == len(asked) > 30
    assert all(len(base64.b64decode(secret, validate=True)) == 32 for secret in secrets)
    assert not set(secrets) & set(read_env(other).values())
    assert PLACEHOLDER not in read_env(one).values()


def test_what_a_person_wrote_is_never_changed_and_what_is_missing_is_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    mine = (
        "# mine\nAGENTPLANE_PORT_BASE=10000\nexport OPENAI_API_KEY='sk-1 # no comment'\nOWN = x # a comment\n"
    )
    path.write_text(mine)
    written = complete_env(path, EXAMPLE, known={})
    assert path.read_text().startswith(mine)
    assert "AGENTPLANE_PORT_BASE" not in written
    assert "AGENTPLANE_JWT_SECRET_KEY" in written
    present = read_env(path)
    assert present["OPENAI_API_KEY"] == "sk-1 # no comment"
    assert present["OWN"] == "x"
    assert read_env(EXAMPLE).keys() <= present.keys()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert complete_env(path, EXAMPLE, known={}) == []
    assert path.read_bytes() == before


def test_a_secret_that_the_data_was_written_under_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    complete_env(path, EXAMPLE, known={"AGENTPLANE_SECRETS_MASTER_KEY": "kept"})
    assert read_env(path)["AGENTPLANE_SECRETS_MASTER_KEY"] == "kept"


def test_the_example_has_one_key_for_each_caller_of_the_catalog() -> None:
    keys = {name for name in read_env(EXAMPLE) if name.startswith(key_variable(""))}
    assert keys == {key_variable(caller) for caller in CALLERS}
