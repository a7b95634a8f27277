"""Time travel from the command line, as far as it goes without an agent that runs."""

from tests.cli.conftest import Person
from tests.cli.test_agents import deploy


async def test_forks_hang_in_a_tree(person: Person) -> None:
    await deploy(person, "walker")
    source = (await person.types("run", "walker", "--input", "hi", "--no-wait")).out.strip()
    forked = await person.types("fork", source, "--at", "1", "-n", "2", "--no-wait")
    assert forked.code == 0, forked.error
    forks = forked.out.split()
    assert len(forks) == 2
    tree = (await person.types("tree", forks[1])).out.splitlines()
    assert tree[0].startswith(source) and tree[2].startswith(f"  fork at step 1: {forks[1]}")
    assert tree[2].endswith("←")
    compared = await person.types("diff", source, forks[0])
    assert "the first 0 are the same" in compared.out
    shown = (await person.types("executions", "show", forks[0])).out
    assert f"fork of {source} at step 1" in shown and "all that left the agent" in shown


async def test_what_is_wrong_is_said(person: Person) -> None:
    await deploy(person, "stander")
    source = (await person.types("run", "stander", "--input", "hi", "--no-wait")).out.strip()
    running = await person.types("replay", source)
    assert running.code == 5 and "once it has ended" in running.error
    late = await person.types("fork", source, "--at", "9", "--no-wait")
    assert late.code != 0 and "at_step must be at most 1" in late.error
    for wrong in ("model=x", "1=x", "x/model=y"):
        refused = await person.types("fork", source, "--edit", wrong)
        assert refused.code == 2 and "STEP/PATH=JSON" in refused.error
    assert (await person.types("masks", "list", "stander", "-o", "json")).json == []
    for words, why in (
        (["fork"], "name an EXECUTION"),
        (["fork", source, "--search", "tool=x"], "takes no EXECUTION"),
        (["fork", "--search", "tool"], "NAME=VALUE"),
        (["fork", "--agent", "stander", "--edit", "1/model=x"], "is not /PATH=JSON"),
        (["fork", "--agent", "stander", "--expect", "is=1"], "contains=TEXT"),
    ):
        refused = await person.types(*words)
        assert refused.code == 2 and why in refused.error, (words, refused.error)
    none = await person.types("fork", "--agent", "stander", "--model", "m")
    assert none.code != 0 and "no execution that has ended" in none.error
    estimate = await person.types("fork", "--agent", "stander", "--model", "m", "--estimate", "-o", "json")
    assert estimate.json["executions"] == 0
    assert (await person.types("bulk-forks", "list", "-o", "json")).json == []
    declared = await person.types("masks", "declare", "stander", "/id", "[0-9]+", "--tool", "crm/pay")
    assert declared.code == 0 and "crm/pay /id [0-9]+ is approved" in declared.out, declared.error
    assert (await person.types("masks", "list", "stander", "-o", "json")).json[0]["tool"] == "crm/pay"
    assert (await person.types("decide", source, "live")).code == 5
