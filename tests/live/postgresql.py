"""A real PostgreSQL 15 on a loopback port of its own, with the roles that a log knows, thrown away afterwards."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from servers import free_port, wait_for

BIN = Path("/usr/lib/postgresql/15/bin")  # where Debian's package puts it
OWNER, WRITER, READER, REDACTOR = "log_owner", "log_writer", "log_reader", "log_redactor"


class Postgresql:
    """Started by `start`, killed without a word by `kill`; the data folder survives both."""

    def __init__(self) -> None:
        if not (BIN / "postgres").exists():
            pytest.fail("PostgreSQL 15 is not installed: run tests/live/install.sh (Debian package postgresql-15)")
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="watchkeeper-postgresql-"))
        self._data = self._folder / "data"
        if os.geteuid() == 0:  # the server refuses to run as root, and pytest's own folders are closed to others
            shutil.chown(self._folder, "postgres", "postgres")
        made = ("-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        self._run("initdb", "--no-sync", "-D", str(self._data), *made)  # what is killed here is never the machine
        self.start()
        for role in (OWNER, WRITER, READER, REDACTOR):
            self.sql(f"CREATE ROLE {role} LOGIN")
        self.sql(f"CREATE DATABASE audit OWNER {OWNER}")

    def url(self, role: str, database: str = "audit") -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    @property
    def data(self) -> Path:
        """The server's own files."""
        return self._data

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._folder / "log"), "-o", options, "-w", "start")

    def kill(self) -> None:
        """As a power cut would end it, but for what the kernel still writes."""
        pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 9)
        wait_for("the end of the server", lambda: not Path(f"/proc/{pid}").exists())
        self._run("pkill", "-9", "-f", str(self._data), check=False)

    def limit_files(self, role: str, size: str) -> None:
        """For the role's connections as they are: PostgreSQL takes a file that may not grow for a full disk."""
        for pid in self.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{role}'").split():
            self._run("prlimit", "--pid", pid, f"--fsize={size}:unlimited")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop", check=False)
        shutil.rmtree(self._folder)

    def sql(self, statement: str, role: str = "postgres", database: str = "postgres") -> str:
        """What psql says; a refusal is in the text."""
        command = ["psql", "-X", "-q", "-A", "-t", "-d", self.url(role, database), "-c", statement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(BIN / program) if (BIN / program).exists() else program, *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder, timeout=180)
        if check and done.returncode:
            pytest.fail(f"{program}: {done.stdout}{done.stderr}")
