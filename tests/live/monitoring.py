"""The monitoring of a small GPU site: an exporter, a Prometheus that scrapes it, an Alertmanager that posts."""

from pathlib import Path

from servers import Exporter, Server, start_alertmanager, start_prometheus

XID_RULE = {
    "groups": [
        {
            "name": "gpu",
            "rules": [
                {
                    "alert": "GPUXidError",
                    "expr": "DCGM_FI_DEV_XID_ERRORS > 0",
                    "labels": {
                        "severity": "critical",
                        "xid": '{{ $value | printf "%.0f" }}',
                        "node": "{{ $labels.Hostname }}",
                    },
                    "annotations": {"summary": "XID {{ $value }} on {{ $labels.Hostname }} GPU {{ $labels.gpu }}"},
                }
            ],
        }
    ]
}


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exporter = Exporter()
        self.servers: list[Server] = []

    def xid(self, code: int, node: str, namespace: str, pod: str) -> None:
        """What dcgm-exporter shows from now on: GPU 3 of `node` last reported `code`, its neighbour nothing."""
        self.exporter.page = "".join(
            [
                "# HELP DCGM_FI_DEV_XID_ERRORS Value of the last XID error encountered.\n",
                "# TYPE DCGM_FI_DEV_XID_ERRORS gauge\n",
                *(
                    f'DCGM_FI_DEV_XID_ERRORS{{gpu="{gpu}",UUID="GPU-{gpu}",pci_bus_id="00000000:B{gpu}:00.0",'
                    f'device="nvidia{gpu}",modelName="NVIDIA H100 80GB HBM3",Hostname="{node}",DCGM_FI_DRIVER_VERSION='
                    f'"550.90.07",container="main",namespace="{namespace}",pod="{pod}",err_code="{value}",'
                    f'err_msg="GPU has fallen off the bus"}} {value}\n'
                    for gpu, value in ((2, 0), (3, code))
                ),
                "# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).\n# TYPE DCGM_FI_DEV_GPU_TEMP gauge\n",
                f'DCGM_FI_DEV_GPU_TEMP{{gpu="3",UUID="GPU-3",device="nvidia3",Hostname="{node}"}} 41\n',
            ]
        )

    def watch_with(self, webhook_url: str, token: str | None = None) -> None:
        """Starts Alertmanager, which posts there, and Prometheus."""
        alertmanager, port = start_alertmanager(self.folder, webhook_url, token)
        self.servers.append(alertmanager)
        self.servers.append(start_prometheus(self.folder, self.exporter, port, XID_RULE))

    def stop(self) -> None:
        for server in reversed(self.servers):
            server.stop()
        self.exporter.stop()
