"""The description of the server's requests and answers that programs read, for one bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerwise.core.serve.answers import Answer
from layerwise.core.serve.intake import Column, Intake

__all__ = ["request_schema", "schema_of"]

_MOST_CHOICES = 50  # categories that are listed

Schema = dict[str, Any]


def request_schema(intake: Intake, max_items: int, *, several: bool) -> Schema:
    """What OpenAPI calls a request body: the types of content, and what each looks like.

    Example:
        >>> list(request_schema(Intake("text"), 8, several=False)["content"])
        ['application/json']
    """
    item: Schema = {"type": "string", "minLength": 1}
    if intake.kind == "file":
        item = {"type": "string", "format": "binary"}
    if intake.kind == "row":
        item = _object({str(column.name): _column(column) for column in intake.columns})
    name, value = intake.one, item
    if several:
        name = intake.several
        value = {"type": "array", "items": item, "minItems": 1, "maxItems": max_items}
    body = {"schema": _object({name: value})}
    if intake.kind != "file":
        return {"required": True, "content": {"application/json": body}}
    content = {"multipart/form-data": body}
    if not several:
        content["application/octet-stream"] = {"schema": item}
        if intake.media_type:
            content[intake.media_type] = {"schema": item}
    return {"required": True, "content": content}


def schema_of(example: Answer | None) -> Schema:
    """The schema of answers, from one of them; any object where there is none.

    Example:
        >>> schema_of({"value": 2.5})["properties"]["value"]
        {'type': ['number', 'null']}
    """
    if example is None:
        return {"type": "object"}
    return _object({key: _like(value) for key, value in example.items()}, is_open=True)


def _object(properties: Mapping[str, Schema], *, is_open: bool = False) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": is_open,
    }


def _column(column: Column) -> Schema:
    if column.is_number:
        return {"type": ["number", "null"]}
    schema: Schema = {"type": ["string", "number", "boolean", "null"]}
    if 0 < len(column.choices) <= _MOST_CHOICES:
        seen = ", ".join(map(str, column.choices))
        schema["description"] = f"Seen in training: {seen}. Others count as unknown."
        schema["examples"] = [column.choices[0]]
    return schema


def _like(value: Any) -> Schema:
    """The schema of values like this one; numbers may be null where they are not finite."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "number"}
    if value is None or isinstance(value, float):
        return {"type": ["number", "null"]}
    if isinstance(value, str):
        return {"type": "string"}
    if isinstance(value, list):
        return {"type": "array", "items": _like(value[0]) if value else {}}
    kinds = [_like(member) for member in value.values()]
    return {"type": "object", "additionalProperties": kinds[0] if kinds else {}}
