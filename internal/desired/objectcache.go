// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/flameconf"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/storage"
)

// objectsVolume is the name of the volume that holds the objects.
const objectsVolume = "objects"

func (b builder) objectCacheService() *corev1ac.ServiceApplyConfiguration {
	const component = flamev1alpha1.ComponentObjectCache
	if b.cluster.Spec.ObjectCache == nil {
		return nil
	}
	return corev1ac.Service(naming.ObjectCache(b.cluster.Name), b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, component)).
		WithOwnerReferences(b.owner()).
		WithSpec(serviceSpec().
			WithSelector(naming.Selector(b.cluster.Name, component)).
			WithPorts(servicePort("cache", naming.CachePort)))
}

// objectCache returns the StatefulSet of the object cache and the hash of its pods. The
// StatefulSet replaces pods only when they are deleted: every new pod has a new address,
// while the references to objects that clients hold carry the old one, so the operator
// deletes a pod only when the hash shows that the user asked for something else.
//
// Flame workaround: cache-on-delete
func (b builder) objectCache() (*appsv1ac.StatefulSetApplyConfiguration, string, error) {
	const component = flamev1alpha1.ComponentObjectCache
	spec := b.cluster.Spec.ObjectCache
	if spec == nil {
		return nil, "", nil
	}
	template, hash, err := b.objectCacheTemplate(spec)
	if err != nil {
		return nil, "", err
	}
	replicas := *spec.Replicas
	if b.cluster.Spec.Suspend {
		replicas = 0
	}
	set := appsv1ac.StatefulSetSpec().
		WithReplicas(replicas).
		WithServiceName(naming.ObjectCache(b.cluster.Name)).
		WithPodManagementPolicy(appsv1.ParallelPodManagement).
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(naming.Selector(b.cluster.Name, component))).
		WithUpdateStrategy(appsv1ac.StatefulSetUpdateStrategy().WithType(appsv1.OnDeleteStatefulSetStrategyType)).
		WithPersistentVolumeClaimRetentionPolicy(appsv1ac.StatefulSetPersistentVolumeClaimRetentionPolicy().
			WithWhenDeleted(appsv1.PersistentVolumeClaimRetentionPolicyType(spec.Storage.WhenDeleted)).
			WithWhenScaled(appsv1.RetainPersistentVolumeClaimRetentionPolicyType)).
		WithTemplate(template)
	if claim := spec.Storage.VolumeClaimTemplate; claim != nil {
		set.WithVolumeClaimTemplates(&corev1ac.PersistentVolumeClaimApplyConfiguration{
			ObjectMetaApplyConfiguration: metav1ac.ObjectMeta().WithName(objectsVolume).WithLabels(naming.ClaimLabels(b.cluster.Name, component)),
			Spec:                         claimSpec(claim),
		})
	}
	return appsv1ac.StatefulSet(naming.ObjectCache(b.cluster.Name), b.cluster.Namespace).
		WithLabels(naming.Labels(b.cluster.Name, component)).
		WithOwnerReferences(b.owner()).
		WithSpec(set), hash, nil
}

// KeepTemplates returns a configuration of an object cache with the claim templates that its
// StatefulSet has, if there is one: the API server lets nobody change those. Labels that an
// earlier operator gave to the claims stay in the template, and so does the size if the
// cache was removed and added again before the StatefulSet went. The claims themselves are
// seen to.
func KeepTemplates(config *appsv1ac.StatefulSetApplyConfiguration, live *appsv1.StatefulSet) (*appsv1ac.StatefulSetApplyConfiguration, error) {
	if config == nil || live == nil {
		return config, nil
	}
	kept := make([]corev1ac.PersistentVolumeClaimApplyConfiguration, len(live.Spec.VolumeClaimTemplates))
	for i := range live.Spec.VolumeClaimTemplates {
		if err := convert(&live.Spec.VolumeClaimTemplates[i], &kept[i]); err != nil {
			return nil, err
		}
	}
	same := slices.EqualFunc(config.Spec.VolumeClaimTemplates, live.Spec.VolumeClaimTemplates, asksForTheSame)
	for i := range config.Spec.VolumeClaimTemplates {
		if same { // What the API server has added stays out.
			kept[i] = config.Spec.VolumeClaimTemplates[i]
			kept[i].ObjectMetaApplyConfiguration = metav1ac.ObjectMeta().WithName(*kept[i].Name).WithLabels(live.Spec.VolumeClaimTemplates[i].Labels)
		}
	}
	spec, whole := *config.Spec, *config
	spec.VolumeClaimTemplates, whole.Spec = kept, &spec
	return &whole, nil
}

// asksForTheSame reports whether two templates, of which the second one has the defaults
// of the API server, ask for the same volume.
func asksForTheSame(wanted corev1ac.PersistentVolumeClaimApplyConfiguration, live corev1.PersistentVolumeClaim) bool {
	var spec corev1.PersistentVolumeClaimSpec
	if err := convert(wanted.Spec, &spec); err != nil {
		return false
	}
	if spec.VolumeMode == nil {
		spec.VolumeMode = live.Spec.VolumeMode
	}
	return *wanted.Name == live.Name && equality.Semantic.DeepEqual(spec, live.Spec)
}

func (b builder) objectCacheTemplate(spec *flamev1alpha1.ObjectCacheSpec) (*corev1ac.PodTemplateSpecApplyConfiguration, string, error) {
	volumes := []corev1.Volume{b.configVolume()}
	if spec.Storage.VolumeClaimTemplate == nil {
		objects := emptyDir(objectsVolume)
		objects.EmptyDir.SizeLimit = spec.Storage.SizeLimit
		volumes = append(volumes, objects)
	}
	volumeText, err := json.Marshal(volumes)
	if err != nil {
		return nil, "", fmt.Errorf("hash the object cache's volumes: %w", err)
	}
	hash, err := b.hash(spec.Image, spec.Resources, &spec.PodSettings, string(volumeText), b.server.ReadByObjectCache())
	if err != nil {
		return nil, "", err
	}
	template, err := b.template(parts{
		component: flamev1alpha1.ComponentObjectCache,
		hash:      hash,
		settings:  &spec.PodSettings,
		container: objectCacheContainer(spec),
		volumes:   volumes,
	})
	if err != nil {
		return nil, "", err
	}
	var config corev1ac.PodTemplateSpecApplyConfiguration
	if err := convert(template, &config); err != nil {
		return nil, "", err
	}
	return &config, hash, nil
}

// ObjectCacheTrial returns the first pod that the StatefulSet of an object cache lacks,
// with its claims, much as the StatefulSet's controller makes them. The result is nil if
// no pod is lacking or the controller has yet to look. The trial objects serve to ask
// whether the API server refuses them, since the controller tells of a refusal only in
// events.
func ObjectCacheTrial(set *appsv1.StatefulSet, pods []podstate.Pod) (*corev1.Pod, []*corev1.PersistentVolumeClaim) {
	if set.Status.ObservedGeneration != set.Generation || max(int(set.Status.Replicas), len(pods)) >= int(*set.Spec.Replicas) {
		return nil, nil
	}
	ordinal := 0
	exists := func(pod podstate.Pod) bool { return pod.Name == fmt.Sprintf("%s-%d", set.Name, ordinal) }
	for slices.ContainsFunc(pods, exists) {
		ordinal++
	}
	pod := &corev1.Pod{ObjectMeta: *set.Spec.Template.ObjectMeta.DeepCopy(), Spec: *set.Spec.Template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = set.Namespace, fmt.Sprintf("%s-%d", set.Name, ordinal)
	var claims []*corev1.PersistentVolumeClaim
	for _, template := range set.Spec.VolumeClaimTemplates {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
		claim.Namespace, claim.Name = set.Namespace, template.Name+"-"+pod.Name
		claims = append(claims, claim)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: template.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
	}
	return pod, claims
}

// memoryLimit is the variable that holds the memory limit of an object cache in bytes.
const memoryLimit = "FLAME_MEMORY_LIMIT"

// startObjectCache starts the object cache ($1) with the memory that objects may take ($2)
// or, if the container has no more than that, with three quarters of what it has. Only
// the container knows its limit: a LimitRange sets one where the spec has none, and
// without any the variable has the memory of the node.
//
// Flame workaround: cache-memory
const startObjectCache = `most=$2 limit=${` + memoryLimit + `:-0}
if ((limit > 0 && most >= limit)); then
  most=$((limit / 4 * 3))
  echo "objects may take $most bytes of memory, since the container has $limit"
fi
FLAME_CACHE_MAX_MEMORY=$most exec "$1" --config ` + configFile

func objectCacheContainer(spec *flamev1alpha1.ObjectCacheSpec) corev1.Container {
	maxMemory := flameconf.CacheMemory(spec)
	return corev1.Container{
		Image:      spec.Image,
		Command:    []string{"/bin/bash", "-c", startObjectCache, "start", binDir + "flame-object-cache", strconv.FormatInt(maxMemory.Value(), 10)},
		WorkingDir: flameHome,
		Env: env("info", corev1.EnvVar{Name: memoryLimit, ValueFrom: &corev1.EnvVarSource{
			ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"},
		}}),
		Resources: spec.Resources,
		Ports:     []corev1.ContainerPort{{Name: "cache", ContainerPort: naming.CachePort, Protocol: corev1.ProtocolTCP}},
		// The object cache loads every stored object into memory before it listens.
		StartupProbe:   tcpProbe(naming.CachePort, corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 600}),
		ReadinessProbe: tcpProbe(naming.CachePort, corev1.Probe{PeriodSeconds: 5, TimeoutSeconds: 2, FailureThreshold: 2}),
		LivenessProbe:  tcpProbe(naming.CachePort, corev1.Probe{PeriodSeconds: 20, TimeoutSeconds: 5, FailureThreshold: 6}),
		// Flame workaround: sub-paths
		// The mount is a directory inside the volume: Flame reads every directory there,
		// and a volume's root may hold a lost+found that Flame cannot read.
		VolumeMounts: []corev1.VolumeMount{{Name: objectsVolume, MountPath: flameconf.ObjectsDir, SubPath: "objects"}},
	}
}

// claimSpec turns a user's claim into an apply configuration.
func claimSpec(spec *corev1.PersistentVolumeClaimSpec) *corev1ac.PersistentVolumeClaimSpecApplyConfiguration {
	config := &corev1ac.PersistentVolumeClaimSpecApplyConfiguration{AccessModes: storage.AccessModes(spec)}
	if err := convert(spec, config); err != nil {
		// Both types describe the same API object.
		panic(fmt.Sprintf("a claim's spec does not fit its own apply configuration: %v", err))
	}
	return config
}

// convert carries a typed value over into an apply configuration of the same object.
func convert(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("convert %T: %w", from, err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("convert %T: %w", from, err)
	}
	return nil
}
