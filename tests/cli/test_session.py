"""Logging in, staying so, and what a command says when it may not."""

import json
import stat
import time

from tests.cli.conftest import Person


async def test_a_login_lasts_renews_itself_and_ends(stranger: Person) -> None:
    refused = await stranger.types("whoami")
    assert refused.code == 4
    assert "try: agentplane login" in refused.error
    await stranger.logs_in()
    path = stranger.home / "agentplane" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    me = (await stranger.types("whoami", "-o", "json")).json
    assert me["label"] == stranger.tenant.email

    # The access token runs out: the next command renews it, and nobody notices.
    config = json.loads(path.read_text())
    before = dict(config["sessions"][stranger.url])
    config["sessions"][stranger.url] |= {"expires_at": time.time() - 1, "access_token": "old"}
    path.write_text(json.dumps(config))
    assert stranger.tenant.email in (await stranger.types("whoami")).out
    after = json.loads(path.read_text())["sessions"][stranger.url]
    assert after["refresh_token"] != before["refresh_token"]

    # The address is remembered with the session.
    stranger.environment = {"AGENTPLANE_URL": ""}
    assert (await stranger.types("whoami")).code == 0
    assert (await stranger.types("logout")).code == 0
    assert (await stranger.types("whoami")).code in {4, 6}


async def test_a_wrong_password_says_so(stranger: Person) -> None:
    done = await stranger.types(
        "login", "--email", stranger.tenant.email, "--password-file", "-", given="wrong\n"
    )
    assert done.code == 4
    assert done.error.startswith("error: ")
    assert "cause: bad_credentials; request " in done.error


async def test_nobody_answers(stranger: Person) -> None:
    done = await stranger.types("--url", "http://127.0.0.1:9", "--api-key", "x", "agents", "list")
    assert done.code == 6
    assert "does not answer" in done.error


async def test_keys_are_made_shown_once_and_revoked(stranger: Person) -> None:
    await stranger.logs_in()
    made = await stranger.types("api-keys", "create", "ci", "--scope", "agents:read")
    key = made.out.strip()
    assert key.startswith("ap_live_")
    assert "agents:read" in made.error
    assert (await stranger.types("--api-key", key, "agents", "list", "-o", "json")).json == []
    forbidden = await stranger.types("--api-key", key, "api-keys", "list")
    assert forbidden.code == 4
    assert "api_keys:read" in forbidden.error
    listed = (await stranger.types("api-keys", "list", "-o", "json")).json
    assert key not in json.dumps(listed)
    (mine,) = [each for each in listed if each["name"] == "ci"]
    assert (await stranger.types("api-keys", "revoke", mine["id"])).code == 0
    time.sleep(1.1)
    assert (await stranger.types("--api-key", key, "agents", "list")).code == 4


async def test_usage_errors_end_with_2(stranger: Person) -> None:
    assert (await stranger.types("agents", "lst")).code == 2
    assert (await stranger.types("deploy-agent")).code == 2
    assert (await stranger.types("login")).code == 2
    assert (await stranger.types("--version")).out.startswith("agentplane ")
