"""Docker's contexts, as its command line keeps them: names for engines here and elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import config
from pipeline.errors import HostError

DEFAULT = "default"
_TLS_FILES = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """How an engine is reached. ``host`` is an address as Docker writes it (unix://, tcp://, ssh://), '' for
    the usual socket of this machine. ``tls`` is the folder of ca.pem, cert.pem and key.pem, None for none,
    and ``verify`` that the engine must show a certificate of that authority."""

    context: str
    host: str
    tls: Path | None = None
    verify: bool = True


class _Docker(BaseModel):
    model_config = ConfigDict(frozen=True)
    host: str = Field(default="", alias="Host")
    skip: bool = Field(default=False, alias="SkipTLSVerify")


class _Endpoints(BaseModel):
    model_config = ConfigDict(frozen=True)
    docker: _Docker


class _Meta(BaseModel):
    """What is read of a context's meta.json; others have what they like in it."""

    model_config = ConfigDict(frozen=True)
    name: str = Field(alias="Name")
    endpoints: _Endpoints = Field(alias="Endpoints")


def find(name: str, variables: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint of a context. ``default`` is, as for Docker's command line, what $DOCKER_HOST says or the
    usual socket. HostError for a name that there is not, and for one that cannot be read."""
    values = os.environ if variables is None else variables
    if name == DEFAULT:
        folder = Path(values.get("DOCKER_CERT_PATH") or _folder(values))
        tls = folder if values.get("DOCKER_TLS_VERIFY") else None
        return Endpoint(context=name, host=values.get("DOCKER_HOST", ""), tls=tls)
    root = _folder(values) / "contexts"
    key = hashlib.sha256(name.encode()).hexdigest()
    path = root / "meta" / key / "meta.json"
    try:
        meta = _read(path)
    except FileNotFoundError as error:
        known = [DEFAULT, *_names(root)]
        raise HostError(
            f"there is no Docker context {name!r}",
            meaning=config.suggest(name, known),
            hint="docker context create makes one; docker context ls lists them",
        ) from error
    certificates = root / "tls" / key / "docker"
    found = meta.endpoints.docker
    whole = all((certificates / one).is_file() for one in _TLS_FILES)
    return Endpoint(context=name, host=found.host, tls=certificates if whole else None, verify=not found.skip)


def current(values: Mapping[str, str]) -> str:
    """The context that Docker's command line uses when it is not given one."""
    if values.get("DOCKER_HOST"):
        return DEFAULT
    if name := values.get("DOCKER_CONTEXT"):
        return name
    try:
        found = json.loads((_folder(values) / "config.json").read_bytes()).get("currentContext")
    except (OSError, ValueError, AttributeError):
        return DEFAULT
    return found if isinstance(found, str) and found else DEFAULT


def _folder(values: Mapping[str, str]) -> Path:
    return Path(values.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _read(path: Path) -> _Meta:
    try:
        return _Meta.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise HostError(
            f"{path} is no Docker context: {error.errors()[0]['msg']}",
            hint="docker context rm it, and make it again",
        ) from error


def _names(root: Path) -> list[str]:
    """The names of those that can be read."""
    found = []
    for path in sorted((root / "meta").glob("*/meta.json")):
        try:
            found.append(_read(path).name)
        except (HostError, OSError):
            continue
    return sorted(found)
