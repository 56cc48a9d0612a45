"""How the site's own repair system is asked: by one custom resource for each request."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from agent.domain.base import Noun

Operation = Literal["diagnose", "reset_gpu", "reboot", "replace", "support"]
PLACES = ("{node}", "{gpu_uuid}", "{operation}")


class RepairKind(Noun):
    """One operation. In `spec`, {node}, {gpu_uuid} and {operation} stand for what is asked."""

    api_version: str = Field(alias="apiVersion", pattern=r"^[a-z0-9.-]+/v[a-z0-9]+$")
    kind: str = Field(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")
    namespace: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,63}$")
    spec: dict[str, Any]

    @model_validator(mode="after")
    def _says_which_node(self) -> Self:
        if "{node}" not in str(self.spec):
            raise ValueError("spec names no node: {node} has to stand in it somewhere")
        return self


class RepairSettings(Noun):
    """`done` and `failed`: the conditions in `status.conditions` that end a request when they are True."""

    operations: dict[Operation, RepairKind] = Field(min_length=1)
    done: tuple[str, ...] = Field(default=("Complete", "Succeeded", "NodeReady"), min_length=1)
    failed: tuple[str, ...] = ("Failed",)
