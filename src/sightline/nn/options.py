"""Types of the options that a recipe gives to a part; a text after the type says what the option does.

A recipe's options of a part are the parameters of its constructor: their types, defaults and texts are checked, listed
by ``sightline train --options``, and kept in the model's config.json. So these types are what JSON can hold.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

Count: TypeAlias = Annotated[int, Field(ge=1)]
Rate: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Weight: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
