#!/usr/bin/env bash
# Reports on people; each word is a mode of its own.
set -euo pipefail

people=${PEOPLE:-/srv/people.json}

case ${1:-names} in
names)
    jq -r '.[].name' "$people" | sort | nl
    ;;
oldest)
    jq -r 'max_by(.born * -1) | .name' "$people"
    ;;
decades)
    jq -r '.[].born' "$people" | cut -c1-3 | sort | uniq -c | awk '{ print $2 "0s", $1 }'
    ;;
digest)
    sha256sum <"$people" | head -c 12
    ;;
fetch)
    curl --fail --silent --show-error "$2" | tr 'a-z' 'A-Z'
    ;;
stamp)
    date --utc --date "@${2:-0}" +%FT%T
    ;;
*)
    echo "report.sh: no such report: $1" >&2
    exit 64
    ;;
esac
