"""An update's description applied to the document that is held: what the server made of it, byte for byte.

``_delta.c`` is this in C, but for what is rare and what stops. Format: https://www.mongodb.com/docs/manual/reference/change-events/update/

Whether a number in a path is an index or a name is said by ``disambiguatedPaths`` (from 6.1 on), else by what the held
document has there. Order: what is removed, arrays that are cut, what is set; a field that was not there comes last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

from connectors.mongo.change_event import Event
from connectors.mongo.raw_bson import ARRAY, DOCUMENT, INT32, INT64, NULL, STRING, Element, all_elements, elements
from streamtrain.errors import UnsupportedChange

Step = bytes | int
"""A field's name, or an index of an array."""
EMPTY = b"\x05\0\0\0\0"
"""A document without elements."""
MOST_PADDING = 1_500_000
"""Nulls that the server puts before an index behind an array's end; it refuses an update that needs more."""

_INT32 = Struct("<i")


def python_applied(held: bytes, event: Event, /) -> bytes:
    """The document after the update that ``event`` describes; ``held`` is the one before it.

    Raises UnsupportedChange if the update does not fit ``held``, or if it could mean two things there.
    """
    data = event.data
    root = _Container(held, 0, len(held), False)
    known = _disambiguated(data, event.disambiguated_paths)
    for path in _removed(data, event.removed_fields):
        _remove(root, known.get(path), path)
    for path, size in _truncated(data, event.truncated_arrays):
        _truncate(root, known.get(path), path, size)
    if event.updated_fields is not None:
        for one in all_elements(data, event.updated_fields, len(data)):
            container, step = _located(root, known.get(one.name), one.name, creates=True)
            container.set(step, one.kind, data[one.value : one.end], one.name)
    return root.encoded()


class _Changed:
    """An element that is not as it was: a value, or a container within which something changed."""

    __slots__ = ("inner", "kind", "name", "value")

    def __init__(self, name: bytes, kind: int, value: bytes, inner: _Container | None = None) -> None:
        self.name = name
        self.kind = kind
        self.value = value
        self.inner = inner


_NULL = _Changed(b"", NULL, b"")


class _Container:
    """A document or an array, of which elements can be changed; the others stay the bytes that they are."""

    def __init__(self, data: bytes, start: int, end: int, array: bool) -> None:
        self.array = array
        self.items: list[Element | _Changed] = list(all_elements(data, start, end))
        self._data = data

    def find(self, step: Step) -> int | None:
        """Which element a step leads to."""
        if isinstance(step, int):
            return step if self.array and 0 <= step < len(self.items) else None
        if not self.array:
            for position, item in enumerate(self.items):
                if item.name == step:
                    return position
        return None

    def opened(self, position: int | None) -> _Container | None:
        """What an element holds, to be changed; None if it is neither document nor array, or not there."""
        item = None if position is None else self.items[position]
        if position is None or item is None or item.kind not in {DOCUMENT, ARRAY}:
            return None
        if isinstance(item, _Changed):
            if item.inner is None:
                item.inner = _Container(item.value, 0, len(item.value), item.kind == ARRAY)
            return item.inner
        inner = _Container(self._data, item.value, item.end, item.kind == ARRAY)
        self.items[position] = _Changed(item.name, item.kind, b"", inner)
        return inner

    def set(self, step: Step, kind: int, value: bytes, path: bytes) -> None:
        if isinstance(step, int) != self.array:
            raise _misfit(path, "a name is set in an array" if self.array else "an index is set in a document")
        if isinstance(step, int):
            missing = step - len(self.items)
            if step < 0 or missing > MOST_PADDING:
                raise _misfit(path, f"no array is given an index {step}")
            self.items += [_NULL] * missing
        position = self.find(step)
        changed = _Changed(b"" if isinstance(step, int) else step, kind, value)
        if position is None:
            self.items.append(changed)
        else:
            self.items[position] = changed

    def encoded(self) -> bytes:
        data = self._data
        body = b"".join(
            [
                self._encoded(index, item) if isinstance(item, _Changed) else data[item.start : item.end]
                for index, item in enumerate(self.items)
            ]
        )
        return b"%b%b\0" % (_INT32.pack(len(body) + 5), body)

    def _encoded(self, index: int, item: _Changed) -> bytes:
        name = b"%d" % index if self.array else item.name
        return b"%c%b\0%b" % (item.kind, name, item.value if item.inner is None else item.inner.encoded())


def _located(
    root: _Container, known: Sequence[Step] | None, path: bytes, creates: bool = False
) -> tuple[_Container, Step]:
    """Where the last step of a path is to be taken, and that step. ``creates``: documents on the way that are not there.

    Servers up to 4.4 log ``a.b`` where ``a`` is made for ``b``; later ones then log ``a`` as a whole.
    """
    container = root
    names = path.split(b".")
    at = 0
    while True:
        if known is not None:
            step, at, last = known[at], at + 1, at + 1 == len(known)
        elif container.array:
            step, at, last = _index(names[at], path), at + 1, at + 1 == len(names)
        else:
            count = _names_of_field(container, names[at:], path)
            step, at, last = b".".join(names[at : at + count]), at + count, at + count == len(names)
        if last:
            return container, step
        if creates and container.find(step) is None:
            container.set(step, DOCUMENT, EMPTY, path)
        inner = container.opened(container.find(step))
        if inner is None:
            raise _misfit(path, f"there is no document or array at {_shown(step)}")
        container = inner


def _names_of_field(container: _Container, names: Sequence[bytes], path: bytes) -> int:
    """How many of the path's names make up the name of the next field: more than one if that has dots in it."""
    if len(names) == 1:
        return 1
    present = [count for count in range(1, len(names) + 1) if _leads_on(container, names, count)]
    if len(present) > 1:
        raise _misfit(path, "fields with dots in their names make it mean more than one place")
    return present[0] if present else 1


def _leads_on(container: _Container, names: Sequence[bytes], count: int) -> bool:
    position = container.find(b".".join(names[:count]))
    return position is not None and (count == len(names) or container.items[position].kind in {DOCUMENT, ARRAY})


def _remove(root: _Container, known: Sequence[Step] | None, path: bytes) -> None:
    container, step = _located(root, known, path)
    position = container.find(step)
    if position is None:
        raise _misfit(path, "it is removed, and is not there")
    if container.array:
        container.set(step, NULL, b"", path)  # as the server does it: the others keep their places
    else:
        del container.items[position]


def _truncate(root: _Container, known: Sequence[Step] | None, path: bytes, size: int) -> None:
    container, step = _located(root, known, path)
    inner = container.opened(container.find(step))
    if inner is None or not inner.array or not 0 <= size <= len(inner.items):
        raise _misfit(path, f"there is no array to be cut to {size} elements")
    del inner.items[size:]


def _index(name: bytes, path: bytes) -> int:
    if not name.isdigit() or (name[:1] == b"0" and name != b"0") or len(name) > 9:
        raise _misfit(path, f"{_shown(name)} is no index of an array")
    return int(name)


def _removed(data: bytes, start: int | None) -> Iterator[bytes]:
    for one in () if start is None else elements(data, start):
        yield _text(data, one)


def _truncated(data: bytes, start: int | None) -> Iterator[tuple[bytes, int]]:
    for one in () if start is None else elements(data, start):
        fields = {field.name: field for field in elements(data, one.value, one.end)} if one.kind == DOCUMENT else {}
        if not {b"field", b"newSize"} <= fields.keys():
            raise _misfit(b"truncatedArrays", "it does not say which array is cut")
        yield _text(data, fields[b"field"]), _integer(data, fields[b"newSize"])


def _disambiguated(data: bytes, start: int | None) -> dict[bytes, list[Step]]:
    found: dict[bytes, list[Step]] = {}
    for path in () if start is None else elements(data, start):
        steps = elements(data, path.value, path.end) if path.kind == ARRAY else iter(())
        found[path.name] = [_text(data, step) if step.kind == STRING else _integer(data, step) for step in steps]
        if not found[path.name]:
            raise _misfit(path.name, "disambiguatedPaths has no steps for it")
    return found


def _text(data: bytes, element: Element) -> bytes:
    if element.kind != STRING:
        raise _misfit(element.name, "a string was expected in the description")
    return data[element.value + 4 : element.end - 1]


def _integer(data: bytes, element: Element) -> int:
    if element.kind not in {INT32, INT64}:
        raise _misfit(element.name, "an integer was expected in the description")
    return int.from_bytes(data[element.value : element.end], "little", signed=True)


def _shown(step: Step) -> str:
    return repr(step if isinstance(step, int) else step.decode(errors="replace"))


def _misfit(path: bytes, why: str) -> UnsupportedChange:
    return UnsupportedChange(
        f"an update of {_shown(path)} does not fit the document that is held: {why}",
        hint="take a new snapshot, as the held documents are not those that the change stream goes on from; or have the "
        "server send post-images, which needs no held documents",
    )


def applied(held: bytes, event: Event) -> bytes:
    """The same, in C where that was built."""
    if BUILT and event.truncated_arrays is None and event.disambiguated_paths is None:
        after = _delta.applied(held, event.data, event.removed_fields, event.updated_fields)
        if after is not None:
            return after
    return python_applied(held, event)


try:
    from connectors.mongo import _delta
except ImportError:  # no compiler was there when this was installed
    BUILT = False
else:
    BUILT = True
