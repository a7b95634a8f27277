"""What a search for steps is asked by."""

from pydantic import ConfigDict, Field, ValidationError

from services.chassis.errors import Invalid
from services.contracts.step_search import MOST_BEFORE, SearchSteps, StepFilters, StepPattern


class StepQuery(StepFilters):
    """A search as a query string says it; what it does not know it ignores, as every query does."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    after: list[str] = Field(
        default_factory=list,
        max_length=MOST_BEFORE,
        description="a step before it in the same execution, as `name=lookup,status=failed`;"
        " repeat it for more, in their order",
    )

    def asked(self) -> SearchSteps:
        """The search as the journal takes it; `Invalid` names what it does not know."""
        patterns = [_pattern(text) for text in self.after]
        return SearchSteps(**{**self.model_dump(exclude={"after"}), "after": patterns})


def _pattern(text: str) -> StepPattern:
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        return StepPattern.model_validate({name.strip(): value.strip() for name, _, value in pairs})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Invalid(f"after: {'/'.join(map(str, first['loc']))}: {first['msg']}") from None
