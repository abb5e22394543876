"""What Confluent documents of the registry's REST API, held by the small registry of the tests and by a real one.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import urllib3

CONTENT = "application/vnd.schemaregistry.v1+json"


class Api:
    def __init__(self, url: str) -> None:
        self._url = url
        self._http = urllib3.PoolManager()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._http.request(
            method,
            self._url + path,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": CONTENT, "Accept": CONTENT},
        )
        return answer.status, json.loads(answer.data)


@pytest.fixture
def api(registry_url: str) -> Api:
    return Api(registry_url)


@pytest.fixture
def subject() -> str:
    """One that no other test uses."""
    return f"t-{uuid.uuid4().hex[:8]}.db.table-value"


def record(*fields: Any, name: str = "Value") -> str:
    return json.dumps({"type": "record", "name": name, "namespace": "n", "fields": [*fields]})


ID = {"name": "id", "type": "int"}
NOTE = {"name": "note", "type": ["null", "string"], "default": None}
NEEDED = {"name": "needed", "type": "string"}


def register(api: Api, subject: str, schema: str) -> tuple[int, Any]:
    return api.ask("POST", f"/subjects/{subject}/versions", {"schema": schema})


def test_a_schema_gets_an_id_and_keeps_it(api: Api, subject: str) -> None:
    status, answer = register(api, subject, record(ID))
    assert status == 200
    assert register(api, subject, record(ID)) == (200, answer)
    assert register(api, f"{subject}-2", record(ID))[1]["id"] == answer["id"]
    status, found = api.ask("GET", f"/schemas/ids/{answer['id']}")
    assert (status, json.loads(found["schema"])) == (200, json.loads(record(ID)))


def test_versions_are_listed_and_looked_up(api: Api, subject: str) -> None:
    first = register(api, subject, record(ID))[1]["id"]
    second = register(api, subject, record(ID, NOTE))[1]["id"]
    assert first != second
    assert api.ask("GET", f"/subjects/{subject}/versions") == (200, [1, 2])
    status, found = api.ask("GET", f"/subjects/{subject}/versions/latest")
    assert (status, found["id"], found["version"], found["subject"]) == (200, second, 2, subject)
    status, found = api.ask("POST", f"/subjects/{subject}", {"schema": record(ID)})
    assert (status, found["id"], found["version"]) == (200, first, 1)
    assert subject in api.ask("GET", "/subjects")[1]


def test_what_is_not_there_is_404_with_the_code_that_says_what(api: Api, subject: str) -> None:
    assert api.ask("GET", f"/subjects/{subject}/versions")[1]["error_code"] == 40401
    assert api.ask("POST", f"/subjects/{subject}", {"schema": record(ID)})[1]["error_code"] == 40401
    register(api, subject, record(ID))
    status, answer = api.ask("GET", f"/subjects/{subject}/versions/9")
    assert (status, answer["error_code"]) == (404, 40402)
    assert api.ask("POST", f"/subjects/{subject}", {"schema": record(ID, NEEDED)})[1]["error_code"] == 40403
    status, answer = api.ask("GET", "/schemas/ids/999999")
    assert (status, answer["error_code"]) == (404, 40403)


def test_what_is_no_schema_is_422(api: Api, subject: str) -> None:
    status, answer = register(api, subject, '{"type": "nonsense"}')
    assert (status, answer["error_code"]) == (422, 42201)


@pytest.mark.parametrize(
    ("level", "before", "after", "taken"),
    [
        ("BACKWARD", [ID], [ID, NOTE], True),
        ("BACKWARD", [ID], [ID, NEEDED], False),
        ("BACKWARD", [ID, NEEDED], [ID], True),
        ("BACKWARD", [ID], [{"name": "id", "type": "long"}], True),
        ("BACKWARD", [{"name": "id", "type": "long"}], [ID], False),
        ("BACKWARD", [ID], [{"name": "id", "type": "string"}], False),
        ("BACKWARD", [ID], [{"name": "id", "type": ["null", "int"], "default": None}], True),
        ("BACKWARD", [{"name": "id", "type": ["null", "int"], "default": None}], [ID], False),
        ("FULL", [ID], [ID, NOTE], True),
        ("FULL", [ID, NEEDED], [ID], False),
        ("FULL", [ID, NOTE], [ID], True),
        ("FORWARD", [ID], [ID, NEEDED], True),
        ("NONE", [ID], [{"name": "id", "type": "string"}], True),
    ],
)
def test_a_new_version_is_held_to_its_subjects_level(
    api: Api, subject: str, level: str, before: list[Any], after: list[Any], taken: bool
) -> None:
    assert register(api, subject, record(*before))[0] == 200
    status, answer = api.ask("PUT", f"/config/{subject}", {"compatibility": level})
    assert (status, list(answer.values())) == (200, [level])  # Apicurio calls it compatibilityLevel here too
    status, answer = api.ask("GET", f"/config/{subject}")
    assert (status, answer["compatibilityLevel"]) == (200, level)
    status, answer = api.ask("POST", f"/compatibility/subjects/{subject}/versions/latest", {"schema": record(*after)})
    assert (status, answer["is_compatible"]) == (200, taken)
    status, answer = register(api, subject, record(*after))
    assert status == (200 if taken else 409)
    if not taken:
        assert answer["error_code"] == 409
