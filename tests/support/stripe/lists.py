"""What Stripe does with every answer: lists come in pages, and ids are expanded into objects."""

import copy
import operator
from typing import Any

from tests.support.stripe.errors import invalid
from tests.support.stripe.parameters import check
from tests.support.stripe.state import Json, State

_COMPARISONS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_PAGE = {"limit": int, "starting_after": str, "ending_before": str, "expand": [str]}


def list_page(
    state: State, kind: str, path: str, params: Json, livemode: bool, filters: tuple[str, ...] = ()
) -> Json:
    """A page of the objects of a kind, the newest first."""
    created = params.get("created")
    schema: Json = _PAGE | dict.fromkeys(filters, str)
    schema["created"] = dict.fromkeys(_COMPARISONS, int) if isinstance(created, dict) else int
    wanted = check(params, schema)
    limit = wanted.get("limit", 10)
    if not 1 <= limit <= 100:
        message = "This value must be greater than or equal to 1 and at most 100."
        raise invalid(message, "limit", "parameter_invalid_integer")
    if "starting_after" in wanted and "ending_before" in wanted:
        raise invalid(
            "You can only specify one of ending_before and starting_after", "starting_after"
        )
    found = [thing for thing in state.objects[kind].values() if state.mode_of(thing) == livemode]
    found = [thing for thing in reversed(found) if _fits(thing, wanted, filters)]
    found.sort(key=lambda thing: -thing["created"])
    page, has_more = _cut(state, kind, found, wanted, limit, livemode)
    data = [shown(state, thing) for thing in page]
    for path_of in wanted.get("expand", []):
        head, _, rest = path_of.partition(".")
        if head != "data" or not rest:
            raise invalid(f"This property cannot be expanded ({path_of}).", "expand")
        for thing in data:
            expand(state, thing, [rest])
    return {"object": "list", "url": path, "has_more": has_more, "data": data}


def _fits(thing: Json, wanted: Json, filters: tuple[str, ...]) -> bool:
    created = wanted.get("created", {})
    if isinstance(created, int):
        created = {"gte": created, "lte": created}
    return all(
        _COMPARISONS[name](thing["created"], second) for name, second in created.items()
    ) and all(thing.get(name) == wanted[name] for name in filters if name in wanted)


def _cut(
    state: State, kind: str, found: list[Json], wanted: Json, limit: int, livemode: bool
) -> tuple[list[Json], bool]:
    ids = [thing["id"] for thing in found]
    for name in ("starting_after", "ending_before"):
        if name in wanted:
            state.find(kind, wanted[name], livemode, name)
    if "ending_before" in wanted:
        before = found[: ids.index(wanted["ending_before"])]
        return before[-limit:], len(before) > limit
    if "starting_after" in wanted:
        found = found[ids.index(wanted["starting_after"]) + 1 :]
    return found[:limit], len(found) > limit


def shown(state: State, thing: Json, paths: list[str] | None = None) -> Json:
    """A copy of the object for an answer, with ``paths`` expanded."""
    copied = copy.deepcopy(thing)
    expand(state, copied, paths or [])
    return copied


def expand(state: State, thing: Json, paths: list[str]) -> None:
    """Put objects in the place of their ids. Raises ``ApiError`` 400 where there is none."""
    for path in paths:
        if path.count(".") > 3:
            raise invalid("You cannot expand more than 4 levels of a property.", "expand")
        node: Any = thing
        for name in path.split("."):
            if node is None:
                break
            node = _expand_one(state, node, name, path)


def _expand_one(state: State, node: Json, name: str, path: str) -> Any:
    if name == "line_items" and node["object"] == "checkout.session":
        url = f"/v1/checkout/sessions/{node['id']}/line_items"
        items = copy.deepcopy(state.line_items[node["id"]])
        node[name] = {"object": "list", "data": items, "has_more": False, "url": url}
    elif name == "refunds" and node["object"] == "charge":
        found = [r for r in state.objects["refund"].values() if r["charge"] == node["id"]]
        url = f"/v1/charges/{node['id']}/refunds"
        node[name] = {"object": "list", "data": found[::-1], "has_more": False, "url": url}
    elif name not in node or (isinstance(node[name], str) and not state.any_by_id(node[name])):
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    elif isinstance(node[name], str):
        node[name] = copy.deepcopy(state.any_by_id(node[name]))
    return node[name]
