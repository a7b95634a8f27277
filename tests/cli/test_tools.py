"""`agentplane mcp-servers` and `agentplane approvals`: what people type."""

from services.chassis.testing import TestPlatform
from tests.backend.test_tools import held_call
from tests.cli.conftest import Person


async def test_a_server_by_the_command(person: Person) -> None:
    url = "https://93.184.216.34/mcp"
    refused = await person.types("mcp-servers", "add", "crm", "https://10.0.0.1/mcp")
    assert refused.code != 0 and "10.0.0.1 is private" in refused.error
    options = ("--effect", "pay=irreversible", "--authorization-stdin")
    made = await person.types("mcp-servers", "add", "crm", url, *options, given="Bearer canary\n")
    assert made.code == 0 and "$AGENTPLANE_MCP_URL/crm" in made.out, made.error
    (server,) = (await person.types("mcp-servers", "list", "-o", "json")).json
    assert (server["effects"], server["has_authorization"]) == ({"pay": "irreversible"}, True)
    shown = await person.types("mcp-servers", "show", "crm")
    assert "pay=irreversible" in shown.out and "canary" not in shown.out
    assert (await person.types("mcp-servers", "update", "crm", "-e", "pay=sometimes")).code == 2
    assert (await person.types("mcp-servers", "update", "crm", "-e", "pay=write")).code == 0
    assert (await person.types("mcp-servers", "show", "crm", "-o", "json")).json["effects"] == {
        "pay": "write"
    }
    assert (await person.types("mcp-servers", "show", "nothing")).code == 3
    assert (await person.types("mcp-servers", "delete", "crm", "--yes")).code == 0
    assert (await person.types("mcp-servers", "list", "-o", "json")).json == []


async def test_the_inbox_by_the_command(person: Person, platform: TestPlatform) -> None:
    first, second = await held_call(platform, person.tenant), await held_call(platform, person.tenant)
    listed = await person.types("approvals", "list")
    assert "bank/pay" in listed.out and str(first) in listed.out
    shown = await person.types("approvals", "show", str(first))
    assert '"amount": 5' in shown.out and "a rule" in shown.out
    assert (
        await person.types("approvals", "approve", str(first), "-m", "ok")
    ).out == "bank/pay of a is approved\n"
    assert "is rejected" in (await person.types("approvals", "reject", str(second))).out
    assert (await person.types("approvals", "list", "-o", "json")).json == []
    states = {each["state"] for each in (await person.types("approvals", "list", "--all", "-o", "json")).json}
    assert states == {"approved", "rejected"}
    assert (await person.types("approvals", "reject", str(first))).code != 0
