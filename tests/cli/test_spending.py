"""`agentplane budgets`, `policy`, `prices`, `stop` and `start-org`: dollars, files, and everything ended."""

from pathlib import Path

import pytest
import typer
from agentplane_cli.amounts import nano, per_million

from tests.cli.conftest import Person


async def test_budgets_by_the_command(person: Person) -> None:
    assert (await person.types("budgets", "list", "-o", "json")).json == []
    made = await person.types("budgets", "set", "--cost", "$12.50", "--period", "month")
    assert made.out == "the organisation: $0 of $12.5 per month\n", made.error
    assert (await person.types("budgets", "set", "--cost", "lots")).code != 0
    (budget,) = (await person.types("budgets", "list", "-o", "json")).json
    assert budget["cost_nano"] == 12_500_000_000
    assert "$0 of $12.5" in (await person.types("budgets", "list")).out
    assert (await person.types("budgets", "delete")).code == 0
    assert (await person.types("budgets", "delete")).code != 0


async def test_policies_by_the_command(person: Person) -> None:
    file = person.home / "policy.yaml"
    file.write_text("models: [scripted/*]\ntools:\n  - tool: bank/*\n    action: approve\n")
    assert (await person.types("policy", "set", str(file))).code == 0
    shown = (await person.types("policy", "show")).json
    assert (shown["models"], shown["tools"][0]["action"]) == (["scripted/*"], "approve")
    deployed = await person.types("deploy-agent", "--name", "careful", "--policy", str(file), "--no-wait")
    assert deployed.code == 0 and "--policy" in deployed.out, deployed.error
    file.write_text("models: []")
    changed = await person.types("policy", "set", str(file), "--agent", "careful")
    assert changed.out == "careful has the policy from version 2 on\n", changed.error
    assert (await person.types("policy", "show", "--agent", "careful")).json["models"] == []
    assert (await person.types("policy", "delete", "--agent", "careful")).code == 0
    assert (await person.types("policy", "delete")).code == 0
    file.write_text("- no")
    assert "holds no policy" in (await person.types("policy", "set", str(file))).error
    assert "cannot be read" in (await person.types("policy", "set", str(Path("nowhere")))).error


async def test_prices_by_the_command(person: Person) -> None:
    shown = await person.types("prices", "show", "gpt-4o-mini-2024-07-18")
    assert "$0.15" in shown.out and "built-in" in shown.out, shown.error
    assert "gpt-4o-mini" in (await person.types("prices", "list")).out
    refused = await person.types("prices", "set", "mine", "--input", "1", "--output-tokens", "2")
    assert refused.code != 0 and "prices:write" in refused.error


async def test_a_stop_by_the_command(person: Person) -> None:
    assert (await person.types("stop", "it bites")).code != 0
    stopped = await person.types("stop", "it bites", "--yes")
    assert stopped.out == "the organisation is stopped; 0 executions were ended\n", stopped.error
    refused = await person.types("run", "careful", "--input", "{}")
    assert refused.code != 0
    assert (await person.types("start-org")).out == "the organisation's agents may work again\n"


def test_money_is_exact() -> None:
    assert nano("0.1") == 100_000_000 and nano("$1,000") == 10**12
    assert per_million("0.15") == 150
    for bad in ("-1", "NaN", "1e30", "x"):
        with pytest.raises(typer.BadParameter):
            nano(bad)
