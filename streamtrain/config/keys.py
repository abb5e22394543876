"""Every key that a configuration may have, read off the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamtrain.config.models import Config
from streamtrain.config.section import Choice, Section


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its dotted path, the model that holds it, and pydantic's field."""

    path: str
    section: type[Section]
    field: FieldInfo

    @property
    def name(self) -> str:
        """The path's last part."""
        return self.path.rpartition(".")[2]


def key_name(name: str, field: FieldInfo) -> str:
    """The key as it is written in the file: the alias where there is one."""
    return field.alias or name


def sections_in(field: FieldInfo) -> tuple[type[Section], ...]:
    """The models that a key's value may be: one, several by ``kind``, or none if the value is no section."""
    candidates = get_args(field.annotation) or (field.annotation,)
    return tuple(one for one in candidates if isinstance(one, type) and issubclass(one, Section))


def keys(model: type[Section] = Config, prefix: str = "") -> Iterator[Key]:
    """All keys that hold a value and no section, in the order of the models. A kind's options are ``model.*``."""
    for name, field in model.model_fields.items():
        path = prefix + key_name(name, field)
        sections = sections_in(field)
        for section in sections:
            yield from keys(section, path + ".")
            if issubclass(section, Choice):
                yield Key(f"{path}.*", section, field)
        if not sections:
            yield Key(path, model, field)


def kind_of(model: type[BaseModel]) -> str | None:
    """The one ``kind`` that a section is for, if it is one of several forms."""
    field = model.model_fields.get("kind")
    if field is None or get_origin(field.annotation) is not Literal:
        return None
    return str(get_args(field.annotation)[0])
