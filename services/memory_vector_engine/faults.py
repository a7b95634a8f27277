"""What can be wrong with embeddings; `reason` is what answers and the status page say."""

from typing import ClassVar


class EmbeddingFault(Exception):
    """The provider gave no usable embedding."""

    reason: ClassVar[str] = "embedding_unavailable"

    def __init__(self, detail: str, retry_after: float = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class NoProvider(EmbeddingFault):
    """No embeddings endpoint is configured."""

    reason = "no_embedding_provider"


class Misconfigured(EmbeddingFault):
    """The configured endpoint, key or model cannot work."""

    reason = "embedding_misconfigured"


class WrongDimension(EmbeddingFault):
    """The provider answers with another dimension than declared."""

    reason = "embedding_wrong_dimension"


class RateLimited(EmbeddingFault):
    """The provider asks to wait."""

    reason = "embedding_rate_limited"


class Refused(EmbeddingFault):
    """The provider refuses these very texts; others may work."""

    reason = "embedding_refused"


class UnknownModel(EmbeddingFault):
    """The provider does not have the model."""

    reason = "embedding_model_unknown"
