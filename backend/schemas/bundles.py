"""Bundles, as the API shows them."""

from services.chassis.contract import Contract, Timestamp


class Bundle(Contract):
    """An uploaded bundle; deploy it by its digest."""

    digest: str
    size_bytes: int
    kind: str
    files: int
    created_by: str
    created_at: Timestamp
