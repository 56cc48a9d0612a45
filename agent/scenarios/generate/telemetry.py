"""What a site's monitoring says: DCGM's gauges, the kernel's lines, and Alertmanager's webhooks."""

from datetime import timedelta

from agent.scenarios.generate.site import PRODUCTS, Json, Site, device_uuid, seconds, uid

NEVER = "0001-01-01T00:00:00Z"
FELL_OFF = "NVRM: Xid (PCI:0000:b3:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."


def labels(site: Site, node: str, index: int, pod: str | None) -> str:
    """Exactly as the world's own exporter names the device, so that the series is the same one."""
    about = {
        "gpu": str(index),
        "UUID": device_uuid(node, index),
        "device": f"nvidia{index}",
        "modelName": PRODUCTS[site.kind],
        "Hostname": node,
    }
    if pod is not None:
        about |= {"namespace": site.tenant.name, "pod": pod, "container": "main"}
    return ",".join(f'{key}="{value}"' for key, value in about.items())


def activity(site: Site, node: str, devices: range, pod: str, percent: int, power_w: int | None = None) -> str:
    """Utilisation, engine activity and power of some GPUs of one pod."""
    lines = []
    for index in devices:
        about = labels(site, node, index, pod)
        lines.append(f"DCGM_FI_DEV_GPU_UTIL{{{about}}} {percent}")
        lines.append(f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{about}}} {percent / 100}")
        lines.append(f"DCGM_FI_DEV_POWER_USAGE{{{about}}} {60 + 6 * percent if power_w is None else power_w}")
    return "\n".join(lines) + "\n"


def metrics(at: timedelta, text: str) -> Json:
    return {"at": seconds(at), "metrics": text}


def xid(site: Site, at: timedelta, node: str, index: int, pod: str | None, code: int) -> Json:
    return metrics(at, f"DCGM_FI_DEV_XID_ERRORS{{{labels(site, node, index, pod)}}} {code}\n")


def kernel(at: timedelta, node: str, line: str) -> Json:
    return {"at": seconds(at), "log": {"node": node, "line": line}}


def alert(site: Site, at: timedelta, name: str, about: dict[str, str], fired: timedelta | None = None) -> Json:
    """`fired`: when it did, of one that is resolved `at`. It always began a minute before."""
    status = "firing" if fired is None else "resolved"
    said = {"alertname": name, "severity": "warning", **about}
    begun = at if fired is None else fired
    one = {
        "status": status,
        "labels": said,
        "annotations": {"summary": f"{name} on {site.label}"},
        "startsAt": site.moment(begun - timedelta(minutes=1)),
        "endsAt": NEVER if fired is None else site.moment(at),
        "generatorURL": "http://prometheus.monitoring:9090/graph",
        "fingerprint": uid("alert", name, *about.values())[:16].replace("-", "0"),
    }
    body = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "watchkeeper",
        "groupLabels": {"alertname": name},
        "commonLabels": said,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.monitoring:9093",
        "alerts": [one],
    }
    return {"at": seconds(at), "alert": body}
