"""The API's description of itself, with the names that this service really has in it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from kairos_lib.serve.api.setting import Setting

OPEN_PATHS = ("/healthz", "/readyz")
SCHEME = "token"


def describe(app: FastAPI, setting: Setting) -> dict[str, Any]:
    """The description, as OpenAPI has it."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    parts = found["components"]
    for name in ("PathJob", "UrlJob", "Question"):
        _name_served(parts["schemas"][name]["properties"], setting)
    for query in found["paths"]["/v1/uploads"]["post"]["parameters"]:
        _name_served({query["name"]: query["schema"]}, setting)
    if setting.token:
        parts["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer"}}
        for path, operations in found["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN_PATHS else [{SCHEME: []}]
    return found


def _name_served(properties: dict[str, Any], setting: Setting) -> None:
    """Name the models and analyzers that can be asked for."""
    none = [""] if "model" in properties and "messages" not in properties else []
    for schema in _of_type(properties.get("model", {}), "string"):
        schema["enum"] = [*setting.service.models, *none]
    for schema in _of_type(properties.get("analyzers", {}), "array"):
        schema["items"]["enum"] = list(setting.analyzers)


def _of_type(schema: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """A schema and what it may also be, as far as they are of a type."""
    return [one for one in (schema, *schema.get("anyOf", ())) if one.get("type") == kind]
