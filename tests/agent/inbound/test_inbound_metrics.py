"""dcgm-exporter's XID gauge, pushed as text: a change is news, a repetition is not."""

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import pytest

from agent.adapters.inbound.limits import Limits
from agent.adapters.inbound.metrics import read_metrics
from agent.domain.signal import XidBody

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
LABELS = 'gpu="1",UUID="GPU-1",pci_bus_id="00000000:B3:00.0",device="nvidia1",modelName="NVIDIA H200"'


def gauge(value: object, labels: str = f'{LABELS},Hostname="gpu-3"') -> str:
    return f"# TYPE DCGM_FI_DEV_XID_ERRORS gauge\nDCGM_FI_DEV_XID_ERRORS{{{labels}}} {value}\n"


@pytest.mark.parametrize(
    ("labels", "namespace", "pod"),
    [
        ('Hostname="gpu-3"', None, None),
        ('hostname="gpu-3",namespace="law",pod="p",container="c"', "law", "p"),
        ('Hostname="gpu-3",exported_namespace="law",exported_pod="p",namespace="gpu-operator",pod="dcgm"', "law", "p"),
        ('exported_Hostname="gpu-3",Hostname="monitor",namespace="",pod=""', None, None),
        ('node="gpu-3"', None, None),
    ],
)
def test_every_spelling_of_the_labels(labels: str, namespace: str | None, pod: str | None) -> None:
    (signal,) = read_metrics(gauge(79, f"{LABELS},{labels}"), NOW, {}).delivery.signals
    assert signal.body == XidBody(
        node="gpu-3",
        xid=79,
        gpu="1",
        gpu_uuid="GPU-1",
        pci_bus_id="00000000:B3:00.0",
        namespace=namespace,
        pod=pod,
    )
    assert (signal.subject, signal.time) == ("Node/gpu-3", NOW)


def test_a_change_of_the_value_is_news_and_a_repetition_is_not() -> None:
    gauges, ids = {}, []
    for minute, value in enumerate([0, 79, 79, 31, 79, 0, 0, 79, "NaN", 79]):
        reading = read_metrics(gauge(value), NOW + timedelta(minutes=minute), gauges)
        gauges = reading.gauges
        assert not reading.delivery.refused
        ids += [(signal.id.split(":")[1], signal.time.minute) for signal in reading.delivery.signals]
    assert ids == [("79", 1), ("31", 3), ("79", 4), ("79", 7)]


def test_the_ids_of_two_moments_differ_and_a_redelivered_sample_keeps_its_own() -> None:
    stamped = gauge("79 1793610000000")
    one, two = (read_metrics(stamped, NOW + timedelta(seconds=s), {}).delivery.signals[0] for s in (0, 5))
    later = read_metrics(gauge(79), NOW + timedelta(seconds=5), {}).delivery.signals[0]
    assert one.id == two.id != later.id


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            'DCGM_FI_DEV_XID_ERRORS{gpu="1"} 79',
            "line 2.Hostname: missing: the sample does not say which node it is about",
        ),
        ('DCGM_FI_DEV_XID_ERRORS{Hostname="a"} 79.5', "line 2.value: expected an XID, 1 to 999, found 79.5"),
        ('DCGM_FI_DEV_XID_ERRORS{Hostname="a"} +Inf', "line 2.value: expected an XID, 1 to 999, found inf"),
        ('DCGM_FI_DEV_XID_ERRORS{Hostname="a"} -1', "line 2.value: expected an XID, 1 to 999, found -1"),
        ('DCGM_FI_DEV_XID_ERRORS{Hostname="a" 79', "line 2: not text exposition: could not convert string to float: *"),
        ("}{", "line 2: not text exposition: *"),
    ],
)
def test_a_malformed_line_is_named_and_costs_only_itself(line: str, complaint: str) -> None:
    reading = read_metrics(f"up 1\n{line}\n{gauge(79)}", NOW, {})
    (refused,) = reading.delivery.refused
    assert fnmatchcase(str(refused), complaint)
    assert len(reading.delivery.signals) == 1


def test_the_gauges_remembered_are_limited_to_those_heard_of_last() -> None:
    text = "".join(gauge(0, f'Hostname="gpu-{i}"') for i in range(3))
    assert len(read_metrics(text, NOW, {}, Limits(max_samples=20)).gauges) == 3
    small = read_metrics(gauge(79), NOW, {"old": 1.0, "young": 2.0}, Limits(max_samples=3))
    assert next(iter(small.gauges)) == "old" and len(small.gauges) == 3
    smaller = read_metrics("up 1\n", NOW, small.gauges, Limits(max_samples=2))
    assert "old" not in smaller.gauges and len(smaller.gauges) == 2
