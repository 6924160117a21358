"""The options of a part that registers itself: a section of the recipe, made from its constructor's parameters."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, create_model

from sightline.errors import SightlineError
from sightline.registry import parameters


class Section(BaseModel):
    """A part of a recipe; unknown keys and values of the wrong type are refused."""

    model_config = {"extra": "forbid", "frozen": True, "strict": True}


S = TypeVar("S", bound=Section)


def options_model(part: Callable[..., object], given: Collection[str], base: type[S], **others: Any) -> type[S]:
    """A section of all parameters of ``part`` but those that are ``given``; ``others``: further fields, first.

    A text in an ``Annotated`` type describes the option; what has no type takes any value.

    Raises:
        SightlineError: an annotation cannot be evaluated.
    """
    fields: dict[str, Any] = {name: _field(each) for name, each in parameters(part).items() if name not in given}
    summary = (inspect.getdoc(part) or "").partition("\n\n")[0]
    return create_model("Options", __base__=base, __doc__=summary, **{**others, **fields})


def _field(parameter: inspect.Parameter) -> tuple[Any, Any]:
    """The type and the default of a parameter, as pydantic's `create_model` takes them."""
    annotation = Any if parameter.annotation is parameter.empty else parameter.annotation
    texts = [each for each in get_args(annotation)[1:] if isinstance(each, str)] if _is_annotated(annotation) else []
    default = ... if parameter.default is parameter.empty else parameter.default
    return annotation, Field(default, description=" ".join(texts) or f"An option of type {_name(annotation)}.")


def _is_annotated(annotation: Any) -> bool:
    return get_origin(annotation) is Annotated


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def complete_options(where: str, model: type[Section], options: object) -> dict[str, Any]:
    """The options with defaults for those that are not given; ``where``: the section's key, such as ``decoder``.

    Raises:
        ValueError: an option is unknown, missing or of a wrong type; the message says which.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f"{where}: no section with options, but {shown(options)}")
    try:
        return model.model_validate(dict(options)).model_dump()
    except ValidationError as error:
        raise ValueError("; ".join(explain(each, where, model) for each in error.errors())) from None
    except SightlineError as error:
        raise ValueError(str(error)) from None


def explain(error: Any, where: str, model: type[Section]) -> str:
    """In a line what pydantic says of a section at the key ``where``: ``error`` is one of `ValidationError.errors`."""
    key = f"{where}.{error['loc'][0]}" if error["loc"] else where
    if error["type"] in ("extra_forbidden", "invalid_key"):
        return f"unknown key {key}; there are: {', '.join(model.model_fields) or 'none'}"
    if error["type"] == "missing":
        return f"{key}: has no default; give it"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, not {shown(error['input'])}"


def shown(value: Any) -> str:
    """A value as Python writes it, in a few words whatever it holds."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 100
    return short.repr(value)
