//! What `--help` ends with: commands to type.

pub const BUILD_EXAMPLES: &str = "\
Examples:
  whit build                          # the project in this folder -> NAME.tar
  whit build examples/fastapi -o oci:out:latest
  whit build . -- python -m app --port 8000
  docker save mycompany/python:3.12 -o base.tar && whit build . --base base.tar
  whit build . --probe 'GET /items?limit=1' --probe 'POST /items json={\"name\":\"a\"}'
  docker load -i fastapi.tar && docker run --rm -p 8000:8000 fastapi
  whit build . --single               # one executable, FROM scratch
  whit build . -o exe:app             # the same for any Linux, without an image
  whit build . -o docker-daemon:app   # straight into Docker
  whit build . -t registry.example/app:1 --push";

pub const SHRINK_EXAMPLES: &str = "\
Examples:
  whit shrink python-api:latest                       # of Docker, Podman or a registry
  whit shrink docker://registry.example/api:1 -t registry.example/api:1-small --push
  whit shrink docker-daemon:api -o docker-daemon:api:small
  whit shrink docker-archive:api.tar -o docker-archive:small.tar
  whit shrink oci:layout:1.2 -o oci:layout:1.2-small --compress zstd:19
  whit shrink api.tar --exec 'python -m app migrate --help' --keep '/srv/plugins'
  whit shrink --dockerfile Dockerfile . --build-arg VERSION=2   # built first";

pub const WHY_EXAMPLES: &str = "\
Examples:
  whit why fastapi.tar /usr/lib/python3.11/decimal.pyc
  whit why fastapi.tar usr/bin/perl
  whit why --report report.json /app/templates/index.html";

pub const INIT_EXAMPLES: &str = "\
Examples:
  whit init                      # whit.toml in this folder
  whit init services/api --force # in the place of the one that is there";

pub const CONFIG_EXAMPLES: &str = "\
Examples:
  whit config                    # every value, and where it comes from
  WHIT_POLICY=tight whit config services/api --env MODE=test
  whit config --json | jq -r '.[] | select(.key == \"python\").value'
  whit config --schema > whit.schema.json";

pub const CACHE_EXAMPLES: &str = "\
Examples:
  whit cache                     # what is there, and how large
  whit cache prune --max 5G      # what was not used for the longest time goes
  whit cache clear blobs layers";

pub const EXPLORE_EXAMPLES: &str = "\
Examples:
  whit explore app.tar                # walk in it; / filters, s sorts, q quits
  whit explore app.tar --text | less
  whit explore app-small.tar --html app.html   # before and after, if whit made it small
  whit explore oci:layout:1.2 --json | jq '.wasted[] | {name, bytes, mend}'

A file's bytes on the wire are read off the compressed layer while it is unpacked,
to 4 kB of a gzip layer and to a block, of at most 128 kB, of a zstd layer. Layers
that are stored without compression, as `docker save` does, have none.";

pub const SIZE_EXAMPLES: &str = "\
Examples:
  whit size api.tar oci:layout:1.2
  whit size api.tar --have base.tar --bandwidth 20Mbps
  whit size Dockerfile Dockerfile.slim --engine podman      # built first
  whit size api.tar --recompress gzip --recompress zstd:19
  whit size api.tar --max 20MB --max-package numpy=30MB   # exit code 1 if it is more
  whit size *.tar --markdown";

pub const COMPARE_EXAMPLES: &str = "\
Examples:
  whit compare                        # the project in this folder
  whit compare examples/fastapi --markdown > sizes.md
  whit compare --only rare --only legendary --html sizes.html
  whit compare --cold                 # builds everything a second time, from nothing
  whit compare --emit-dockerfiles dockerfiles --engine podman --network host";

pub const DIFF_EXAMPLES: &str = "\
Examples:
  whit diff old.tar new.tar
  whit diff old.tar new.tar --fail-on-growth 5%            # exit code 1 if it grew more
  whit diff old.tar new.tar --markdown > comment.md";

pub const RECIPE_EXAMPLES: &str = "\
Examples:
  whit shrink docker-daemon:api:1 -o small.tar
  whit recipe small.tar > Dockerfile
  docker build -t api:1-small - < Dockerfile
  podman build -t api:1-small -f Dockerfile .";

pub const RUN_EXAMPLES: &str = "\
Examples:
  whit run fastapi.tar -p 8080:8000   # http://127.0.0.1:8080 answers
  whit run hello.tar -- --name Bob";

pub const MATRIX_EXAMPLES: &str = "\
Examples:
  whit matrix examples/matrix
  whit matrix . --only 'Dockerfile.hello-*' --jobs 4 --engine podman
  whit matrix . --markdown > MATRIX.md
  whit matrix . --compose compose.yaml     # writes the file and builds nothing

What came of a Dockerfile is kept, and tried again when it, its context or its bases
changed. Builds that failed are always tried again.";

pub const LINT_EXAMPLES: &str = "\
Examples:
  whit lint                           # ./Dockerfile
  whit lint services/api --fix        # mends what is safe to mend
  whit lint Dockerfile.prod --target runtime --json
  whit lint --image api.tar           # counts in the image instead of estimating
  whit lint --fix --unsafe-fixes      # and what wants a look: try the build afterwards

A comment above an instruction turns rules off for it:
  # whit: ignore=apt-recommends,fat-base";
