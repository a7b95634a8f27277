"""The versions of prices that administrators set."""

from services.chassis.database import Database, Row
from services.contracts.spending import Price, SetPrice

_COLUMNS = """model, version, input_nano, cached_input_nano, cache_write_nano, output_nano, max_output_tokens,
    valid_from, set_by AS source"""

_CURRENT = f"""
SELECT DISTINCT ON (model) {_COLUMNS} FROM model_prices
WHERE valid_from <= clock_timestamp() ORDER BY model, version DESC
"""  # noqa: S608 - a constant

_ALL = f"SELECT {_COLUMNS} FROM model_prices ORDER BY model, version DESC"  # noqa: S608 - a constant

_SET = f"""
INSERT INTO model_prices (model, version, input_nano, cached_input_nano, cache_write_nano, output_nano,
    max_output_tokens, set_by)
SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7 FROM model_prices WHERE model = $1
RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant


class PriceStore:
    """Owns `model_prices`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def current(self) -> list[Price]:
        """The newest version of each price."""
        return [_price(row) for row in await self._db.fetch(_CURRENT)]

    async def versions(self) -> list[Price]:
        """Every version there was."""
        return [_price(row) for row in await self._db.fetch(_ALL)]

    async def set(self, price: SetPrice, actor: str) -> Price:
        """Add a version of a price, valid from now on."""
        async with self._db.system() as connection:
            # Two at once must not take the same number.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('model_prices'))")
            row = await connection.fetchrow(
                _SET,
                price.model,
                price.input_nano,
                price.cached_input_nano,
                price.cache_write_nano,
                price.output_nano,
                price.max_output_tokens,
                actor,
            )
        assert row is not None
        return _price(row)


def _price(row: Row) -> Price:
    return Price.model_validate(dict(row))
