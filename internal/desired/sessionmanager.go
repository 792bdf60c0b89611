// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"encoding/json"
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flameconf"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/storage"
)

// sessionManagerLog silences a line that the scheduler writes in every cycle,
// some 860,000 times a day.
//
// Flame workaround: log-filter
const sessionManagerLog = "info,flame_session_manager::scheduler::plugins=warn"

// startSessionManager raises the limit of open files as far as possible, because Flame
// keeps four files open for every session that ever existed.
//
// Flame workaround: open-files
const startSessionManager = `ulimit -Sn "$(ulimit -Hn)"; exec ` + binDir + `flame-session-manager --config ` + configFile

func (b builder) sessionManagerService() *corev1ac.ServiceApplyConfiguration {
	const component = flamev1alpha1.ComponentSessionManager
	selector := naming.Selector(b.cluster.Name, component)
	// Flame workaround: withdraw-first
	// A session manager that is to be replaced leaves the Service first, so that
	// executor managers are refused rather than left hanging on a dead address.
	selector[flamev1alpha1.LabelServing] = "true"
	return corev1ac.Service(naming.SessionManager(b.cluster.Name), b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, component)).
		WithOwnerReferences(b.owner()).
		WithSpec(serviceSpec().
			WithSelector(selector).
			WithPorts(servicePort("frontend", naming.FrontendPort), servicePort("backend", naming.BackendPort)))
}

// serviceSpec returns the spec of a Service within the cluster, with an IPv4 address,
// since Flame listens on no other.
//
// Flame workaround: ipv4
func serviceSpec() *corev1ac.ServiceSpecApplyConfiguration {
	return corev1ac.ServiceSpec().
		WithType(corev1.ServiceTypeClusterIP).
		WithIPFamilyPolicy(corev1.IPFamilyPolicySingleStack).
		WithIPFamilies(corev1.IPv4Protocol)
}

func servicePort(name string, port int32) *corev1ac.ServicePortApplyConfiguration {
	return corev1ac.ServicePort().WithName(name).WithProtocol(corev1.ProtocolTCP).
		WithPort(port).WithTargetPort(intstr.FromInt32(port))
}

// sessionManagerClaim returns the claim, which has an owner only if it is to be deleted
// with its cluster.
func (b builder) sessionManagerClaim() *corev1.PersistentVolumeClaim {
	template := b.cluster.Spec.SessionManager.Storage.VolumeClaimTemplate
	if template == nil {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}, Spec: *template.DeepCopy()}
	claim.Namespace, claim.Name = b.cluster.Namespace, naming.SessionManager(b.cluster.Name)
	claim.Labels = naming.ClaimLabels(b.cluster.Name, flamev1alpha1.ComponentSessionManager)
	claim.Spec.AccessModes = storage.AccessModes(template)
	if OwnsClaim(b.cluster) {
		claim.OwnerReferences = []metav1.OwnerReference{Owner(b.cluster)}
	}
	return claim
}

func (b builder) sessionManagerPod() (*corev1.Pod, error) {
	spec := &b.cluster.Spec.SessionManager
	volume, err := json.Marshal(b.sessionManagerVolume())
	if err != nil {
		return nil, fmt.Errorf("hash the session manager's volume: %w", err)
	}
	hash, err := b.hash(spec.Image, spec.Resources, &spec.PodSettings, string(volume), b.server.ReadBySessionManager())
	if err != nil {
		return nil, err
	}
	template, err := b.template(parts{
		component: flamev1alpha1.ComponentSessionManager,
		hash:      hash,
		settings:  &spec.PodSettings,
		container: b.sessionManagerContainer(),
		volumes:   []corev1.Volume{b.sessionManagerConfigVolume(), b.sessionManagerVolume()},
	})
	if err != nil {
		return nil, err
	}
	pod := b.pod(template)
	pod.Name = naming.SessionManager(b.cluster.Name)
	pod.Annotations[flamev1alpha1.AnnotationStorage] = b.storageNote()
	// Flame workaround: restart-in-place
	// A crashed session manager restarts in place and keeps the pod's address: executor
	// managers are back in seconds, whereas a new address costs them two minutes.
	pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
	return pod, nil
}

func (b builder) sessionManagerContainer() corev1.Container {
	spec := b.cluster.Spec.SessionManager
	return corev1.Container{
		Image:      spec.Image,
		Command:    []string{"/bin/bash", "-c", startSessionManager},
		WorkingDir: flameHome,
		Env:        env(sessionManagerLog),
		Resources:  spec.Resources,
		Ports: []corev1.ContainerPort{
			{Name: "frontend", ContainerPort: naming.FrontendPort, Protocol: corev1.ProtocolTCP},
			{Name: "backend", ContainerPort: naming.BackendPort, Protocol: corev1.ProtocolTCP},
		},
		// The session manager loads every session before it listens.
		StartupProbe:   tcpProbe(naming.FrontendPort, corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 600}),
		ReadinessProbe: bothPortsProbe(),
		LivenessProbe:  tcpProbe(naming.FrontendPort, corev1.Probe{PeriodSeconds: 20, TimeoutSeconds: 5, FailureThreshold: 6}),
		VolumeMounts:   b.sessionManagerMounts(),
	}
}

// sessionManagerMounts puts the events beside the sessions, in a directory of their own:
// Flame takes each directory among the events for a session, and a volume's root may hold
// a lost+found that Flame cannot read.
//
// Flame workaround: sub-paths
func (b builder) sessionManagerMounts() []corev1.VolumeMount {
	return []corev1.VolumeMount{
		{Name: "state", MountPath: flameconf.StateDir},
		{Name: "state", MountPath: path.Join(flameHome, "events"), SubPath: "events"},
	}
}

func (b builder) sessionManagerVolume() corev1.Volume {
	claim := claimName(b.cluster)
	if claim == "" {
		return emptyDir("state")
	}
	return corev1.Volume{Name: "state", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
	}}
}

func (b builder) sessionManagerConfigVolume() corev1.Volume {
	if !b.storageIsSecret() {
		return b.configVolume()
	}
	return corev1.Volume{Name: "config", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: naming.Config(b.cluster.Name)},
	}}
}

func tcpProbe(port int32, probe corev1.Probe) *corev1.Probe {
	probe.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}
	return &probe
}

// bothPortsProbe returns a probe of both the frontend, which clients need, and the
// backend, which executor managers need. A TCP probe knows only one port.
//
// Flame workaround: probes
func bothPortsProbe() *corev1.Probe {
	script := fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d 4<>/dev/tcp/127.0.0.1/%d", naming.FrontendPort, naming.BackendPort)
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/bash", "-c", script}}},
		PeriodSeconds:    5,
		TimeoutSeconds:   5,
		FailureThreshold: 2,
	}
}
