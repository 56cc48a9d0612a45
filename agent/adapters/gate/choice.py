"""Makes the policy engine that the settings ask for."""

import os
from pathlib import Path

from agent.adapters.gate.reload import Engine, PoliciesInForce
from agent.adapters.rego.engine import EmbeddedPolicyEngine
from agent.adapters.rego.faults import BundleRefused
from agent.adapters.rego.signature import Trust
from agent.config import Settings
from agent.resources import bundled


def policies_for(settings: Settings) -> PoliciesInForce:
    """Raises PolicyUnavailable, naming file or setting, when there is nothing fit to decide."""
    place = settings.policies or bundled("policies")
    watched = (place, *_given(settings.policy_key_file)) if settings.policies else ()  # what came along stays as it is
    return PoliciesInForce(lambda: _engine(settings, place), watched)


def _engine(settings: Settings, place: Path) -> Engine:
    key = settings.policy_key_file
    trust = Trust(_read(key, "policy_key_file").encode(), settings.policy_scope) if key else None
    if settings.opa_url is None:
        return EmbeddedPolicyEngine(place, settings.policy_data, trust=trust)
    from agent.adapters.opa import OpaPlace, OpaPolicyEngine

    server = OpaPlace(
        settings.opa_url,
        token=_token(settings),
        ca_file=settings.opa_ca_file,
        certificate_file=settings.opa_certificate_file,
        key_file=settings.opa_key_file,
        timeout_s=settings.opa_timeout_s,
    )
    return OpaPolicyEngine(place, settings.policy_data, server=server, trust=trust)


def _token(settings: Settings) -> str | None:
    if settings.opa_token_file is not None:
        return _read(settings.opa_token_file, "opa_token_file").strip()
    if settings.opa_token_env is None:
        return None
    token = os.environ.get(settings.opa_token_env)
    if not token:
        raise BundleRefused(f"opa_token_env: the environment has no {settings.opa_token_env}")
    return token


def _read(file: Path, setting: str) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleRefused(f"{setting}: {error}") from error


def _given(file: Path | None) -> tuple[Path, ...]:
    return (file,) if file else ()
