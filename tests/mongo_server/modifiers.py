"""Update modifiers: each changes the value at one path and says which paths an event names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bson import Decimal128, Int64

from tests.mongo_server.documents import Document, encode
from tests.mongo_server.errors import CommandError
from tests.mongo_server.matching import field_matches, matches
from tests.mongo_server.ordering import MISSING, sort_key

Path = tuple[str, ...]
UNSET = object()
"""What a path is set to where its field is taken away."""


def identical(one: Any, other: Any) -> bool:
    """Whether two values are the same bytes."""
    return encode({"": one}) == encode({"": other})


class Target:
    """A path of a document that an update reads and writes."""

    def __init__(self, document: Document, path: Path) -> None:
        self._document = document
        self.path = path

    def get(self) -> Any:
        found: Any = self._document
        for name in self.path:
            if isinstance(found, dict):
                found = found.get(name, MISSING)
            elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            else:
                return MISSING
        return found

    def put(self, value: Any) -> None:
        """Set the value, making documents on the way; ``UNSET`` takes it away and makes none."""
        holder: Any = self._document
        for at, name in enumerate(self.path[:-1]):
            inner = Target(self._document, self.path[: at + 1]).get()
            if inner is MISSING or (inner is None and isinstance(holder, list)):
                if value is UNSET:
                    return
                inner = {}
                _place(holder, name, inner)
            elif not isinstance(inner, dict | list):
                raise CommandError(28, f"Cannot create field '{self.path[at + 1]}' in element {{{name}: {inner!r}}}")
            holder = inner
        _place(holder, self.path[-1], value)

    def change(self, value: Any) -> dict[Path, Any]:
        """Set the value and say so, unless it is that already."""
        now = self.get()
        if (now is MISSING and value is UNSET) or (now is not MISSING and value is not UNSET and identical(now, value)):
            return {}
        self.put(value)
        return {self.path: value}


def _place(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, dict):
        if value is UNSET:
            holder.pop(name, None)
        else:
            holder[name] = value
        return
    if not name.isdigit():
        raise CommandError(28, f"Cannot create field '{name}' in an array")
    at = int(name)
    if value is UNSET:
        if at < len(holder):
            holder[at] = None
        return
    holder.extend([None] * (at + 1 - len(holder)))
    holder[at] = value


def _number(value: Any, *operands: Any) -> Any:
    """A result in the widest of the operands' types."""
    return Int64(value) if isinstance(value, int) and any(isinstance(one, Int64) for one in operands) else value


def _increase(target: Target, by: Any) -> dict[Path, Any]:
    now = target.get()
    if now is MISSING:
        return target.change(by)
    if sort_key(now)[0] != 10:
        raise CommandError(14, f"Cannot apply $inc to a value of non-numeric type. {target.path[-1]}: {now!r}")
    if isinstance(now, Decimal128) or isinstance(by, Decimal128):
        return target.change(Decimal128(_decimal(now) + _decimal(by)))
    return target.change(_number(now + by, now, by))


def _decimal(value: Any) -> Any:
    return (value if isinstance(value, Decimal128) else Decimal128(str(value))).to_decimal()


def _multiply(target: Target, by: Any) -> dict[Path, Any]:
    now = target.get()
    return target.change(_number(0, by) if now is MISSING else _number(now * by, now, by))


def _least(target: Target, value: Any) -> dict[Path, Any]:
    now = target.get()
    return target.change(value) if now is MISSING or sort_key(value) < sort_key(now) else {}


def _most(target: Target, value: Any) -> dict[Path, Any]:
    now = target.get()
    return target.change(value) if now is MISSING or sort_key(value) > sort_key(now) else {}


def _bits(target: Target, operand: Document) -> dict[Path, Any]:
    now = target.get()
    value = 0 if now is MISSING else now
    for name, bits in operand.items():
        value = {"and": value & bits, "or": value | bits, "xor": value ^ bits}[name]
    return target.change(_number(value, now, *operand.values()))


def _array(target: Target) -> list[Any] | None:
    now = target.get()
    if now is MISSING:
        return None
    if not isinstance(now, list):
        raise CommandError(
            2, f"The field '{'.'.join(target.path)}' must be an array but is of type {type(now).__name__}"
        )
    return now


def _push(target: Target, operand: Any) -> dict[Path, Any]:
    options = operand if isinstance(operand, Mapping) and "$each" in operand else {"$each": [operand]}
    added, now = options["$each"], _array(target)
    if now is None:
        return target.change(_cut([*added], options))
    if len(options) > 1:
        at = options.get("$position", len(now))
        return target.change(_cut([*now[:at], *added, *now[at:]], options))
    start = len(now)
    now.extend(added)
    return {(*target.path, str(start + at)): value for at, value in enumerate(added)}


def _cut(values: list[Any], options: Mapping[str, Any]) -> list[Any]:
    if "$sort" in options:
        order = options["$sort"]
        if isinstance(order, Mapping):
            for name, way in reversed(order.items()):
                values.sort(key=lambda one, name=name: sort_key(one.get(name)), reverse=way < 0)
        else:
            values.sort(key=sort_key, reverse=order < 0)
    if (size := options.get("$slice")) is not None:
        values = values[:size] if size >= 0 else values[size:]
    return values


def _add_to_set(target: Target, operand: Any) -> dict[Path, Any]:
    added = operand["$each"] if isinstance(operand, Mapping) and "$each" in operand else [operand]
    values = list(_array(target) or [])
    for one in added:
        if all(sort_key(one) != sort_key(value) for value in values):
            values.append(one)
    return target.change(values)


def _pop(target: Target, operand: int) -> dict[Path, Any]:
    now = _array(target)
    return target.change(now[:-1] if operand > 0 else now[1:]) if now else {}


def _pull(target: Target, operand: Any) -> dict[Path, Any]:
    now = _array(target)
    return {} if now is None else target.change([value for value in now if not _pulled(value, operand)])


def _pulled(value: Any, operand: Any) -> bool:
    if isinstance(operand, Mapping) and not next(iter(operand), "").startswith("$"):
        return isinstance(value, Mapping) and matches(value, operand)
    return field_matches([value], operand)


def _pull_all(target: Target, operand: list[Any]) -> dict[Path, Any]:
    gone = {sort_key(one) for one in operand}
    now = _array(target)
    return {} if now is None else target.change([value for value in now if sort_key(value) not in gone])


MODIFIERS: dict[str, Callable[[Target, Any], dict[Path, Any]]] = {
    "$set": Target.change,
    "$setOnInsert": Target.change,
    "$currentDate": Target.change,
    "$unset": lambda target, _: target.change(UNSET),
    "$inc": _increase,
    "$mul": _multiply,
    "$min": _least,
    "$max": _most,
    "$bit": _bits,
    "$push": _push,
    "$addToSet": _add_to_set,
    "$pop": _pop,
    "$pull": _pull,
    "$pullAll": _pull_all,
    "$rename": lambda target, _: {},
}
