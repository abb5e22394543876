"""The kinds of features, a file each. A new kind is listed here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streamtrain.features.kinds.base import Kind
from streamtrain.features.kinds.boolean import Boolean
from streamtrain.features.kinds.categorical import Categorical
from streamtrain.features.kinds.datetime import Datetime
from streamtrain.features.kinds.numeric import Numeric

KINDS: Mapping[str, type[Kind]] = MappingProxyType(
    {"boolean": Boolean, "categorical": Categorical, "datetime": Datetime, "numeric": Numeric}
)
