"""A small schema registry with Confluent's REST API, real HTTP on a loopback port; it forgets everything when it ends.

Avro only, without references, contexts, deletion and schema normalization.
https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.servers.avro_compatibility import problems

CONTENT = "application/vnd.schemaregistry.v1+json"
LEVELS = ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")


class Refusal(Exception):
    """An answer that is not 200, with Confluent's own number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Schemas:
    """Subjects with their versions. Ids are global: the same text has the same id under every subject."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.subjects: dict[str, list[int]] = {}
        self.level = "BACKWARD"
        self.levels: dict[str, str] = {}
        self._lock = threading.Lock()

    def register(self, subject: str, text: str) -> int:
        with self._lock:
            canonical = _canonical(text)
            versions = self.subjects.get(subject, [])
            known = next((number for number, one in self.texts.items() if one == canonical), None)
            if known in versions and known is not None:
                return known
            found = self.incompatible(subject, canonical)
            if found:
                raise Refusal(409, f"Schema being registered is incompatible with an earlier schema: {found}")
            number = known if known is not None else len(self.texts) + 1
            self.texts[number] = canonical
            self.subjects.setdefault(subject, []).append(number)
            return number

    def incompatible(self, subject: str, text: str) -> list[str]:
        level = self.levels.get(subject, self.level)
        versions = [json.loads(self.texts[number]) for number in self.subjects.get(subject, [])]
        if not level.endswith("_TRANSITIVE"):
            versions = versions[-1:]
        new, found = json.loads(text), list[str]()
        for old in versions:
            if level.startswith(("BACKWARD", "FULL")):
                found += problems(reader=new, writer=old)
            if level.startswith(("FORWARD", "FULL")):
                found += problems(reader=old, writer=new)
        return found

    def versions(self, subject: str) -> list[int]:
        if subject not in self.subjects:
            raise Refusal(40401, f"Subject '{subject}' not found.")
        return self.subjects[subject]


def _canonical(text: Any) -> str:
    from fastavro import parse_schema
    from fastavro.schema import SchemaParseException

    try:
        document = json.loads(text)
        parse_schema(document)
    except (SchemaParseException, ValueError, TypeError, KeyError) as error:
        raise Refusal(42201, f"Invalid schema: {type(error).__name__}") from None
    return json.dumps(document, separators=(",", ":"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed while it asks is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class SmallRegistry:
    """The server. ``login`` is what clients must send as ``Authorization``; ``requests`` counts those that were answered."""

    def __init__(self, port: int = 0, schemas: Schemas | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.schemas = schemas or Schemas()
        self.requests: list[str] = []
        self.login: str | None = None
        self.failure: int | None = None
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.answer(self)

            do_POST = do_GET  # noqa: N815  names that http.server gives
            do_PUT = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def require(self, user: str, password: str) -> None:
        self.login = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        text = handler.rfile.read(length) if length else b"{}"
        if len(text) < length:
            raise ConnectionResetError("the client was killed while it asked")
        self.requests.append(f"{handler.command} {handler.path}")
        try:
            self._admit(handler.headers.get("Authorization"))
            status, answer = 200, self._result(handler.command, handler.path, json.loads(text))
        except Refusal as refusal:
            status = refusal.code if refusal.code < 1000 else refusal.code // 100
            answer = {"error_code": refusal.code, "message": str(refusal)}
        data = json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", CONTENT)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _admit(self, login: str | None) -> None:
        if self.failure is not None:
            raise Refusal(self.failure, "Error in the backend data store")
        if self.login not in {None, login}:
            raise Refusal(401, "Unauthorized")

    def _result(self, method: str, target: str, body: dict[str, Any]) -> Any:
        parts = [unquote(part) for part in urlsplit(target).path.strip("/").split("/")]
        routes: dict[tuple[str, str], Callable[[list[str], dict[str, Any]], Any]] = {
            ("GET", "subjects"): self._get_subject,
            ("POST", "subjects"): self._post_subject,
            ("POST", "compatibility"): self._check,
            ("GET", "schemas"): self._schema,
            ("GET", "config"): self._level,
            ("PUT", "config"): self._set_level,
        }
        route = routes.get((method, parts[0]))
        if route is None:
            raise Refusal(404, "HTTP 404 Not Found")
        return route(parts[1:], body)

    def _get_subject(self, path: list[str], _: dict[str, Any]) -> Any:
        schemas = self.schemas
        if not path:
            return sorted(schemas.subjects)
        versions = schemas.versions(path[0])
        if path[1:] == ["versions"]:
            return list(range(1, len(versions) + 1))
        version = len(versions) if path[2] == "latest" else int(path[2])
        if not 0 < version <= len(versions):
            raise Refusal(40402, f"Version {path[2]} not found.")
        number = versions[version - 1]
        return {"subject": path[0], "version": version, "id": number, "schema": schemas.texts[number]}

    def _post_subject(self, path: list[str], body: dict[str, Any]) -> Any:
        schemas, text = self.schemas, body.get("schema", "")
        if path[1:] == ["versions"]:
            return {"id": schemas.register(path[0], text)}
        versions, canonical = schemas.versions(path[0]), _canonical(text)
        for version, number in enumerate(versions, 1):
            if schemas.texts[number] == canonical:
                return {"subject": path[0], "version": version, "id": number, "schema": canonical}
        raise Refusal(40403, "Schema not found")

    def _check(self, path: list[str], body: dict[str, Any]) -> Any:
        self.schemas.versions(path[1])
        return {"is_compatible": not self.schemas.incompatible(path[1], _canonical(body.get("schema", "")))}

    def _schema(self, path: list[str], _: dict[str, Any]) -> Any:
        text = self.schemas.texts.get(int(path[1]))
        if text is None:
            raise Refusal(40403, f"Schema {path[1]} not found")
        return {"schema": text}

    def _level(self, path: list[str], _: dict[str, Any]) -> Any:
        return {
            "compatibilityLevel": self.schemas.levels.get(path[0]) or self.schemas.level if path else self.schemas.level
        }

    def _set_level(self, path: list[str], body: dict[str, Any]) -> Any:
        level = body.get("compatibility")
        if level not in LEVELS:
            raise Refusal(42203, "Invalid compatibility level")
        if path:
            self.schemas.levels[path[0]] = level
        else:
            self.schemas.level = level
        return {"compatibility": level}
