# SPDX-FileCopyrightText: The Flame Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # lib.sh and demo set what is used here
#
# Runs Flame's clients in a pod of the cluster. Sourced by demo.

client_image() {
  if [[ ${FLAME_IMAGES:-} == real ]]; then
    echo docker.io/xflops/flame-console:v0.6.0
  else
    echo "$STANDIN_IMAGE"
  fi
}

# OpenShift assigns users itself; elsewhere Flame's images would run as root.
client_user() {
  kubectl api-versions | grep -q '^security.openshift.io/' || echo 'runAsUser: 65532'
}

# client_pod NAME COMMAND... prints a pod that runs a client once. Flame's
# clients insist on /root/.flame/flame.yaml, whoever they run as, so both are
# volumes. What they say where sessions are is the cluster's own flame.yaml.
client_pod() {
  local name=$1 arguments
  shift
  arguments=$(printf '"%s", ' "$@")
  cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $name
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    $(client_user)
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: client
    image: $(client_image)
    imagePullPolicy: IfNotPresent
    command: [${arguments%, }]
    env:
    - {name: FLAME_ENDPOINT, value: "$(field '{.status.sessionManager.endpoint}')"}
    - {name: RUST_LOG, value: error}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
    - {name: root, mountPath: /root}
    - {name: config, mountPath: /root/.flame}
    - {name: tmp, mountPath: /tmp}
  volumes:
  - {name: root, emptyDir: {}}
  - {name: tmp, emptyDir: {}}
  - name: config
    configMap:
      name: $cluster-config
      items: [{key: flame.yaml, path: flame.yaml}]
YAML
}

phase() { kubectl -n "$namespace" get pod "$1" -o jsonpath='{.status.phase}'; }

# await NAME SECONDS PHASE... waits until the pod is in one of the phases.
await() {
  local name=$1 deadline=$((SECONDS + $2))
  shift 2
  until [[ " $* " == *" $(phase "$name") "* ]]; do
    ((SECONDS < deadline)) || die "pod $name is $(phase "$name"), not $*." "kubectl -n $namespace describe pod $name"
    sleep 0.5
  done
}

# client NAME COMMAND... runs a client, shows what it prints, and fails if it
# does. Flame's own flmping succeeds when a task fails, so what it prints counts.
client() {
  note "\$ ${*:2}"
  client_pod "$@" | kubectl -n "$namespace" apply -f - >/dev/null
  client_result "$1"
}

# client_result NAME waits for a client that was started, and shows what it prints.
client_result() {
  local name=$1 text
  await "$name" 120 Running Succeeded Failed
  timeout 120 kubectl -n "$namespace" logs -f "$name" | indent
  await "$name" 60 Succeeded Failed
  text=$(kubectl -n "$namespace" logs "$name")
  [[ $(phase "$name") == Succeeded && ! $text =~ [[:space:]]Failed[[:space:]] ]] || die "the client $name or a task of it failed."
  kubectl -n "$namespace" delete pod "$name" --wait=false >/dev/null
}

# sessions NAME prints the sessions that the session manager knows.
sessions() {
  client_pod "$1" flmctl --config /root/.flame/flame.yaml list -s | kubectl -n "$namespace" apply -f - >/dev/null
  await "$1" 60 Succeeded Failed
  kubectl -n "$namespace" logs "$1"
  [[ $(phase "$1") == Succeeded ]] || die "the sessions could not be listed."
  kubectl -n "$namespace" delete pod "$1" --wait=false >/dev/null
}
