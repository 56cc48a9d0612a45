"""Settings: one file, then the environment, then flags; frozen once read. Secrets come from files or the environment.

An unknown key or a bad value is one error that names the file, the key and what was expected.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from agent.domain.approval import Person

DEFAULT_FILE = Path("watchkeeper.yaml")


class SettingsInvalid(ValueError):
    """Names the place and what was expected."""


class Settings(BaseSettings):
    """Everything a site may set. Each key can be given as WATCHKEEPER_<KEY> too (JSON for maps and lists)."""

    model_config = SettingsConfigDict(env_prefix="WATCHKEEPER_", extra="forbid", frozen=True)

    database: Path = Path("watchkeeper.db")
    world: Literal["live", "simulated"] = "live"
    cluster: str = "default"
    identities: tuple[Person, ...] = ()
    policies: Path | None = None  # a folder of Rego in place of the bundled one
    policy_data: dict[str, Any] = {}  # merged over the policies' own data
    playbooks: Path | None = None
    listen: str = Field(default="127.0.0.1:9710", pattern=r"^[^\s:]+:\d{1,5}$")  # host:port of the inbound doors
    inbound_token_file: Path | None = None
    look_every_s: int = Field(default=30, ge=1, le=3600)  # how often metrics and objects are looked at
    model_endpoint: str | None = Field(
        default=None, pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$"
    )  # without credentials
    model_name: str | None = Field(default=None, pattern=r"^[\w.:/+-]{1,100}$")
    model_key_file: Path | None = None
    simulated_seed: int | None = None  # chance in the simulated world; without it the file's own seed
    simulated_cluster: Path | None = None  # a scenario file whose cluster the simulated world starts with

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes over what the file says (which comes in as `init`)."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _a_model_has_a_place_and_a_name(self) -> Self:
        if (self.model_endpoint is None) != (self.model_name is None):
            raise ValueError("model_endpoint and model_name go together")
        return self

    @property
    def checkpoints(self) -> Path:
        return self.database.with_name(self.database.stem + "-threads.db")


def load_settings(path: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Reads the file (default ./watchkeeper.yaml, when there is one). Raises SettingsInvalid."""
    file = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    place = str(file) if file else "settings"
    try:
        settings = Settings(**(_read(file) if file else {}))
        given = {key: value for key, value in (flags or {}).items() if value is not None}
        return Settings.model_validate({**settings.model_dump(), **given}) if given else settings
    except ValidationError as error:
        raise SettingsInvalid(f"{place}: {_sentence(error)}") from error
    except SettingsError as error:  # the environment's value of a map or list
        raise SettingsInvalid(f"the environment: {error}; maps and lists are given as JSON there") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return f"{key}: there is no such setting; expected one of {', '.join(sorted(Settings.model_fields))}"
    return f"{key}: {first['msg']}"


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SettingsInvalid(f"{file}: expected a map of settings, found {type(content).__name__}")
    strange = [key for key in content if not isinstance(key, str)]
    if strange:
        raise SettingsInvalid(f"{file}: {strange[0]}: there is no such setting; expected the name of one")
    return content
