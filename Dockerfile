# SPDX-FileCopyrightText: The Flame Authors
# SPDX-License-Identifier: Apache-2.0
#
# The operator's image, for those who have a container builder:
#
#   docker build --build-arg VERSION=v0.1.0 -t docker.io/xflops/flame-operator:v0.1.0 .
#
# `make images` makes the same image without one.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26 AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY api/ api/
COPY controllers/ controllers/
COPY internal/ internal/
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w -X main.version=$VERSION" -o /manager .

FROM gcr.io/distroless/static:nonroot
COPY --from=build /manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
