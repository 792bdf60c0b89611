// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/stored"
	"github.com/xflops/flame-operator/test/flamemodel"
)

// crashScenario is what happens to a cluster.
type crashScenario struct {
	// cluster is brought up first, undisturbed, and the tasks are submitted.
	cluster string
	tasks   []time.Duration
	// bounds on the pods from then on.
	most, least int
	// happens is what is disturbed.
	happens func(*world)
	// writes are those that there have to be.
	writes []string
}

// crashCluster has everything but an object cache, which nobody would run.
const crashCluster = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    storage: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}, whenDeleted: Delete}
  executorManager: {image: docker.io/xflops/flame-executor-manager:v0.6.0, replicas: 2, drainTimeoutSeconds: 120}
`

const autoscaledCluster = `
metadata: {name: c, namespace: ns}
spec:
  sessionManager:
    image: docker.io/xflops/flame-session-manager:v0.6.0
    slot: {cpu: 1, memory: 1Gi}
    storage: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}}
  executorManager:
    image: docker.io/xflops/flame-executor-manager:v0.6.0
    replicas: 0
    drainTimeoutSeconds: 120
    resources: {limits: {cpu: 1, memory: 2Gi}}
    autoscaling: {maxReplicas: 3, scaleDownDelaySeconds: 60}
`

var crashScenarios = map[string]crashScenario{
	"a cluster is made": {
		most:    3,
		happens: func(w *world) { w.apply(withEverything) },
		writes:  []string{"create PersistentVolumeClaim", "create Pod c-session-manager", "patch Service c-session-manager", "apply StatefulSet", "patch the status of FlameCluster"},
	},
	"a cluster grows from 0 to 3 by its load, and shrinks to 0": {
		cluster: autoscaledCluster,
		most:    3,
		happens: func(w *world) {
			w.flame.submit(40*time.Second, 40*time.Second, 40*time.Second)
			w.until("all tasks run", func() bool { return w.flame.number(flamemodel.Running) == 3 })
		},
		writes: []string{"create Pod c-executor-manager-x", "patch the status of Pod", "ReleaseNode", "delete Pod c-executor-manager-x"},
	},
	"executor managers are taken away, an idle one and a busy one": {
		cluster: strings.Replace(crashCluster, "replicas: 2", "replicas: 3", 1),
		tasks:   []time.Duration{50 * time.Second, 70 * time.Second},
		most:    1,
		happens: func(w *world) { w.edit(func(s *flamev1alpha1.FlameClusterSpec) { replicas(1)(s) }) },
		writes:  []string{"ReleaseNode", "UnbindExecutor", "WatchNode", "delete Pod"},
	},
	"busy executor managers are updated": {
		cluster: crashCluster,
		tasks:   []time.Duration{50 * time.Second, 70 * time.Second, 20 * time.Second},
		most:    3, least: 2,
		happens: func(w *world) {
			w.edit(func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.Image = "docker.io/xflops/flame-executor-manager:v0.6.1"
			})
		},
		writes: []string{"UnbindExecutor", "WatchNode", "delete Pod", "create Pod"},
	},
	"the pod of a busy executor manager goes by force": {
		cluster: crashCluster,
		tasks:   []time.Duration{50 * time.Second, 50 * time.Second},
		most:    2,
		happens: func(w *world) { w.remove(&w.managers()[0]) },
		writes:  []string{"create Pod", "WatchNode", "ReleaseNode"},
	},
	"the session manager is replaced, and an executor is not heard of after that": {
		cluster: crashCluster,
		most:    2,
		happens: func(w *world) {
			w.edit(func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 500 })
			w.rest()
			w.flame.deafens = true
			w.flame.submit(10*time.Second, 10*time.Second)
		},
		writes: []string{"patch Pod c-session-manager", "delete Pod c-session-manager", "create Pod c-session-manager", "RegisterNode"},
	},
	"a busy cluster is suspended, and resumed": {
		cluster: crashCluster,
		tasks:   []time.Duration{50 * time.Second},
		most:    2,
		happens: func(w *world) {
			w.edit(func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true })
			w.rest()
			w.edit(func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = false })
		},
		writes: []string{"delete Pod c-session-manager", "delete Pod c-executor-manager-x", "create Pod"},
	},
	"the claim is let go": {
		cluster: crashCluster,
		most:    2,
		happens: func(w *world) {
			w.edit(func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
			})
		},
		writes: []string{"patch PersistentVolumeClaim"},
	},
	"a busy cluster is deleted": {
		cluster: crashCluster,
		tasks:   []time.Duration{50 * time.Second},
		happens: func(w *world) {
			require.NoError(w, w.reach.live.Delete(w.Context(), w.cluster, client.PropagationPolicy("Background")))
			w.awaitEnd(stored.New(), w.key(), nil)
			for _, pod := range w.list() { // As garbage collection does.
				require.NoError(w, w.reach.live.Delete(w.Context(), &pod))
				w.awaitEnd(&pod, client.ObjectKeyFromObject(&pod), nil)
			}
		},
		writes: []string{"delete Pod c-executor-manager-x"},
	},
}
