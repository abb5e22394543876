"""What all parts of the configuration have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from streamtrain.config.rules import not_boolean, option

Whole = Annotated[int, BeforeValidator(not_boolean)]
Number = Annotated[float, BeforeValidator(not_boolean)]


def at_key(key: str, reason: str) -> PydanticCustomError:
    """A problem that a whole section has, told at one of its keys."""
    return PydanticCustomError("at_key", "{reason}", {"key": key, "reason": reason})


class Section(BaseModel):
    """A part of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Choice(Section):
    """A registered kind by name; all keys beside ``kind`` are its options, passed on as they are."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _holds_json_values(cls, value: Any) -> Any:
        return {name: _option(str(name), given) for name, given in value.items()} if isinstance(value, dict) else value

    @property
    def options(self) -> dict[str, Any]:
        """The options as JSON values, sorted by name: their order in the file has no meaning."""
        return dict(sorted((self.model_extra or {}).items()))


def _option(name: str, value: Any) -> Any:
    try:
        return option(value)
    except ValueError as error:
        raise at_key(name, str(error)) from None
