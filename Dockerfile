# The program with the libtorch that it was built against. Built with the same set-up as everywhere (CONTRIBUTING.md).
FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install --no-install-recommends --yes g++ python3 python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/obelus
COPY . .
RUN cargo xtask setup
RUN cargo build --release --locked --package obelus --package obelus-verify

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --no-install-recommends --yes ca-certificates libstdc++6 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 obelus \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/obelus --shell /usr/sbin/nologin obelus \
    # A volume that is mounted here for the first time takes its owner and mode from this folder.
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/obelus
# The program finds libtorch by a path relative to itself (.cargo/config.toml), so that both keep their places.
COPY --from=build /opt/obelus/.libtorch/lib /opt/obelus/.libtorch/lib
COPY --from=build /opt/obelus/target/release/obelus /opt/obelus/target/release/obelus-verify /opt/obelus/target/release/
ENV PATH=/opt/obelus/target/release:$PATH OBELUS_DATA=/var/lib/obelus
USER 10001:10001
VOLUME /var/lib/obelus
ENTRYPOINT ["obelus"]
CMD ["--help"]
