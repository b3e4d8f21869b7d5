#!/bin/sh
# What the Makefile calls: makes sure that there is a Python, then hands over to netlab.install.
set -eu
cd "$(dirname "$0")/../.."
if [ ! -x /usr/bin/python3 ]; then
  [ "$(id -u)" = 0 ] || { echo "netlab: /usr/bin/python3 is missing; run this as root to have it installed" >&2; exit 1; }
  echo "netlab: installing python3"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 >/dev/null
fi
exec /usr/bin/python3 -m netlab.install "$@"
