// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// GPUResource is what a pod asks for to get GPUs.
const GPUResource corev1.ResourceName = "nvidia.com/gpu"

const executorManagerPath = binDir + "flame-executor-manager"

// executorManagerOverhead is the memory of an executor manager beyond its executors'.
var executorManagerOverhead = resource.MustParse("256Mi")

func (b builder) executorManagerPod() (*corev1.Pod, error) {
	spec := &b.cluster.Spec.ExecutorManager
	resources := executorManagerResources(b.cluster)
	hash, err := b.hash(spec.Image, resources, &spec.PodSettings, "", b.server.ReadByExecutorManager())
	if err != nil {
		return nil, err
	}
	template, err := b.template(parts{
		component: flamev1alpha1.ComponentExecutorManager,
		hash:      hash,
		settings:  &spec.PodSettings,
		init:      []corev1.Container{b.waitContainer(resources)},
		container: b.executorManagerContainer(resources),
		// Flame workaround: image-directories
		// Each emptyDir covers a directory of its own in Flame's image, and some of those
		// directories are closed to everybody but root.
		volumes: []corev1.Volume{b.configVolume(), emptyDir("work"), emptyDir("data"), emptyDir("sockets"), emptyDir("home")},
	})
	if err != nil {
		return nil, err
	}
	pod := b.pod(template)
	// Flame workaround: fresh-names
	// Flame breaks when an executor manager comes back quickly under the same host name,
	// so an executor manager that ended is replaced by a pod of another name.
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	// Only Flame knows whether it gives an executor manager work.
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: flamev1alpha1.GateNodeReady}}
	pod.Spec.TerminationGracePeriodSeconds = ptr.To(int64(spec.DrainTimeoutSeconds))
	return pod, nil
}

func (b builder) executorManagerContainer(resources corev1.ResourceRequirements) corev1.Container {
	return corev1.Container{
		Image:      b.cluster.Spec.ExecutorManager.Image,
		Command:    []string{executorManagerPath, "--config", configFile},
		WorkingDir: flameHome + "/work",
		Env:        b.executorManagerEnv(resources),
		Resources:  resources,
		// An executor manager connects once and then waits for as long as TCP does, so
		// replacing it is better if its first connection is swallowed.
		StartupProbe:   connectedProbe(1, 60),
		ReadinessProbe: connectedProbe(5, 2),
		Lifecycle:      drainHook(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "work", MountPath: flameHome + "/work"},
			{Name: "data", MountPath: flameHome + "/data"},
			{Name: "sockets", MountPath: "/var/flame"},
			{Name: "home", MountPath: userHome},
		},
	}
}

// executorManagerEnv gives the code of users a home directory to write to, which an
// assigned user does not have.
//
// Flame workaround: image-directories
func (b builder) executorManagerEnv(resources corev1.ResourceRequirements) []corev1.EnvVar {
	more := []corev1.EnvVar{
		{Name: "FLAME_ENDPOINT", Value: b.server.Cluster.Endpoint},
		{Name: "HOME", Value: userHome},
		{Name: "USER", Value: "flame"},
		{Name: "LOGNAME", Value: "flame"},
		{Name: "XDG_CACHE_HOME", Value: userHome + "/.cache"},
		{Name: "XDG_DATA_HOME", Value: userHome + "/.local/share"},
		{Name: "UV_CACHE_DIR", Value: userHome + "/.cache/uv"},
		{Name: "UV_LINK_MODE", Value: "copy"},
		{Name: "PIP_CACHE_DIR", Value: userHome + "/.cache/pip"},
	}
	if b.server.Cache != nil {
		more = append(more, corev1.EnvVar{Name: "FLAME_CACHE_ENDPOINT", Value: b.server.Cache.Endpoint})
	}
	// Flame workaround: cuda-visible-devices
	// Flame looks for GPUs through a library that does not exist under the name that
	// Flame asks for, but it counts the GPUs in this variable.
	if gpus, ok := resources.Limits[GPUResource]; ok {
		more = append(more, corev1.EnvVar{Name: "CUDA_VISIBLE_DEVICES", Value: indices(gpus.Value())})
	}
	return env("info", more...)
}

func indices(count int64) string {
	list := make([]string, count)
	for i := range list {
		list[i] = strconv.Itoa(i)
	}
	return strings.Join(list, ",")
}

// waitContainer holds a pod back until the session manager's backend answers, because an
// executor manager that is refused at its start ends at once. Each try has a limit of its
// own, since an address that swallows packets would block the try for minutes.
//
// Flame workaround: wait-for-session-manager
func (b builder) waitContainer(resources corev1.ResourceRequirements) corev1.Container {
	host := naming.SessionManagerHost(b.cluster.Name, b.cluster.Namespace)
	script := fmt.Sprintf(`until timeout 3 bash -c "exec 3<>/dev/tcp/%[1]s/%[2]d" 2>/dev/null; do
  echo "waiting for the session manager's backend at %[1]s:%[2]d"
  sleep 1
done`, host, naming.BackendPort)
	return corev1.Container{
		Name:            naming.WaitContainer,
		Image:           b.cluster.Spec.ExecutorManager.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         []string{"/bin/bash", "-c", script},
		Resources:       resources,
		SecurityContext: containerSecurity(),
	}
}

// connectedProbe returns a probe that succeeds while a connection to the session
// manager's backend stands. Flame's word about a node cannot be trusted here: after a
// restart Flame calls nodes ready that have no connection.
//
// Flame workaround: connection-probe
func connectedProbe(period, failures int32) *corev1.Probe {
	script := fmt.Sprintf(`while read -r _ _ remote state _; do
  [[ $remote == *:%04X && $state == 01 ]] && exit 0
done < /proc/net/tcp
echo "no connection to the session manager's backend"
exit 1`, naming.BackendPort)
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/bash", "-c", script}}},
		PeriodSeconds:    period,
		TimeoutSeconds:   5,
		FailureThreshold: failures,
	}
}

// executorManagerResources returns the computed resources, overridden by the user's.
// Flame fits as many executors into a node as its CPU limit has room for, and takes the
// host's memory for the node's, so the CPU limit decides and the memory limit follows.
//
// Flame workaround: cpu-limit
func executorManagerResources(cluster *flamev1alpha1.FlameCluster) corev1.ResourceRequirements {
	slot, executors := cluster.Spec.SessionManager.Slot, int64(cluster.Spec.ExecutorManager.MaxExecutors)
	limits := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(slot.CPU.Value()*executors, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(slot.Memory.Value()*executors+executorManagerOverhead.Value(), resource.BinarySI),
	}
	if gpus := slot.GPU.Value() * executors; gpus > 0 {
		limits[GPUResource] = *resource.NewQuantity(gpus, resource.DecimalSI)
	}
	users := cluster.Spec.ExecutorManager.Resources
	maps.Copy(limits, users.Limits)
	requests := maps.Clone(limits)
	maps.Copy(requests, users.Requests)
	return corev1.ResourceRequirements{Limits: limits, Requests: requests, Claims: users.Claims}
}
