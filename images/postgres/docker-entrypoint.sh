#!/usr/bin/env bash
# Makes a cluster in an empty volume, fills it, and becomes the server.
set -Eeo pipefail

is_sourced() {
    [ "${#FUNCNAME[@]}" -ge 2 ] && [ "${FUNCNAME[0]}" = is_sourced ] && [ "${FUNCNAME[1]}" = source ]
}

# file_env VAR: from the environment, or from the file that VAR_FILE names.
file_env() {
    local var=$1 fileVar="$1_FILE" def=${2:-}
    if [ -n "${!var:-}" ] && [ -n "${!fileVar:-}" ]; then
        printf >&2 'error: both %s and %s are set\n' "$var" "$fileVar"
        exit 1
    fi
    local val=$def
    if [ -n "${!var:-}" ]; then
        val=${!var}
    elif [ -n "${!fileVar:-}" ]; then
        val=$(<"${!fileVar}")
    fi
    export "$var"="$val"
    unset "$fileVar"
}

make_directories() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || :
    mkdir -p /var/run/postgresql || :
    chmod 03775 /var/run/postgresql || :
    if [ "$(id -u)" = 0 ]; then
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    fi
}

process_sql() {
    psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password --dbname "$POSTGRES_DB" "$@"
}

process_init_files() {
    local f
    for f; do
        case "$f" in
            *.sh)
                if [ -x "$f" ]; then
                    printf '%s: running %s\n' "$0" "$f"
                    "$f"
                else
                    printf '%s: sourcing %s\n' "$0" "$f"
                    . "$f"
                fi
                ;;
            *.sql) printf '%s: running %s\n' "$0" "$f"; process_sql -f "$f" ;;
            *.sql.gz) printf '%s: running %s\n' "$0" "$f"; gunzip -c "$f" | process_sql ;;
            *.sql.xz) printf '%s: running %s\n' "$0" "$f"; xzcat "$f" | process_sql ;;
            *) printf '%s: ignoring %s\n' "$0" "$f" ;;
        esac
    done
}

main() {
    if [ "${1:0:1}" = - ]; then
        set -- postgres "$@"
    fi
    if [ "$1" = postgres ]; then
        file_env POSTGRES_PASSWORD
        file_env POSTGRES_USER postgres
        file_env POSTGRES_DB "$POSTGRES_USER"
        make_directories
        if [ "$(id -u)" = 0 ]; then
            exec gosu postgres "$BASH_SOURCE" "$@"
        fi
        if [ ! -s "$PGDATA/PG_VERSION" ]; then
            ls /docker-entrypoint-initdb.d/ >/dev/null
            # Peers on the socket are trusted while the cluster is made.
            initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-none}") \
                --auth-local=trust --auth-host=scram-sha-256
            printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
            PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start
            if [ "$POSTGRES_DB" != postgres ]; then
                POSTGRES_DB='' process_sql --dbname postgres --set db="$POSTGRES_DB" <<-'EOSQL'
					CREATE DATABASE :"db" ;
				EOSQL
            fi
            process_init_files /docker-entrypoint-initdb.d/*
            PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
            printf '\nPostgreSQL init process complete; ready for start up.\n\n'
        fi
    fi
    exec "$@"
}

if ! is_sourced; then
    main "$@"
fi
