# SPDX-FileCopyrightText: The Flame Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts of hack/ share. Sourced, never run.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${FLAME_OPERATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/flame-operator}
cluster_dir=${FLAME_OPERATOR_CLUSTER:-$cache/cluster}
archives=$root/build/images
cd "$root"

# The same flags everywhere, so that everything shares one build cache.
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"

VERSION=${VERSION:-$(sed -n 's/^VERSION ?= //p' Makefile)}
export VERSION

# With REGISTRY the images are pushed there and run from there.
IMAGES=${REGISTRY:-docker.io/xflops}
export OPERATOR_IMAGE=${OPERATOR_IMAGE:-$IMAGES/flame-operator:v$VERSION}
export STANDIN_IMAGE=${STANDIN_IMAGE:-$IMAGES/flame-standin:v0.6.0}
export SCORECARD_IMAGE=${SCORECARD_IMAGE:-$IMAGES/flame-scorecard:v$VERSION}

# operator-sdk's own tests have its version. With a local image they have the name
# that the bundle gives them; what unpacks the bundle is named to operator-sdk.
sdk_version=$(sed -n 's#.*github.com/operator-framework/operator-sdk \(v[0-9.]*\).*#\1#p' hack/tools/operator-sdk/go.mod)
export SCORECARD_TEST_IMAGE=${SCORECARD_TEST_IMAGE:-${REGISTRY:-quay.io/operator-framework}/scorecard-test:$sdk_version}
export SCORECARD_UNTAR_IMAGE=${SCORECARD_UNTAR_IMAGE:-$IMAGES/flame-scorecard-untar:v$VERSION}

say() { echo "$*" >&2; }

# die says what went wrong and what to do about it.
die() {
  printf '\nerror: %s\n' "$1" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 1
}

# release_variables sets what config/releases.yaml says: versions, last, channels,
# first_channel, default_channel, architectures and, by version, digests.
release_variables() {
  local variables
  variables=$(hack/bundle/run variables) || die "config/releases.yaml cannot be read." "The lines above say why."
  eval "${variables//declare -A/declare -gA}"
}

# bundle_version prints the version of the bundle in a folder.
bundle_version() { sed -n 's/^  version: //p' "$1/manifests/flame-operator.clusterserviceversion.yaml"; }

# modules lists the folders of the modules whose code is the project's own.
modules() {
  find . -name go.mod -not -path './hack/tools/*' -not -path './build/*' -print0 |
    xargs -0 -n1 dirname | sed 's#^\./##' | sort
}

# localcluster COMMAND [ARGUMENT...] runs hack/localcluster, on the cluster of
# cluster_dir unless the command is about no cluster.
localcluster() {
  local command=$1
  shift
  case $command in
  build | assets) ;;
  *) set -- --dir "$cluster_dir" "$@" ;;
  esac
  (cd hack/localcluster && go run . "$command" "$@")
}

# use_cluster sets KUBECONFIG and puts a kubectl on the PATH: those of the
# caller, or else those of the local cluster, which is started if need be.
use_cluster() {
  if [[ -n ${KUBECONFIG:-} ]]; then
    say "Using the cluster of KUBECONFIG=$KUBECONFIG."
    command -v kubectl >/dev/null || PATH=$(localcluster assets):$PATH
  else
    [[ $(uname -s) == Linux && $(id -u) == 0 ]] ||
      die "the local cluster needs Linux and root: it runs a kubelet." \
        "Run this as root, or set KUBECONFIG to a cluster of your own, such as one of kind," \
        "and LOAD or REGISTRY to say how it gets its images (see CONTRIBUTING.md)."
    KUBECONFIG=$(localcluster up | tail -n1) || die "the local cluster did not start." \
      "The lines above say why; 'make cluster-down' cleans up, then try again."
    PATH=$(localcluster assets):$PATH
  fi
  export KUBECONFIG PATH
  kubectl version -o json >/dev/null || die "the cluster of KUBECONFIG=$KUBECONFIG does not answer." \
    "Start it, or unset KUBECONFIG to use a local one."
}

# delete_namespaces NAME|-l SELECTOR deletes namespaces and waits until they are gone.
# Kubernetes looks at a namespace that had pods again after half of their longest grace
# period, which is long for executor managers, or five minutes, unless somebody changes it.
delete_namespaces() {
  local end=$((SECONDS + 240)) left
  kubectl delete namespace "$@" --ignore-not-found --wait=false >&2
  while left=$(kubectl get namespace "$@" --ignore-not-found -o name) && [[ -n $left ]]; do
    ((SECONDS < end)) || die "these namespaces are still there: ${left//$'\n'/, }." \
      "See what holds them: kubectl get -o yaml ${left//$'\n'/ }"
    # shellcheck disable=SC2086 # one word for each
    kubectl annotate $left "flame.xflops.io/touched=$(date +%s)" --overwrite >/dev/null 2>&1 || true
    sleep 3
  done
}
