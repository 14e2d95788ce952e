"""The description of requests and answers, for programs that read it."""

from layerwise.core.serve.intake import Column, Intake
from layerwise.core.serve.openapi import request_schema, schema_of

ROWS = Intake(
    "row",
    columns=(
        Column("job", is_number=False, choices=["cook", "clerk"]),
        Column("city", is_number=False, choices=range(1000)),
        Column("age", is_number=True),
    ),
)


def body(intake, *, several=False):
    return request_schema(intake, 8, several=several)["content"]


def test_a_row_has_its_columns_and_no_others():
    row = body(ROWS)["application/json"]["schema"]["properties"]["row"]
    assert row["required"] == ["job", "city", "age"]
    assert row["additionalProperties"] is False
    assert "Seen in training: cook, clerk" in row["properties"]["job"]["description"]
    assert "description" not in row["properties"]["city"]  # too many to list


def test_several_have_a_length():
    rows = body(ROWS, several=True)["application/json"]["schema"]["properties"]["rows"]
    assert (rows["type"], rows["minItems"], rows["maxItems"]) == ("array", 1, 8)


def test_one_file_may_be_the_whole_body_and_several_may_not():
    intake = Intake("file", media_type="audio/*")
    assert set(body(intake)) == {"multipart/form-data", "application/octet-stream", "audio/*"}
    assert set(body(intake, several=True)) == {"multipart/form-data"}


def test_answers_are_like_their_example():
    example = {"label": "a", "value": None, "boxes": [[1.0]], "width": 3, "shares": {"a": 1.0}}
    found = schema_of(example)
    number = {"type": ["number", "null"]}
    assert found["required"] == list(example)
    assert found["properties"] == {
        "label": {"type": "string"},
        "value": number,
        "boxes": {"type": "array", "items": {"type": "array", "items": number}},
        "width": {"type": "number"},
        "shares": {"type": "object", "additionalProperties": number},
    }
    assert schema_of(None) == {"type": "object"}
