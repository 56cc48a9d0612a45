"""Settings: one file, then the environment, then flags; frozen once read. Secrets come from files or the environment.

An unknown key or a bad value is one error that names the file, the key and what was expected.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from agent.domain.approval import Person, Rules
from agent.domain.identity import Directory, Issuer
from agent.domain.plain_yaml import NotPlain, plain_yaml
from agent.domain.repairing import RepairSettings
from agent.domain.reservations import Reservations
from agent.domain.slack import SlackSettings
from agent.domain.thresholds import Thresholds

DEFAULT_FILE = Path("watchkeeper.yaml")
PREFIX: Final = "WATCHKEEPER_"
_OF_A_SERVICE: Final = re.compile(r"(.*_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")
"""What a kubelet puts into every pod of a namespace that has a Service named watchkeeper: nobody's setting."""


WORD_AT_MOST = 100  # characters; counted apart, since a pattern that counts letters of all scripts takes 10 MiB
_SCOPE: Final = r"^[\w./:-]*$"
_MODEL: Final = r"^[\w.:/+-]+$"
_ANCHOR: Final = r"^(\.{0,2}/|file:///|(git\+(https?|ssh|git|file)|s3\+https?|kubernetes)://([\w.-]+@)?)[^\s@]+$"
_WITNESS: Final = r"^https?://[^\s/@=]+[^\s@=]*=[^\s+=]+\+[0-9a-f]{8}\+[\w+/=]+$"


class SettingsInvalid(ValueError):
    """Names the place and what was expected."""


class Settings(BaseSettings):
    """Everything a site may set. Made from what it is given alone: `load_settings` reads the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database: Path = Path("watchkeeper.db")
    log: str | None = Field(
        default=None, pattern=r"^postgresql://([\w.-]+@)?[\w.-]+(:\d{1,5})?/[\w-]+(\?[\w=&/.-]*)?$"
    )  # where the audit log lies, if not in the database; a password comes from PGPASSFILE or PGPASSWORD
    anchors: tuple[Annotated[str, Field(pattern=_ANCHOR)], ...] = ()  # where checkpoints of the log are kept
    anchor_every_s: int = Field(default=3600, ge=60, le=86400)  # what is newer than the last can be rewritten unseen
    checkpoint_key_file: Path | None = None  # signs them; `audit checkpoint --new-key` makes one
    earlier_keys: tuple[str, ...] = ()  # public keys from before a rotation
    witnesses: tuple[Annotated[str, Field(pattern=_WITNESS)], ...] = ()  # URL=VKEY; they cosign what is kept
    retention_days: int = Field(default=400, ge=183)  # `audit retain` drops what is older; at least six months
    world: Literal["live", "simulated"] = "live"
    cluster: str = "default"
    kubeconfig: Path | None = None  # how the live cluster is reached; without it as a pod, else as kubectl does
    kube_context: str | None = Field(default=None, min_length=1, max_length=253)
    observe: bool | None = None  # proposes and records, changes nothing; a live world's way until a level is set
    prometheus_url: str | None = Field(default=None, pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$")
    prometheus_token_file: Path | None = None
    leader_election: bool = True  # of the live world: one agent acts at a time
    lease: str = Field(default="watchkeeper/watchkeeper", pattern=r"^[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}$")
    kueue_configuration: str = Field(  # the ConfigMap that its manager reads
        default="kueue-system/kueue-manager-config", pattern=r"^[a-z0-9.-]{1,63}/[a-z0-9.-]{1,253}$"
    )
    admission_check: bool = True  # of the live world: whether AdmissionChecks with our controller's name are answered
    repair: RepairSettings | None = None  # the site's own repair system, as custom resources
    identities: tuple[Person, ...] = ()
    slack: SlackSettings | None = None  # a door and a place to be told
    issuers: tuple[Issuer, ...] = ()  # OpenID providers by whose tokens people are known at the HTTP doors
    single_operator: str | None = None  # the only person there is: fills every place of an approval alone
    break_glass: tuple[str, ...] = ()  # groups whose members may approve alone in an emergency; nobody may by default
    policies: Path | None = None  # a folder of Rego in place of the bundled one
    freeze_file: Path | None = (
        None  # while it exists nothing is done; without it, watchkeeper.freeze beside the database
    )
    freeze_config_map: str = Field(default="watchkeeper/watchkeeper", pattern=r"^[a-z0-9.-]{1,63}/[a-z0-9.-]{1,253}$")
    policy_data: dict[str, Any] = {}  # merged over the policies' own data
    policy_key_file: Path | None = None  # public key (PEM): then only bundles signed with its other half are taken
    policy_scope: str = Field(default="", max_length=WORD_AT_MOST, pattern=_SCOPE)  # what the signature must be for
    opa_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s/@?#]+$"
    )  # an OPA server decides instead of the embedded engine, by the same policies
    opa_token_file: Path | None = None  # bearer token for it
    opa_token_env: str | None = Field(default=None, pattern=r"^[A-Z_][A-Z0-9_]{0,100}$")  # or the variable that has it
    opa_ca_file: Path | None = None
    opa_certificate_file: Path | None = None  # ours, where the server wants to know its clients
    opa_key_file: Path | None = None
    opa_timeout_s: float = Field(default=1.5, ge=0.05, le=30)
    playbooks: Path | None = None
    listen: str = Field(default="127.0.0.1:9710", pattern=r"^[^\s:]+:\d{1,5}$")  # host:port of the inbound doors
    inbound_token_file: Path | None = None
    look_every_s: int = Field(default=30, ge=1, le=3600)  # how often metrics and objects are looked at
    call_when_away_s: int = Field(
        default=1800, ge=60, le=86400
    )  # policies or metrics away for so long: a person is called
    reservations: Reservations | None = (
        None  # starts held for large gangs in our own Queues; none: the queues hold none
    )
    thresholds: Thresholds = Thresholds()  # from when on, or from how many on, something counts
    model_endpoint: str | None = Field(
        default=None, pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$"
    )  # without credentials
    model_name: str | None = Field(default=None, max_length=WORD_AT_MOST, pattern=_MODEL)
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
        """No scenario and no flag is overruled by what this machine's environment says."""
        return (init_settings,)

    @model_validator(mode="after")
    def _a_model_has_a_place_and_a_name(self) -> Self:
        if (self.model_endpoint is None) != (self.model_name is None):
            raise ValueError("model_endpoint and model_name go together")
        return self

    @model_validator(mode="after")
    def _anchors_keep_what_is_signed(self) -> Self:
        if self.anchors and self.checkpoint_key_file is None:
            raise ValueError("anchors keep signed checkpoints: set checkpoint_key_file, too")
        return self

    @model_validator(mode="after")
    def _everybody_is_somebody(self) -> Self:
        _ = self.directory
        if len({issuer.issuer for issuer in self.issuers}) < len(self.issuers):
            raise ValueError("two of the issuers are the same: one issuer has one audience and one set of groups")
        return self

    @property
    def directory(self) -> Directory:
        """Whose answer counts, at every door alike."""
        rules = Rules(single_operator=self.single_operator, break_glass=self.break_glass)
        return Directory(people=self.identities, rules=rules)

    @model_validator(mode="after")
    def _what_is_said_of_a_server_needs_one(self) -> Self:
        said = ("opa_token_file", "opa_token_env", "opa_ca_file", "opa_certificate_file", "opa_key_file")
        without = [key for key in said if getattr(self, key) is not None] if self.opa_url is None else []
        if without:
            raise ValueError(f"{without[0]} needs opa_url")
        if (self.opa_certificate_file is None) != (self.opa_key_file is None):
            raise ValueError("opa_certificate_file and opa_key_file go together")
        if self.opa_token_file is not None and self.opa_token_env is not None:
            raise ValueError("opa_token_file and opa_token_env exclude each other")
        secure = (self.opa_url or "").startswith("https://")
        if self.opa_url is not None and not secure and (self.opa_token_file or self.opa_token_env):
            raise ValueError("a token is not sent over http: opa_url must be https://")
        return self

    @property
    def observes(self) -> bool:
        """Said outright, or a live cluster for which nobody has chosen a level or policies yet."""
        if self.observe is not None:
            return self.observe
        return self.world == "live" and self.policies is None and "autonomy" not in self.policy_data

    @property
    def log_place(self) -> str | Path:
        return self.log or self.database

    @property
    def freeze_at(self) -> Path:
        return self.freeze_file or self.database.with_name("watchkeeper.freeze")

    @property
    def checkpoints(self) -> Path:
        return self.database.with_name(self.database.stem + "-threads.db")


def as_run(settings: Settings) -> Settings:
    """As `watchkeeper run` goes by them: who only observes decides at that level, whatever else is said, and so do the
    bundle that is built and the checks of it. That nothing is changed is the gate's to see to, too."""
    if not settings.observes:
        return settings
    level = {"autonomy": {"default": "observe"}}
    return settings.model_copy(update={"observe": True, "policy_data": {**settings.policy_data, **level}})


class _OfThisMachine(Settings):
    """Each key can be given as WATCHKEEPER_<KEY> too (JSON for maps and lists); it goes over what the file says."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(path: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Reads the file (default ./watchkeeper.yaml, when there is one). Raises SettingsInvalid."""
    file = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    place = str(file) if file else "settings"
    _all_known(os.environ)
    try:
        settings = _OfThisMachine(**(_read(file) if file else {}))
        given = {key: value for key, value in (flags or {}).items() if value is not None}
        return Settings.model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        raise SettingsInvalid(f"{place}: {_sentence(error)}") from error
    except SettingsError as error:  # the environment's value of a map or list
        raise SettingsInvalid(f"the environment: {error}; maps and lists are given as JSON there") from error


def _all_known(environment: Iterable[str]) -> None:
    """A mistyped key would be a setting that silently does nothing."""
    ours = (key for key in environment if key.upper().startswith(PREFIX))
    for key in sorted(ours):
        name = key[len(PREFIX) :].upper()
        if name.lower() not in Settings.model_fields and not _OF_A_SERVICE.fullmatch(name):
            raise SettingsInvalid(f"the environment: {key}: {_no_such_setting()}")


def _no_such_setting() -> str:
    return f"there is no such setting; expected one of {', '.join(sorted(Settings.model_fields))}"


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return f"{key}: {_no_such_setting()}"
    return f"{key}: {why_bad(first)}" if key else why_bad(first)


def why_bad(error: ErrorDetails) -> str:
    """What is wrong with the value: pydantic's word, and for a threshold what it is good for."""
    if len(error["loc"]) < 2 or error["loc"][0] != "thresholds":
        return error["msg"]
    if error["type"] == "extra_forbidden":
        return f"there is no such threshold; expected one of {', '.join(sorted(Thresholds.model_fields))}"
    field = Thresholds.model_fields.get(str(error["loc"][1]))
    extra = field.json_schema_extra if field else None
    if error["type"] == "greater_than_equal" and isinstance(extra, dict):
        return f"{error['msg']}: {extra['because']}"
    return error["msg"]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = plain_yaml(file.read_text(encoding="utf-8")) or {}
    except (OSError, NotPlain, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SettingsInvalid(f"{file}: expected a map of settings, found {type(content).__name__}")
    strange = [key for key in content if not isinstance(key, str)]
    if strange:
        raise SettingsInvalid(f"{file}: {strange[0]}: there is no such setting; expected the name of one")
    return content
