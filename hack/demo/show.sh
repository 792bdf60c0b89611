# SPDX-FileCopyrightText: The Flame Authors
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # lib.sh and demo set what is used here
#
# How the demo shows what happens, and waits for it. Sourced by demo.

bold='' green='' dim='' red='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' green=$'\e[32m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
fi

steps=0
current=start

step() {
  steps=$((steps + 1))
  current=$1
  printf '\n%s%d. %s%s\n' "$bold" "$steps" "$1" "$plain"
}
note() { printf '%s%s%s\n' "$green" "$1" "$plain"; }
indent() { sed "s/^/    $dim/; s/\$/$plain/"; }

# explain says where to look when the demo ends early.
explain() {
  (($1 == 0)) && return
  {
    printf '\n%sThe demo stopped at step %d, "%s".%s\n' "$red" "$steps" "$current" "$plain"
    [[ -n ${KUBECONFIG:-} ]] && kubectl version >/dev/null 2>&1 || return
    echo "What there is:"
    kubectl -n "$namespace" get flamecluster,pods -o wide
    kubectl -n "$namespace" get flamecluster "$cluster" \
      -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}'
    kubectl -n "$namespace" get events --sort-by=.lastTimestamp | tail -n 12
    echo "The operator's last words:"
    kubectl -n flame-operator-system logs deployment/flame-operator-controller-manager --tail=12
    echo "Look further with: export KUBECONFIG=$KUBECONFIG; kubectl -n $namespace describe flamecluster,pods"
  } >&2 || true
}

field() { kubectl -n "$namespace" get flamecluster "$cluster" -o jsonpath="$1"; }

# is_ready is true once the status speaks of the newest spec and all is ready.
is_ready() {
  local generation observed state ready
  read -r generation observed state ready < <(field \
    '{.metadata.generation} {.status.observedGeneration} {.status.state} {.status.conditions[?(@.type=="Ready")].status}{"\n"}')
  [[ $generation == "$observed" && $state == Running && $ready == True ]]
}
# nothing_ends looks at what kubectl get does not show of a pod whose process has ended.
nothing_ends() {
  local ending
  ending=$(kubectl -n "$namespace" get pods -o jsonpath='{.items[*].metadata.deletionTimestamp}') && [[ -z $ending ]]
}

has_executors() { [[ $(field '{.status.executorManager.ready}') == "$1" ]] && is_ready; }
is_replaced() {
  local uid
  uid=$(session_manager_uid)
  [[ -n $uid && $uid != "$1" ]]
}
is_restarted() {
  [[ $(kubectl -n "$namespace" get pod "$cluster-session-manager" \
    -o jsonpath='{.status.containerStatuses[0].restartCount}') -gt 0 ]]
}

session_manager_uid() {
  kubectl -n "$namespace" get pod "$cluster-session-manager" --ignore-not-found -o jsonpath='{.metadata.uid}'
}

# pods prints name, uid and creation time of the cluster's pods, in order.
pods() {
  kubectl -n "$namespace" get pods -l "flame.xflops.io/cluster=$cluster" --no-headers \
    -o custom-columns=NAME:.metadata.name,UID:.metadata.uid,CREATED:.metadata.creationTimestamp | sort
}

compare_pods() {
  local name uid created mark
  printf '    %-36s %-38s %s\n' POD UID CREATED
  while read -r name uid created; do
    mark="same as before"
    grep -qF "$uid" <<<"$1" || mark="${bold}new$plain"
    printf '    %-36s %-38s %s  %s\n' "$name" "$uid" "$created" "$mark"
  done <<<"$2"
}

# snapshot prints one line for each thing whose change is worth showing: what it
# is, a tab, and how it is.
snapshot() {
  kubectl -n "$namespace" get serviceaccounts,configmaps,secrets,persistentvolumeclaims,services,statefulsets \
    -l "flame.xflops.io/cluster=$cluster" -o jsonpath='{range .items[*]}{.kind}/{.metadata.name}{"\t\n"}{end}'
  kubectl -n "$namespace" get pods -l "flame.xflops.io/cluster=$cluster" --no-headers 2>/dev/null |
    awk '{printf "Pod/%s\t%s %s%s\n", $1, $2, $3, ($4 == "0" ? "" : " restarted")}'
  field 'FlameCluster/{.metadata.name}{"\t"}{.status.state}: {.status.message}{"\n"}'
}

declare -A shown

# show_changes shows what came, changed and went since it was last called.
show_changes() {
  local now subject text
  declare -A present=()
  now=$(snapshot) || true
  while IFS=$'\t' read -r subject text; do
    [[ -n $subject ]] || continue
    present[$subject]=1
    [[ ${shown[$subject]-none} == "$text" ]] || show "$subject" "$text"
    shown[$subject]=$text
  done <<<"$now"
  for subject in "${!shown[@]}"; do
    [[ -n ${present[$subject]:-} ]] && continue
    show "$subject" gone
    unset "shown[$subject]"
  done
}

show() { printf '    %s%4d s%s  %-44s %s\n' "$dim" "$SECONDS" "$plain" "$1" "$2"; }

# watch_until SECONDS WHAT CONDITION... shows what changes until the condition
# holds, and fails if it does not in time.
watch_until() {
  local deadline=$((SECONDS + $1)) what=$2 last=false well=$SECONDS
  shift 2
  while :; do
    # Asked first and shown after, so that nothing that led there is missed.
    ! "$@" || last=true
    show_changes
    ! $last || return 0
    # A cluster that fails and goes on failing is not worth the whole wait.
    [[ $(field '{.status.state}') == Failed ]] || well=$SECONDS
    ((SECONDS - well < 20)) || die "the FlameCluster fails, while waiting for $what: $(field '{.status.message}')"
    ((SECONDS < deadline)) || die "waited in vain for $what."
    sleep 0.5
  done
}
