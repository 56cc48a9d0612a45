"""Whether the log outlives the pod, by what the kernel says of the mounts."""

from pathlib import Path

import pytest

from agent.config import Settings
from agent.doctor.finding import State
from agent.doctor.moving import moving

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
LAYER = "588 534 0:60 / / rw,relatime - overlay overlay rw\n"
KEPT = "601 588 8:1 /var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/data/mount {at} rw - ext4 /dev/sda1 rw\n"
FLEETING = "602 588 8:1 /var/lib/kubelet/pods/u/volumes/kubernetes.io~empty-dir/data {at} rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize(
    ("mounts", "state", "said"),
    [
        (LAYER, State.WARN, "the container's own layer"),
        (LAYER + FLEETING, State.WARN, "an emptyDir"),
        (LAYER + KEPT, State.OK, "is a volume"),
        ("", State.WARN, "the container's own layer"),
    ],
)
def test_where_the_file_lies_says_whether_it_stays(mounts: str, state: State, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text(mounts.format(at=tmp_path / "data"), encoding="utf-8")
    (tmp_path / "data" / "own").mkdir(parents=True)
    settings = Settings(world="live", database=tmp_path / "data" / "own" / "w.db")
    (found,) = moving(settings, file, POD)
    assert (found.state, said in found.said) == (state, True)
    assert ("PersistentVolume" in found.remedy) is (state is State.WARN)


def test_it_is_asked_of_a_pod_with_a_file_alone(tmp_path: Path) -> None:
    settings = Settings(world="live", database=tmp_path / "w.db")
    assert list(moving(settings, tmp_path / "none", {})) == []
    assert list(moving(Settings(world="simulated"), tmp_path / "none", POD)) == []
    (found,) = moving(settings.model_copy(update={"log": "postgresql://agent@db/audit"}), tmp_path / "none", POD)
    assert found.state is State.OK
