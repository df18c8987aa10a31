#!/bin/bash
set -e
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<-EOSQL
	CREATE ROLE reader LOGIN PASSWORD 'read';
	GRANT SELECT ON people TO reader;
EOSQL
