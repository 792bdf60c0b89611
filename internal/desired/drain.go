// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import corev1 "k8s.io/api/core/v1"

// drainScript holds up the end of an executor manager ($1) while it runs tasks.
//
// Flame has no drain. Whoever deletes the pod, the kubelet runs this first, for
// the grace period at most; the operator meanwhile unbinds each executor while
// it runs a task, so that it gets no further one. Then only this stands between
// the end of that task and the next one: Flame binds a free executor again
// within a tenth of a second.
//
//   - No instance that starts from now on gets its socket, for it may not write
//     to their directory any more. Flame waits for a socket without limit, so an
//     executor that is bound again stays Binding and takes no task, however long
//     its siblings need, and however late this script gets its turn.
//   - An executor that has an instance is one to whose socket its executor manager
//     is connected: /proc/net/unix shows the instance's end, with its path, as
//     connected (03). One that is not accepted yet (02) is still Binding. Flame
//     disconnects when the executor has left its session, its task reported. What
//     processes the instance consists of, or leaves behind, does not matter.
//   - Without any, the executor manager is stopped, looked at once more (a binding
//     that was under way may just have connected), and killed. It runs nothing
//     then. SIGTERM would do no more.
//
// Who cannot look waits. The pause is a read of what never comes: a shell has no
// sleep of its own.
const drainScript = `manager=$1 sockets=${FLAME_SOCKET_DIR:-/var/flame/executors} pid=
is_manager() {
  local command=
  IFS= read -r -d '' command < "/proc/$1/cmdline"
  [[ $command == "$manager" ]]
} 2>/dev/null
runs() {
  is_manager "$pid" && return
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    is_manager "$pid" && return
  done
  return 1
}
busy() {
  local lines line
  mapfile -t lines < /proc/net/unix || return 0
  for line in "${lines[@]}"; do
    [[ $line == *" 0001 03 "*" $sockets/"* ]] && return
  done
  return 1
}
mkdir -p "$sockets" && chmod 0555 "$sockets"
exec {never}<> <(:)
while runs; do
  if ! busy; then
    kill -STOP "$pid"
    busy || { kill -KILL "$pid"; break; }
    kill -CONT "$pid"
  fi
  read -r -t 0.02 -u "$never"
done
exit 0`

// drainHook delays the end of an executor manager's container by drainScript.
func drainHook() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{
		Command: []string{"/bin/bash", "-c", drainScript, "drain", executorManagerPath},
	}}}
}
