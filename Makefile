# SPDX-FileCopyrightText: The Flame Authors
# SPDX-License-Identifier: Apache-2.0

# The one place that says which version this is.
VERSION ?= 0.3.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export VERSION
# The same flags everywhere, so that everything shares one build cache.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath -buildvcs=false

TOOL := hack/tools/run

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "Start with: make demo"

.PHONY: generate
generate: ## Generate deep copies and the stubs of Flame's protocol.
	@$(TOOL) codegen controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	@hack/generate-proto

.PHONY: manifests
manifests: ## Generate the CRD and the operator's role, and name the images in config/.
	@$(TOOL) codegen controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	@$(TOOL) codegen controller-gen rbac:roleName=manager-role paths=./controllers/... output:rbac:dir=config/rbac
	@hack/bundle/images

.PHONY: bundle
bundle: manifests ## Make the OLM bundle and the catalog anew.
	@hack/bundle/make
	@hack/bundle/catalog

.PHONY: release
release: ## Release VERSION: keep its bundle, add it to the catalog, commit. Tagging and pushing stays with you.
	@hack/release

.PHONY: publish
publish: ## Push the images of the release VERSION, and print their digests.
	@hack/publish

.PHONY: build
build: ## Build the operator into build/.
	@go build -ldflags='-s -w -X main.version=v$(VERSION)' -o build/manager .
	@echo "Built build/manager."

.PHONY: lint
lint: ## Lint every module.
	@hack/lint

.PHONY: test
test: ## Run all tests that need no cluster: unit, golden and envtest, in every module.
	@hack/test all

.PHONY: test-unit
test-unit: ## Run the tests that need no API server either.
	@hack/test unit

.PHONY: test-e2e
test-e2e: ## Run the end-to-end tests on the cluster of KUBECONFIG, or on a local one.
	@hack/test-e2e

.PHONY: scorecard
scorecard: ## Run operator-sdk scorecard, with live tests of our own, on the same cluster.
	@hack/scorecard/scorecard

.PHONY: test-olm
test-olm: ## Run the tests with the Operator Lifecycle Manager, on the local cluster.
	@hack/test-olm

.PHONY: test-olm-v1
test-olm-v1: ## Run the tests with OLM v1, on the local cluster; no part of .ci/run.
	@hack/test-olm-v1

.PHONY: bench
bench: build ## Measure the operator's speed and size beside a bare client.
	@hack/bench/run

.PHONY: verify
verify: ## Generate everything anew, lint, and fail if the tree is not clean.
	@hack/verify

.PHONY: demo
demo: ## Show it all: a cluster, the operator, a FlameCluster that runs tasks.
	@hack/demo/demo

.PHONY: images
images: ## Build the images of the operator and of the stand-in into build/images/.
	@hack/images build

.PHONY: cluster-up
cluster-up: ## Start the local Kubernetes cluster; prints its KUBECONFIG.
	@source hack/lib.sh && localcluster up

.PHONY: cluster-down
cluster-down: ## Stop the local Kubernetes cluster and clean up after it.
	@source hack/lib.sh && localcluster down

.PHONY: docs-autoscaling
docs-autoscaling: ## Draw docs/autoscaling.svg anew, from a simulated load.
	@go run ./hack/autoscale-sim hack/autoscale-sim/loads/day.yaml docs/autoscaling.svg
