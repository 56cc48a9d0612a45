"""Native manifests in a scenario file: checked for what every Kubernetes object has, otherwise left as written."""

import copy
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from agent.domain.base import Noun

MOST_REPEATS = 1_000_000  # the largest public storm counted 800,000 lines


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(min_length=1)
    namespace: str | None = None
    labels: dict[str, str | None] | None = None  # null takes one away where the manifest is merged
    annotations: dict[str, str | None] | None = None


class Manifest(BaseModel):
    """An object as somebody would give it to kubectl, status included."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    api_version: str = Field(alias="apiVersion", min_length=1)
    kind: str = Field(min_length=1)
    metadata: _Metadata

    def body(self) -> dict[str, Any]:
        """The manifest as written: a fresh copy, because the world will write into it."""
        return copy.deepcopy(self.model_dump(by_alias=True, exclude_unset=True))


class Repeated(Noun):
    """A manifest that many objects share; `{i}` counts from `from`."""

    repeat: int = Field(ge=0, le=MOST_REPEATS)
    from_: int = Field(default=0, alias="from")
    manifest: Manifest


def _form(value: object) -> str:
    given = value if isinstance(value, dict) else {}
    return "<repeated>" if isinstance(value, Repeated) or {"manifest", "repeat"} & set(given) else "<manifest>"


ClusterItem = Annotated[
    Annotated[Manifest, Tag("<manifest>")] | Annotated[Repeated, Tag("<repeated>")], Discriminator(_form)
]


def bodies(items: tuple[Manifest | Repeated, ...]) -> list[dict[str, Any]]:
    """Every object that `items` stand for, in their order."""
    objects: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Manifest):
            objects.append(item.body())
        else:
            objects.extend(with_index(item.manifest.body(), i) for i in range(item.from_, item.from_ + item.repeat))
    return objects


def with_index(value: Any, i: int) -> Any:
    """`value` with `{i}` replaced in every string."""
    if isinstance(value, str):
        return value.replace("{i}", str(i))
    if isinstance(value, dict):
        return {with_index(k, i): with_index(v, i) for k, v in value.items()}
    if isinstance(value, list):
        return [with_index(v, i) for v in value]
    return value
