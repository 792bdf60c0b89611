// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/xflops/flame-operator/internal/naming"
)

// drainScript holds up the end of an executor manager ($1) while it runs tasks.
//
// Flame has no drain. When the pod is deleted, by whomever, the kubelet runs this script
// first, for the grace period at most. Meanwhile the operator unbinds each executor while
// it runs a task, so that the executor gets no further one. Only this script keeps
// another task from starting when that task has ended: Flame binds a free executor again
// within a tenth of a second.
//
//   - No instance that starts from now on gets its socket, because the directory of the
//     sockets is exchanged for one that nobody may write to. Flame waits for a socket
//     without limit, so an executor that is bound again stays Binding and takes no task,
//     however long its siblings need, and however late this script gets its turn. The
//     directory has to be empty: Flame would connect to a socket that was left there,
//     fail, and count the failure against the session.
//   - An executor has an instance if its executor manager is connected to the instance's
//     socket: /proc/net/unix shows the instance's end, with its path, as connected (03).
//     A connection that is not accepted yet (02) belongs to an executor that is still
//     Binding. Flame disconnects when the executor has reported its task and left its
//     session. The processes of which the instance consists, or which it leaves behind,
//     do not matter.
//   - An instance of an executor whose release the executor manager has logged does not
//     count. An executor manager that connects again to the session manager keeps the
//     instances that its executors had at that moment, connected, until it connects again
//     once more, whatever becomes of the executors. The log's lines are on stdout as well,
//     so the script empties the files that it has read: they share a small volume, and
//     what does not fit is lost.
//   - A busy executor manager is halted for 7 s at first, and again every 30 s after
//     that, while the tasks themselves run on: during a halt the executor manager neither
//     reports the end of a task nor asks for one. An executor that is unbound in the
//     moment between two tasks drops the second one, and nothing that Flame says shows
//     that moment; so the operator looks, and unbinds, while nothing can move. Flame
//     gives up a node that is silent for 15 s, and hears from each node every 5 s.
//   - An executor manager whose connection to the session manager's port ($2) has gone is
//     killed at once, whether or not it connects again. A session manager that starts
//     again gives the tasks of all executors to others, or has forgotten them. And an
//     executor that was told to leave its session when the connection went would be Bound
//     again without an instance, and each task that it was given would fail.
//   - An executor manager that has no connection for $3 seconds is killed too: the cluster
//     was deleted or suspended, or its session manager is lost. The tasks that run here
//     will run again in any case, because Flame gives up a node that has been
//     disconnected for 30 s. A connection does not count if it retransmits packets that
//     nobody confirms: packets to a deleted pod may be swallowed, and the connection
//     stays open for another quarter of an hour. The column of retransmissions is the one
//     of eight digits between blanks.
//   - A file called end beside the old sockets has the executor manager killed: an admin
//     makes the file by kubectl exec. Nothing else ends this script early, because the kubelet
//     does not cut a hook short when a pod is deleted again with a shorter grace period,
//     and brings no volume up to date once a pod is deleted.
//   - An executor manager without any instance is halted, checked once more (a binding
//     that was under way may just have connected), and killed. At that moment the
//     executor manager runs nothing, so SIGTERM would do no more than SIGKILL.
//
// If a table in /proc/net cannot be read, the script goes on as if the table showed what
// the script looks for, and so kills nothing. The script pauses by reading from a pipe
// that never delivers, since a shell has no sleep of its own.
//
// Flame workaround: drain
//
// Flame workaround: kept-instances
const drainScript = `manager=$1 port=$2 patience=$3 sockets=${FLAME_SOCKET_DIR:-/var/flame/executors} pid= released=
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
shows() {
  local lines line
  mapfile -t lines < "$1" || return 0
  for line in "${lines[@]}"; do
    [[ $line == *"$2"*"${3:-}"* ]] && return
  done
  return 1
}
busy() {
  local lines line executor
  mapfile -t lines < /proc/net/unix || return 0
  for line in "${lines[@]}"; do
    [[ $line == *" 0001 03 "*" $sockets/"* ]] || continue
    executor=${line##*/}
    [[ $released == *"<${executor%.sock}>"* ]] || return 0
  done
  return 1
}
releases() { grep -hs "Executor <.*> is released" "$FLAME_HOME"/logs/*; }
connected() { shows /proc/net/tcp ":$port 01 " " 00000000 "; }
cut_off() {
  local lines line found=
  mapfile -t lines < /proc/net/tcp || return 1
  for line in "${lines[@]}"; do
    [[ $line =~ \ [0-9A-F]+:[0-9A-F]+\ [0-9A-F]+:$port\ 01\  ]] || continue
    [[ $links == *"$BASH_REMATCH"* ]] && return 1
    found+=$BASH_REMATCH
  done
  [[ -n $links ]] && return
  links=$found
  return 1
}
mkdir -p "$sockets.closed" && chmod 0555 "$sockets.closed"
mv -T "$sockets" "$sockets.left"
mv -T "$sockets.closed" "$sockets"
exec {never}<> <(:)
before=$(releases) released=$before
for log in "$FLAME_HOME"/logs/*; do
  [[ -f $log ]] && : > "$log"
done
halt=0 looked=0 seen=0 links=
while runs; do
  cut_off && { kill -KILL "$pid"; break; }
  if ((SECONDS >= halt)) && busy; then
    kill -STOP "$pid"
    read -r -t 7 -u "$never"
    cut_off && { kill -KILL "$pid"; break; }
    kill -CONT "$pid"
    ((halt += 30))
  fi
  if ((SECONDS > looked)); then
    looked=$SECONDS
    released=$before$(releases)
    connected && seen=$SECONDS
    [[ -e $sockets.left/end ]] || ((SECONDS - seen > patience)) && { kill -KILL "$pid"; break; }
  fi
  if ! busy; then
    kill -STOP "$pid"
    busy || { kill -KILL "$pid"; break; }
    kill -CONT "$pid"
  fi
  read -r -t 0.02 -u "$never"
done
exit 0`

// patience is how many seconds a draining pod goes on without a session manager: as long
// as Flame keeps a disconnected node.
const patience = "30"

// drainHook delays the end of an executor manager's container by drainScript.
func drainHook() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{
		Command: []string{"/bin/bash", "-c", drainScript, "drain", executorManagerPath, fmt.Sprintf("%04X", naming.BackendPort), patience},
	}}}
}
