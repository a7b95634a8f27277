"""`agentplane webhooks`: made, listed, changed and deleted; a private address is refused."""

from tests.cli.conftest import Person


async def test_a_webhook_by_the_command(person: Person) -> None:
    refused = await person.types("webhooks", "create", "https://10.0.0.1/")
    assert refused.code != 0 and "10.0.0.1 is private" in refused.error
    made = await person.types("webhooks", "create", "https://1.1.1.1/hook", "--event", "agent.*")
    assert made.code == 0, made.error
    assert made.out.startswith("whsec_") and "not shown again" in made.error
    (hook,) = (await person.types("webhooks", "list", "-o", "json")).json
    assert (hook["url"], hook["event_types"]) == ("https://1.1.1.1/hook", ["agent.*"])
    rotated = await person.types("webhooks", "rotate", hook["id"], "--overlap", "60")
    assert rotated.out.startswith("whsec_") and rotated.out != made.out
    off = await person.types("webhooks", "update", hook["id"], "--disable", "--event", "execution.changed")
    assert "disabled (by_user)" in off.out
    shown = await person.types("webhooks", "show", hook["id"])
    assert "execution.changed" in shown.out
    assert (await person.types("webhooks", "test", hook["id"])).code != 0
    assert (await person.types("webhooks", "deliveries", hook["id"], "-o", "json")).json == []
    assert (await person.types("webhooks", "delete", hook["id"], "--yes")).code == 0
    assert (await person.types("webhooks", "list", "-o", "json")).json == []
