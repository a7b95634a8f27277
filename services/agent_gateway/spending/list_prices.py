"""
List prices of well-known models, so that costs are counted from the first call on.

Noted on 2026-11-22 from what OpenAI and Anthropic publish (developers.openai.com/api/docs/pricing,
platform.claude.com/docs/en/about-claude/pricing; OpenAI's as last read on 2026-11-05, Anthropic's in October
2026). Providers change prices: an administrator's own version of a price counts before this list. They are
the standard tier's for prompts of usual length; batch, priority and long-prompt rates are not in here, nor is
Claude Haiku 5.5, whose price grows fivefold with the length of the prompt.
"""

from typing import NamedTuple

NOTED_ON = "2026-11-22"


class ListPrice(NamedTuple):
    """Nano-dollars per token (a dollar per million tokens is 1,000), and the longest answer in tokens."""

    models: tuple[str, ...]
    input_nano: int
    cached_input_nano: int | None
    output_nano: int
    max_output_tokens: int | None
    cache_write_nano: int | None = None


LIST = (
    # OpenAI
    ListPrice(("gpt-6-astra", "gpt-6-astra-20*"), 10_000, 1_000, 50_000, 128_000, 12_500),
    ListPrice(("gpt-6-sol", "gpt-6-sol-20*"), 2_000, 200, 10_000, 128_000, 2_500),
    ListPrice(("gpt-6-luna", "gpt-6-luna-20*"), 100, 10, 500, 128_000, 125),
    ListPrice(("gpt-5.6", "gpt-5.6-20*", "gpt-5.6-sol*"), 4_000, 400, 20_000, 128_000, 5_000),
    ListPrice(("gpt-5.6-terra*",), 2_000, 200, 12_000, 128_000, 2_500),
    ListPrice(("gpt-5.6-luna*",), 200, 20, 1_200, 128_000, 250),
    ListPrice(("gpt-5.5", "gpt-5.5-20*"), 5_000, 500, 30_000, 128_000),
    ListPrice(("gpt-5.5-pro*", "gpt-5.4-pro*"), 30_000, None, 180_000, 128_000),
    ListPrice(("gpt-5.4", "gpt-5.4-20*"), 2_500, 250, 15_000, 128_000),
    ListPrice(("gpt-5.4-mini*",), 750, 75, 4_500, 128_000),
    ListPrice(("gpt-5.4-nano*",), 200, 20, 1_250, 128_000),
    ListPrice(("gpt-5", "gpt-5-20*", "gpt-5-codex*", "gpt-5.1*"), 1_250, 125, 10_000, 128_000),
    ListPrice(("gpt-5-mini*",), 250, 25, 2_000, 128_000),
    ListPrice(("gpt-5-nano*",), 50, 5, 400, 128_000),
    ListPrice(("gpt-5-pro*",), 15_000, None, 120_000, 272_000),
    ListPrice(("gpt-4.1", "gpt-4.1-20*"), 2_000, 500, 8_000, 32_768),
    ListPrice(("gpt-4.1-mini*",), 400, 100, 1_600, 32_768),
    ListPrice(("gpt-4.1-nano*",), 100, 25, 400, 32_768),
    ListPrice(("gpt-4o", "gpt-4o-20*"), 2_500, 1_250, 10_000, 16_384),
    ListPrice(("gpt-4o-2024-05-13",), 5_000, None, 15_000, 4_096),
    ListPrice(("gpt-4o-mini", "gpt-4o-mini-20*"), 150, 75, 600, 16_384),
    ListPrice(("gpt-4-turbo*",), 10_000, None, 30_000, 4_096),
    ListPrice(("gpt-4", "gpt-4-0*"), 30_000, None, 60_000, 8_192),
    ListPrice(("gpt-3.5-turbo", "gpt-3.5-turbo-0125"), 500, None, 1_500, 4_096),
    ListPrice(("o3", "o3-20*"), 2_000, 500, 8_000, 100_000),
    ListPrice(("o4-mini*",), 1_100, 275, 4_400, 100_000),
    ListPrice(("o3-mini*",), 1_100, 550, 4_400, 100_000),
    ListPrice(("o1", "o1-20*"), 15_000, 7_500, 60_000, 100_000),
    ListPrice(("text-embedding-3-small",), 20, None, 0, None),
    ListPrice(("text-embedding-3-large",), 130, None, 0, None),
    ListPrice(("text-embedding-ada-002",), 100, None, 0, None),
    # Anthropic; the price of writing the cache is that for five minutes
    ListPrice(("claude-fable-5-1*", "claude-mythos-5-1*"), 10_000, 250, 50_000, 128_000, 12_500),
    ListPrice(("claude-fable-5*", "claude-mythos-5*"), 10_000, 1_000, 50_000, 128_000, 12_500),
    ListPrice(("claude-opus-5-5*",), 4_000, 200, 20_000, 128_000, 5_000),
    ListPrice(("claude-opus-5", "claude-opus-5-20*"), 5_000, 500, 25_000, 128_000, 6_250),
    ListPrice(
        ("claude-opus-4-8*", "claude-opus-4-7*", "claude-opus-4-6*"), 5_000, 500, 25_000, 128_000, 6_250
    ),
    ListPrice(("claude-opus-4-5*",), 5_000, 500, 25_000, 64_000, 6_250),
    ListPrice(
        ("claude-opus-4-1*", "claude-opus-4-0*", "claude-opus-4-20*"), 15_000, 1_500, 75_000, 32_000, 18_750
    ),
    ListPrice(("claude-sonnet-5-5*",), 2_000, 100, 10_000, 128_000, 2_500),
    ListPrice(("claude-sonnet-5", "claude-sonnet-5-20*"), 2_000, 200, 10_000, 128_000, 2_500),
    ListPrice(("claude-sonnet-4*", "claude-3-7-sonnet*"), 3_000, 300, 15_000, 64_000, 3_750),
    ListPrice(("claude-3-5-sonnet*",), 3_000, 300, 15_000, 8_192, 3_750),
    ListPrice(("claude-haiku-4-5*",), 1_000, 100, 5_000, 64_000, 1_250),
    ListPrice(("claude-3-5-haiku*",), 800, 80, 4_000, 8_192, 1_000),
    ListPrice(("claude-3-haiku*",), 250, 30, 1_250, 4_096, 300),
    ListPrice(("claude-3-opus*",), 15_000, 1_500, 75_000, 4_096, 18_750),
)
