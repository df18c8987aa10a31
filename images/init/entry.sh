#!/bin/sh
set -eu
. /usr/local/lib/defaults.sh
: "${TARGET:=$(hostname | tr -d '\n' | cut -c1-1)}"
export GREETING TARGET
exec "$@"
