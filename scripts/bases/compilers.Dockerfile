# tag: debian-compilers:bookworm
# Debian's C, Go and Rust, and musl's C library, for images of several stages.
FROM debian-lists:bookworm
RUN apt-get install -y --no-install-recommends gcc golang-go libc6-dev libcap2-bin musl-tools rustc
