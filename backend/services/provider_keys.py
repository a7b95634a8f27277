"""Telling provider keys among environment variables, so that they go to the vault and not into a spec."""

import re

# The prefixes that providers give their keys; a placeholder such as `sk-...` counts too.
_VALUE = re.compile(
    r"^(sk-|sk_|rk_live_|AIza|gsk_|xai-|hf_|r8_|pplx-|fw_|tgp_v1_|nvapi-|co-|ghp_|github_pat_|glpat-|xox[abp]-)\S+$"
)
_PROVIDERS = (
    "OPENAI|AZURE_OPENAI|ANTHROPIC|CLAUDE|GOOGLE|GEMINI|MISTRAL|COHERE|CO|GROQ|TOGETHER|FIREWORKS|XAI|DEEPSEEK|"
    "PERPLEXITY|OPENROUTER|HUGGINGFACE|HUGGING_FACE|HF|REPLICATE|NVIDIA|VOYAGE|JINA|TAVILY|SERPAPI|SERPER|LITELLM"
)
_NAME = re.compile(rf"^({_PROVIDERS})_(API_?KEY|API_?TOKEN|TOKEN)(_\w+)?$", re.IGNORECASE)


def is_provider_key(name: str, value: str) -> bool:
    """Whether a variable looks like the key of a known provider, by its value or by its name."""
    return bool(value) and bool(_VALUE.match(value) or _NAME.match(name))


def vault_path(agent_id: object, name: str) -> str:
    """Where the vault keeps the value of an agent's variable."""
    return f"agents/{agent_id}/env/{name}"


def vault_prefix(agent_id: object) -> str:
    """Everything the vault keeps for an agent."""
    return f"agents/{agent_id}/"
