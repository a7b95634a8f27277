"""
What models cost: the versions that administrators set, and before any is set, the list in `list_prices.py`.

What an administrator set counts before the list; among several that name a model, the most exact does.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from services.agent_gateway.calls import Call, Spent
from services.agent_gateway.shapes import Outcome
from services.agent_gateway.spending.list_prices import LIST, NOTED_ON
from services.agent_gateway.spending.price_store import PriceStore
from services.agent_gateway.spending.prompt_size import likely_tokens
from services.chassis.errors import NotFound
from services.chassis.patterns import Pattern, glob
from services.contracts.spending import Price, SetPrice
from services.contracts.steps import StepKind

BUILT_IN = "built-in"
REMEMBERED = 5_000


class PriceList:
    """Prices by name or glob; the most exact one that names a model is its price."""

    def __init__(self, prices: list[Price]) -> None:
        self._exact = {price.model: price for price in prices if not _is_glob(price.model)}
        globs = [price for price in prices if _is_glob(price.model)]
        globs.sort(key=lambda price: (len(price.model.replace("*", "").replace("?", "")), price.model))
        self._globs: list[tuple[Pattern, Price]] = [(glob(price.model), price) for price in reversed(globs)]

    def find(self, model: str) -> Price | None:
        """The model's price, if it has one here."""
        found = self._exact.get(model)
        return found or next((price for pattern, price in self._globs if pattern.covers(model)), None)


class Prices:
    """Knows what a call costs."""

    def __init__(self, store: PriceStore, is_scripted: Callable[[str], bool]) -> None:
        self._store = store
        self.is_scripted = is_scripted
        self._listed = PriceList(built_in())
        self._set: PriceList | None = None
        self._set_prices: list[Price] = []
        self._found: OrderedDict[str, Price | None] = OrderedDict()

    async def refresh(self) -> None:
        """Learn what administrators have set."""
        current = await self._store.current()
        if self._set is None or current != self._set_prices:
            self._set, self._set_prices = PriceList(current), current
            self._found.clear()

    async def known(self) -> None:
        """Return once the prices have been read; afterwards `find` needs nobody."""
        if self._set is None:
            await self.refresh()

    def find(self, model: str) -> Price | None:
        """What the model costs; null when nobody said."""
        if model not in self._found:
            price = self._set.find(model) if self._set else None
            self._found[model] = price or self._listed.find(model)
            if len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
        return self._found[model]

    def spent(self, call: Call, outcome: Outcome) -> Spent:
        """What a call came to; of an answer that broke off before its usage was told, what it likely was."""
        spent = Spent(outcome.tokens_in, outcome.tokens_out, outcome.tokens_cached)
        spent.tokens_reasoning = outcome.tokens_reasoning
        if call.kind is not StepKind.LLM or call.scripted:
            return spent
        if not (spent.tokens_in or spent.tokens_out) and _was_cut(call):
            spent.tokens_in, spent.tokens_out = likely_tokens(call.request), _events(call)
            spent.estimated = True
        price = self.find(call.model or "")
        spent.priced = price is not None or not (spent.tokens_in or spent.tokens_out)
        spent.cost_nano = cost(price, spent, outcome.tokens_cache_written) if price else 0
        return spent

    async def shown(self, *, history: bool) -> list[Price]:
        """What counts now: what was set, then the list; with history every version that was set."""
        own = await self._store.versions() if history else await self._store.current()
        names = {price.model for price in own}
        return [*own, *(price for price in built_in() if history or price.model not in names)]

    async def of(self, model: str) -> Price:
        """What a call of the model costs now."""
        await self.refresh()
        price = self.find(model)
        if price is None:
            raise NotFound(f"there is no price for the model {model!r}")
        return price

    async def set(self, price: SetPrice, actor: str) -> Price:
        """Set a new version of a price."""
        made = await self._store.set(price, actor)
        await self.refresh()
        return made


def built_in() -> list[Price]:
    """The list that comes with this release, as prices."""
    noted = datetime.fromisoformat(NOTED_ON).replace(tzinfo=UTC)
    return [
        Price(
            model=model,
            version=0,
            input_nano=each.input_nano,
            cached_input_nano=each.cached_input_nano,
            cache_write_nano=each.cache_write_nano,
            output_nano=each.output_nano,
            max_output_tokens=each.max_output_tokens,
            valid_from=noted,
            source=BUILT_IN,
        )
        for each in LIST
        for model in each.models
    ]


def cost(price: Price, spent: Spent, written: int) -> int:
    """Nano-dollars of a call; input read from the provider's cache, or written to it, costs otherwise."""
    cached = min(spent.tokens_cached, spent.tokens_in)
    written = min(written, spent.tokens_in - cached)
    read_nano = price.input_nano if price.cached_input_nano is None else price.cached_input_nano
    write_nano = price.input_nano if price.cache_write_nano is None else price.cache_write_nano
    fresh = spent.tokens_in - cached - written
    inward = fresh * price.input_nano + cached * read_nano + written * write_nano
    return inward + spent.tokens_out * price.output_nano


def _is_glob(model: str) -> bool:
    return "*" in model or "?" in model


def _was_cut(call: Call) -> bool:
    return call.http_status == 200 and call.streamed and call.status != "succeeded"


def _events(call: Call) -> int:
    # Providers send about one token with each event of a stream.
    return sum(part.count(b"\n\n") for part in call.response)
