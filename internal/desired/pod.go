// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

// Paths in Flame's images, and in its pods. Config files may lie anywhere, since
// they are always named on the command line.
//
// Flame workaround: config-flag
const (
	flameHome  = "/usr/local/flame"
	binDir     = flameHome + "/bin/"
	configDir  = "/etc/flame"
	configFile = configDir + "/" + naming.ServerConfigKey
	userHome   = "/home/flame"
)

// podUser is the user, group and file system group of every pod where the platform
// assigns none. Flame's images name no user and would run as root.
const podUser int64 = 65532

// parts holds the parts of a component's pod that differ from component to component.
type parts struct {
	component string
	hash      string
	settings  *flamev1alpha1.PodSettings
	init      []corev1.Container
	container corev1.Container
	volumes   []corev1.Volume
}

// template returns the pod template of a component, with the user's overlay laid over it.
func (b builder) template(p parts) (*corev1.PodTemplateSpec, error) {
	spec := b.cluster.Spec
	p.container.Name = p.component
	p.container.ImagePullPolicy = corev1.PullIfNotPresent
	p.container.Env = mergeEnv(p.container.Env, p.settings.Env)
	p.container.SecurityContext = containerSecurity()
	p.container.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	p.container.VolumeMounts = append([]corev1.VolumeMount{
		{Name: "config", MountPath: configDir, ReadOnly: true},
		{Name: "logs", MountPath: flameHome + "/logs"},
		{Name: "tmp", MountPath: "/tmp"},
	}, p.container.VolumeMounts...)
	template := &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      b.podLabels(p.component),
			Annotations: map[string]string{flamev1alpha1.AnnotationTemplateHash: p.hash},
		},
		Spec: corev1.PodSpec{
			InitContainers:               p.init,
			Containers:                   []corev1.Container{p.container},
			Volumes:                      append(commonVolumes(), p.volumes...),
			NodeSelector:                 maps.Clone(p.settings.NodeSelector),
			Tolerations:                  slices.Clone(p.settings.Tolerations),
			PriorityClassName:            p.settings.PriorityClassName,
			ImagePullSecrets:             slices.Clone(spec.ImagePullSecrets),
			ServiceAccountName:           b.serviceAccountName(),
			AutomountServiceAccountToken: ptr.To(false),
			EnableServiceLinks:           ptr.To(false),
			// Flame workaround: share-process-namespace
			// Flame handles no signals: as the first process of a container Flame would
			// ignore SIGTERM for the whole grace period, and leave zombies behind.
			ShareProcessNamespace: ptr.To(true),
			SecurityContext:       b.podSecurity(),
		},
	}
	return overlay(p, template, b.in.Tolerated)
}

// pod turns a template into a pod of the cluster.
func (b builder) pod(template *corev1.PodTemplateSpec) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace = b.cluster.Namespace
	pod.OwnerReferences = []metav1.OwnerReference{Owner(b.cluster)}
	return pod
}

func (b builder) serviceAccountName() string {
	if name := b.cluster.Spec.ServiceAccountName; name != "" {
		return name
	}
	return naming.ServiceAccount(b.cluster.Name)
}

func (b builder) podSecurity() *corev1.PodSecurityContext {
	security := &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if !b.in.OpenShift {
		security.RunAsUser = ptr.To(podUser)
		security.RunAsGroup = ptr.To(podUser)
		security.FSGroup = ptr.To(podUser)
		security.FSGroupChangePolicy = ptr.To(corev1.FSGroupChangeOnRootMismatch)
	}
	return security
}

func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false),
		ReadOnlyRootFilesystem:   ptr.To(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// commonVolumes returns the volumes that every component writes to. Flame writes the
// lines of its log to files as well and never deletes one; in a small tmpfs the files
// stop growing when it is full, which Flame tolerates, and no pod is evicted.
//
// Flame workaround: log-tmpfs
func commonVolumes() []corev1.Volume {
	logs := emptyDir("logs")
	logs.EmptyDir.Medium = corev1.StorageMediumMemory
	logs.EmptyDir.SizeLimit = ptr.To(resource.MustParse("32Mi"))
	return []corev1.Volume{logs, emptyDir("tmp")}
}

func emptyDir(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

func (b builder) configVolume() corev1.Volume {
	return corev1.Volume{Name: "config", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: naming.Config(b.cluster.Name)},
		},
	}}
}

// env returns the environment of a component's container.
func env(rustLog string, more ...corev1.EnvVar) []corev1.EnvVar {
	return append([]corev1.EnvVar{
		{Name: "FLAME_HOME", Value: flameHome},
		// Without RUST_LOG Flame logs errors only.
		{Name: "RUST_LOG", Value: rustLog},
	}, more...)
}

// mergeEnv replaces the defaults that have the same name as a user's variable.
func mergeEnv(defaults, users []corev1.EnvVar) []corev1.EnvVar {
	merged := slices.DeleteFunc(slices.Clone(defaults), func(d corev1.EnvVar) bool {
		return slices.ContainsFunc(users, func(u corev1.EnvVar) bool { return u.Name == d.Name })
	})
	return append(merged, users...)
}
