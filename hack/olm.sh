# SPDX-FileCopyrightText: The Flame Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the tests of both OLMs share. Sourced, never run. They use the local cluster
# only: OLM, and what it reads, run inside the network of the node. An operator that
# hack/deploy has installed is removed first: there can be only one that manages all
# namespaces.

# Nothing but what these scripts make is tested.
unset REGISTRY LOAD OPERATOR_IMAGE STANDIN_IMAGE
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# target is the one of make that this is, and work a folder for all that it makes.
target=$(basename "$0")
work=$root/build/${target#test-}
logs=$work/logs

# previous_release prints the last release before VERSION.
previous_release() {
  local version last=
  release_variables
  # shellcheck disable=SC2154 # of release_variables
  for version in $versions; do
    [[ $version == "$VERSION" ]] || last=$version
  done
  [[ -n $last ]] || die "there is no release before $VERSION to update from." "Releases are in config/releases.yaml."
  echo "$last"
}

# release_image builds the operator of a release from the commit that released it.
release_image() {
  local version=$1 commit source=$work/source-$1
  commit=$(hack/release-commit "$version")
  say "Compiling the operator of $version from ${commit:0:12}..."
  rm -rf "$source" && mkdir -p "$source"
  git archive "$commit" | tar -x -C "$source"
  (cd "$source" && go build -ldflags="-s -w -X main.version=v$version" -o "$work/manager-$version" .)
  rm -rf "$source"
  "$work/bin/image" --tag "$IMAGES/flame-operator:v$version" --output "$work/flame-operator-$version.tar" \
    --user 65532:65532 --workdir / --entrypoint /manager "$work/manager-$version:/manager:0755"
}

# tools SET TOOL... puts what the tests run beside each other: tools of hack/tools,
# the one that makes images, and a registry.
tools() {
  local set_name=$1 tool
  shift
  mkdir -p "$work/bin"
  for tool; do
    ln -sf "$(hack/tools/run --build "$set_name" "$tool")" "$work/bin/$tool"
  done
  (cd hack/image && go build -o "$work/bin/image" . && go build -o "$work/bin/registry" github.com/google/go-containerregistry/cmd/registry)
}

# crds MODULE FOLDER... copies the CRDs of OLM out of folders of its module.
crds() {
  local module=$1 source folder
  shift
  source=$(cd "hack/tools/${target#test-}" && go list -m -f '{{.Dir}}' "$module")
  rm -rf "$work/crds" && mkdir -p "$work/crds"
  for folder; do
    cp "$source/$folder"/*.yaml "$work/crds"
  done
}

# catalog TEMPLATE makes one of the bundles of all releases and of VERSION, whose
# images are called as hack/bundle/catalog says. The node has the operator's images
# under their tags, so a bundle that names a digest is changed.
catalog() {
  local template=$1 bundle
  rm -rf "$work/bundles" "$work/catalog" && mkdir -p "$work/bundles"
  cp -R catalog/releases "$work/bundles/releases"
  cp -R bundle "$work/bundles/bundle"
  for bundle in "$work"/bundles/bundle "$work"/bundles/releases/*/; do
    sed -i -E "s#($IMAGES/flame-operator)@sha256:[0-9a-f]{64}#\1:v$(bundle_version "$bundle")#" "$bundle"/manifests/*.clusterserviceversion.yaml
  done
  hack/bundle/catalog --releases "$work/bundles/releases" --with-bundle "$work/bundles/bundle" --image-template "$template" --output "$work/catalog"
}

# undeploy removes what hack/deploy installs, the CRD too. It refuses as long as
# there are FlameClusters, which are somebody's and would go with it.
undeploy() {
  kubectl get customresourcedefinition flameclusters.flame.xflops.io >/dev/null 2>&1 || return 0
  local tests=flame.xflops.io/e2e namespace
  for namespace in $(kubectl get namespace -l $tests -o jsonpath='{.items[*].metadata.name}'); do
    # Nobody waits for what a test that is over still runs.
    kubectl -n "$namespace" delete flamecluster,pod --all --force --wait=false >/dev/null
  done
  delete_namespaces -l $tests
  [[ -z $(kubectl get flameclusters -A -o name) ]] || die "there are FlameClusters on the local cluster, and its operator has to go." \
    "Delete them: kubectl delete flameclusters -A --all (KUBECONFIG=$KUBECONFIG)," \
    "or use another cluster: FLAME_OPERATOR_CLUSTER=/some/folder make $target"
  say "Removing the operator that hack/deploy installed..."
  kubectl delete -k config/default --ignore-not-found --wait --timeout=120s >&2
}

# start_cluster starts the local cluster, and gives it the images of VERSION and of
# the release before it, which it sets from to.
start_cluster() {
  [[ -z ${KUBECONFIG:-} || $KUBECONFIG == "$cluster_dir/"* ]] ||
    die "this runs on the local cluster only: OLM and its registry run inside the network of the node." "Unset KUBECONFIG."
  use_cluster
  from=$(previous_release)
  release_image "$from"
  hack/images load
  localcluster load "$work/flame-operator-$from.tar"
  undeploy
}

# run_tests PACKAGE runs its tests inside the network of the node.
run_tests() {
  local package=$1 gotestsum
  rm -rf "$logs" && mkdir -p "$logs"
  gotestsum=$(hack/tools/run --build gotestsum gotestsum)
  # Nothing can be downloaded inside the node's network.
  go test -c -tags olm -o "$work/bin/test" "$package"
  # shellcheck disable=SC2086 # TESTFLAGS is a list
  OLM_DIR=$work FROM_VERSION=$from localcluster exec -- env -C "$root" "$gotestsum" --format testname --jsonfile "$logs/tests.json" -- \
    -tags olm -count=1 -timeout 20m ${TESTFLAGS:-} "$package"
}

# failed says what to do after run_tests has failed.
failed() {
  die "tests of OLM failed." "Logs of OLM are in $logs. The cluster still runs: export KUBECONFIG=$KUBECONFIG" \
    "One test again: make $target TESTFLAGS='-run TestName'"
}
