"""ports.Metrics over a Prometheus server's HTTP API, by prometheus-api-client. That library is imported here alone."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agent.ports import MetricsUnavailable, Series

if TYPE_CHECKING:
    from requests import Session

TIMEOUT_S = 10  # a read that takes longer is no basis for an action; the next look tries again
RETRIES, RETRY_PAUSE_S = 2, 0.1  # for one that starts anew; a look waits for nobody longer, since the next comes soon
PASSING = (408, 429, 500, 502, 503, 504)  # answers that may be others a moment later
POINTS_MAX = 11_000  # per series: the server refuses more


class PrometheusMetrics:
    """Reads only. Every way of failing is MetricsUnavailable, with the cause chained."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        from prometheus_api_client import PrometheusConnect
        from urllib3.util.retry import Retry

        self._url = url
        again = Retry(total=RETRIES, backoff_factor=RETRY_PAUSE_S, status_forcelist=PASSING)
        self._connection = PrometheusConnect(
            url=url, headers=dict(headers or {}), timeout=TIMEOUT_S, retry=again, session=_session(url)
        )

    def instant(self, query: str, at: datetime) -> list[Series]:
        when = {"time": f"{at.timestamp():.3f}"}
        return self._read(query, lambda: self._connection.custom_query(query, params=when))

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        if step <= timedelta(0) or (end - start) // step > POINTS_MAX:
            raise ValueError(f"from {start} to {end} by {step} is no range of at most {POINTS_MAX} points")
        seconds = f"{step.total_seconds():g}s"
        return self._read(query, lambda: self._connection.custom_query_range(query, start, end, seconds))

    def _read(self, query: str, ask: Callable[[], Any]) -> list[Series]:
        from prometheus_api_client.exceptions import PrometheusApiClientException
        from requests.exceptions import RequestException

        try:
            return sorted((_series(one) for one in ask()), key=lambda s: sorted(s.labels.items()))
        except (RequestException, PrometheusApiClientException) as error:
            raise MetricsUnavailable(f"{self._url}: {query}: {error}") from error
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # or a time of 1e300
            raise MetricsUnavailable(f"{self._url}: {query}: the answer is not Prometheus': {error!r}") from error


def _session(url: str) -> "Session":
    """What the environment says (proxies, certificates, netrc) is read once: requests reads it for every question."""
    from requests import Session
    from requests.utils import get_netrc_auth

    session = Session()
    said = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.auth = said["proxies"], said["verify"], get_netrc_auth(url)
    session.trust_env = False
    return session


def _series(one: Mapping[str, Any]) -> Series:
    """A vector's entry has `value`, a matrix' has `values`. NaN is the absence of a value, not one."""
    pairs = one["values"] if "values" in one else [one["value"]]
    points = ((datetime.fromtimestamp(float(at), UTC), float(value)) for at, value in pairs)
    return Series(dict(one["metric"]), tuple(p for p in points if not math.isnan(p[1])))
