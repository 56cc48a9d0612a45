"""How this world's Kueue is configured: by the manager's own ConfigMap, where the scenario has one.

Without it a workload has five minutes to become ready and is sent back as often as it takes; a workload that was ready
once is left to recover, since waiting for recovery is a setting that most clusters do not have.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import yaml

from agent.adapters.kubernetes.owners import Key
from agent.adapters.simulated.store import ObjectStore
from scheduler_core.requeue import Backoff

CONFIG_MAP = Key("", "ConfigMap", "kueue-system", "kueue-manager-config")
FILE = "controller_manager_config.yaml"
TIMEOUT = timedelta(minutes=5)  # Kueue's default
_GO_DURATION = re.compile(r"(?P<amount>\d+(?:\.\d+)?)(?P<unit>h|ms|m|s)")
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class PodsReadyRule:
    """What becomes of an admitted workload whose pods do not get ready. None: nothing."""

    timeout: timedelta | None = TIMEOUT
    recovery_timeout: timedelta | None = None
    backoff: Backoff = field(default_factory=Backoff)


def pods_ready_rule(store: ObjectStore) -> PodsReadyRule:
    """Raises ValueError, naming the ConfigMap and the field."""
    config_map = store.get(CONFIG_MAP)
    text = ((config_map or {}).get("data") or {}).get(FILE)
    return _read(text) if text else PodsReadyRule()


def _read(text: Any) -> PodsReadyRule:
    try:
        config = yaml.safe_load(str(text))
    except yaml.YAMLError as wrong:
        raise ValueError(f"{CONFIG_MAP.name}: {FILE}: {wrong}") from wrong
    rule = config.get("waitForPodsReady") if isinstance(config, dict) else None
    if not isinstance(rule, dict) or rule.get("enable") is False:
        return PodsReadyRule(timeout=None)
    strategy = rule.get("requeuingStrategy") or {}
    timeout = _duration("timeout", rule.get("timeout")) or TIMEOUT
    told = _duration("recoveryTimeout", rule.get("recoveryTimeout"))
    limit = strategy.get("backoffLimitCount")
    return PodsReadyRule(
        timeout=timeout,
        recovery_timeout=(timeout if told is None else told) or None,
        backoff=Backoff(
            base_s=int(strategy.get("backoffBaseSeconds", Backoff.base_s)),
            cap_s=int(strategy.get("backoffMaxSeconds", Backoff.cap_s)),
            limit=None if limit is None else int(limit),
        ),
    )


def _duration(field: str, text: Any) -> timedelta | None:
    """As Go writes it: 1h30m, 90s; None for what is not there."""
    if text is None:
        return None
    parts = list(_GO_DURATION.finditer(str(text)))
    if "".join(each[0] for each in parts) != str(text) and str(text) != "0":
        raise ValueError(f"{CONFIG_MAP.name}: waitForPodsReady.{field}: {text!r} is no duration")
    return timedelta(seconds=sum(float(each["amount"]) * _UNITS_S[each["unit"]] for each in parts))
