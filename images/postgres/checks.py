"""A database: whit sees it start, and nothing of what it can."""

from images import volume


def checks(image):
    with volume() as data:
        options = ("--volume", f"{data}:/var/lib/postgresql/data", "--env", "POSTGRES_PASSWORD=s3cret")
        with image.serving(5432, options=options, ready=ready) as app:
            count = psql(app, "SELECT count(*) FROM people")
            yield "scripts in SQL, compressed, executed and sourced", count.out == "4\n" or count
            yield from abilities(app)
            psql(app, "INSERT INTO people VALUES ('Radia Perlman', 1951)")
            dump = app.exec("pg_dump", "-U", "postgres", "-t", "people")
            yield "pg_dump", "Radia Perlman" in dump.out or dump
            yield "SIGINT ends it", app.stop() == 0
        with image.serving(5432, options=options, ready=ready) as app:
            count = psql(app, "SELECT count(*) FROM people")
            yield "an existing volume", count.out == "5\n" or count
    with image.serving(
        5432, "-c", "work_mem=7MB", options=("--env", "POSTGRES_DB=shop"), ready=ready
    ) as app:
        set = psql(app, "SHOW work_mem", "shop")
        yield "arguments that begin with -", set.out == "7MB\n" or set
    version = image.run("postgres", "--version")
    yield "a command of one's own", "15." in version.out or version


def abilities(app):
    role = app.exec("psql", "postgresql://reader:read@127.0.0.1/postgres", "-Atc", "SELECT current_user")
    yield "a password over TCP", role.out == "reader\n" or role
    refused = app.exec("psql", "postgresql://reader:wrong@127.0.0.1/postgres", "-c", "SELECT 1")
    yield "a wrong password", refused.status == 2 and "reader" in refused.err or refused
    digest = psql(app, "CREATE EXTENSION pgcrypto; SELECT encode(digest('a', 'sha256'), 'hex')")
    yield "pgcrypto", "ca978112" in digest.out or digest
    similar = psql(app, "CREATE EXTENSION pg_trgm; SELECT similarity('word', 'words') > 0.5")
    yield "pg_trgm", similar.out.endswith("t\n") or similar
    procedural = psql(app, "DO $$ BEGIN RAISE NOTICE 'from %', 'plpgsql'; END $$")
    yield "plpgsql", "from plpgsql" in procedural.err or procedural
    zone = psql(app, "SET timezone = 'Asia/Kathmandu'; SELECT extract(timezone FROM timestamptz '2024-07-01')")
    yield "any time zone", "20700" in zone.out or zone
    own = psql(app, "SHOW timezone")
    yield "the time zone of TZ", own.out == "Europe/Oslo\n" or own
    order = psql(app, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{ö,z,a,å,ä}'::text[]) x")
    yield "the order of Swedish letters", order.out == "azåäö\n" or order
    icu = psql(app, """SELECT string_agg(x, '' ORDER BY x COLLATE "de-x-icu") FROM unnest('{ö,z,a}'::text[]) x""")
    yield "the order of German ones", icu.out == "aöz\n" or icu
    latin = psql(app, "SELECT convert_to('å', 'LATIN1')")
    yield "another character set", latin.out == "\\xe5\n" or latin
    search = psql(app, "SELECT to_tsvector('english', 'The quick foxes')")
    yield "full text search", "'fox':3" in search.out or search
    compiled = psql(app, "SET jit_above_cost = 0; SELECT sum(n * 2) FROM generate_series(1, 1000) n")
    yield "a query that is compiled", compiled.out.endswith("1001000\n") or compiled
    program = psql(app, "COPY (SELECT 1) TO PROGRAM 'cat >/tmp/one'")
    yield "a program of the shell", program.status == 0 or program
    xml = psql(app, "SELECT xpath('/a/text()', '<a>b</a>')")
    yield "XML", xml.out == "{b}\n" or xml


def psql(app, text, database="postgres"):
    return app.exec("psql", "-X", "-U", "postgres", "-d", database, "-Atc", text)


def ready(app):
    return app.exec("pg_isready", "-h", "127.0.0.1").status == 0
