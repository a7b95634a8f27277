"""`agentplane prices …`: what models cost, in dollars per million tokens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.amounts import per_million
from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, show_fields, show_json, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="Prices of models, in dollars per million tokens.", no_args_is_help=True)
Model = Annotated[str, typer.Argument(help="Name of a model, or a glob as gpt-5*.")]
Dollars = Annotated[str | None, typer.Option(help="Dollars per million tokens.")]


@app.command("list")
def list_prices(
    context: typer.Context,
    history: Annotated[bool, typer.Option("--history", help="Every version that was set.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List what counts now: what was set here before the list that comes with the release."""
    show_list(
        connect(context).get("/prices", history=history),
        ("MODEL", "INPUT", "CACHED", "OUTPUT", "LONGEST ANSWER", "VERSION", "FROM", "SOURCE"),
        lambda each: (
            each["model"], _shown(each["input_nano"]), _shown(each["cached_input_nano"]),
            _shown(each["output_nano"]), each["max_output_tokens"], each["version"],
            each["valid_from"][:10], each["source"],
        ),
        output=output,
    )  # fmt: skip


@app.command()
def show(context: typer.Context, model: Model, output: Output = Format.TABLE) -> None:
    """Show what a call of a model costs now."""
    price = connect(context).get("/prices/of", model=model)
    if output is Format.JSON:
        show_json(price)
        return
    show_fields(
        [
            ("Price of", f"{model} (as {price['model']})" if price["model"] != model else model),
            ("Input", _shown(price["input_nano"])),
            ("Cached input", _shown(price["cached_input_nano"])),
            ("Written to the cache", _shown(price["cache_write_nano"])),
            ("Output", _shown(price["output_nano"])),
            ("Longest answer", price["max_output_tokens"]),
            ("Version", f"{price['version']} of {price['valid_from'][:10]}, {price['source']}"),
        ]
    )


@app.command("set")
def set_price(
    context: typer.Context,
    model: Model,
    input_: Annotated[str, typer.Option("--input", help="Dollars per million tokens.")],
    output_: Annotated[str, typer.Option("--output-tokens", help="Dollars per million tokens.")],
    cached: Dollars = None,
    cache_write: Dollars = None,
    longest: Annotated[
        int | None, typer.Option(min=1, help="Longest answer of the model, in tokens.")
    ] = None,
) -> None:
    """Set a new version of a price, from now on; for the platform's operators."""
    body = {
        "model": model,
        "input_nano": per_million(input_),
        "output_nano": per_million(output_),
        "cached_input_nano": per_million(cached) if cached is not None else None,
        "cache_write_nano": per_million(cache_write) if cache_write is not None else None,
        "max_output_tokens": longest,
    }
    made: dict[str, Any] = connect(context).post("/prices", body)
    say(f"{made['model']} costs {_shown(made['input_nano'])} and {_shown(made['output_nano'])} from now on")


def _shown(nano_per_token: int | None) -> str:
    return "" if nano_per_token is None else f"${nano_per_token / 1000:.3f}".rstrip("0").rstrip(".")
