"""Whether the site's Kueue says how it is set up: else forecasts go by its defaults. Better known before than wondered
at after."""

from collections.abc import Iterator

from agent.adapters.kubernetes.examination import Examination
from agent.adapters.kubernetes.rbac import KUEUE_CONFIG
from agent.adapters.kueue.configuration import rules_in
from agent.adapters.kueue.rules import KueueRules
from agent.doctor.finding import Finding, ok, warn
from agent.ports import ClusterFault, Forbidden, NotFound

CHECK = "Kueue's configuration"
DEFAULTS = "forecasts go by Kueue's defaults until then: name its ConfigMap by `kueue_configuration`"


def configuration(server: Examination, place: str) -> Iterator[Finding]:
    """`place` is namespace/name of the ConfigMap that its manager reads."""
    namespace, _, name = place.partition("/")
    try:
        said = _in_words(rules_in(server.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")))
    except NotFound:
        yield warn(CHECK, f"there is no ConfigMap {place}", DEFAULTS)
    except Forbidden:
        yield warn(CHECK, f"the ConfigMap {place} may not be read", f"{DEFAULTS}, and grant the Role {KUEUE_CONFIG}")
    except (ClusterFault, ValueError) as wrong:
        yield warn(CHECK, f"{place} cannot be read: {wrong}", DEFAULTS)
    else:
        yield ok(CHECK, f"{place}: {said}")


def _in_words(rules: KueueRules) -> str:
    strategies = f" ({', '.join(rules.fair_strategies)})" if rules.fair_sharing else ""
    told = [f"fair sharing is {'on' if rules.fair_sharing else 'off'}{strategies}"]
    told += [f"what no quota names: {rules.undeclared.value}"]
    told += [f"{len(rules.ignored_prefixes)} prefixes of resources are ignored"] if rules.ignored_prefixes else []
    told += [f"{len(rules.transformations)} resources are transformed"] if rules.transformations else []
    return ", ".join(told)
