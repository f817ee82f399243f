# The image that the platform runs: `make image` builds it for this machine, `make publish` for all.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETARCH
ARG VERSION=devel
RUN container/assemble /image

# The image has only what was assembled. There is no entry point: the platform names the program to start, python, itself.
FROM scratch
COPY --from=build /image/ /
ENV PATH=/usr/local/bin GOMAXPROCS=1
WORKDIR /var/lib/xsoar-defender
CMD ["python"]
