"""Policies, compiled: a pure decision about a model's name or a tool call."""

from dataclasses import dataclass
from typing import Any

import orjson

from services.chassis.patterns import Pattern, glob
from services.contracts.spending import Action, ArgumentRule, Policy, ToolRule
from services.contracts.steps import Effect

REMEMBERED = 500
# The stricter of two decisions counts.
STRICTNESS = {"allow": 0, "approve": 1, "deny": 2}


@dataclass(frozen=True)
class Decision:
    """What becomes of a tool call, and the rule that says so."""

    action: Action
    rule: str
    approval_seconds: int = 86_400


class _Argument:
    def __init__(self, rule: ArgumentRule) -> None:
        self._path = [part.replace("~1", "/").replace("~0", "~") for part in rule.path.split("/")[1:]]
        self._pattern = Pattern(rule.matches)

    def holds(self, arguments: Any) -> bool:
        """Whether the argument is there and its whole value matches; what is no string counts as its JSON."""
        for part in self._path:
            if isinstance(arguments, dict) and part in arguments:
                arguments = arguments[part]
            elif isinstance(arguments, list) and part.isdecimal() and int(part) < len(arguments):
                arguments = arguments[int(part)]
            else:
                return False
        text = arguments if isinstance(arguments, str) else _canonical(arguments)
        return self._pattern.covers(text)


class _Tool:
    def __init__(self, rule: ToolRule) -> None:
        self._name = glob(rule.tool)
        self._arguments = [_Argument(each) for each in rule.arguments]
        self.action: Action = rule.action
        self.text = f"rule {rule.tool!r}"

    def holds(self, name: str, arguments: Any) -> bool:
        """Whether the rule is about this call."""
        return self._name.covers(name) and all(each.holds(arguments) for each in self._arguments)


class CompiledPolicy:
    """One policy, ready to decide; raises `Invalid` for a pattern that cannot be used."""

    def __init__(self, policy: Policy, whose: str) -> None:
        self.policy = policy
        self.whose = whose
        self._models = None if policy.models is None else [glob(each) for each in policy.models]
        self._allowed: dict[str, bool] = {}
        self._tools = [_Tool(rule) for rule in policy.tools]
        self.redact = [Pattern(each) for each in policy.redact]

    def allows_model(self, model: str) -> bool:
        """Whether the model may be called."""
        known = self._allowed.get(model)
        if known is None:
            if len(self._allowed) >= REMEMBERED:
                self._allowed.clear()
            known = self._models is None or any(each.covers(model) for each in self._models)
            self._allowed[model] = known
        return known

    def decide_tool(self, name: str, arguments: Any, effect: Effect | None) -> Decision:
        """What becomes of a call of `server/tool`: the first rule that holds, else the defaults."""
        for number, rule in enumerate(self._tools, 1):
            if rule.holds(name, arguments):
                return self._decision(rule.action, f"{rule.text} (number {number})")
        policy = self.policy
        if (
            effect is Effect.IRREVERSIBLE
            and STRICTNESS[policy.irreversible] > STRICTNESS[policy.tools_default]
        ):
            return self._decision(policy.irreversible, "`irreversible`")
        return self._decision(policy.tools_default, "`tools_default`")

    def _decision(self, action: Action, rule: str) -> Decision:
        return Decision(action, f"{rule} of the {self.whose}'s policy", self.policy.approval_seconds)


def stricter(first: Decision, second: Decision) -> Decision:
    """The one that lets less pass; of two that hold a call, the one that gives less time."""
    if first.action == second.action == "approve":
        return min(first, second, key=lambda each: each.approval_seconds)
    return max(first, second, key=lambda each: STRICTNESS[each.action])


def _canonical(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
