// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestSpecsThatCannotRunSayWhatToChange(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*flamev1alpha1.FlameClusterSpec)
		want   string
	}{
		"a CPU limit for more executors than wanted": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Resources.Limits = limits("cpu", "3") },
			"executorManager.resources.limits.cpu is 3, but slot.cpu 1 × maxExecutors 1 is 1",
		},
		"a CPU limit that rounds up to one executor more": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Resources.Limits = limits("cpu", "1100m") },
			"limits.cpu is 1100m",
		},
		"a CPU limit that is the wanted one in its last 64 bits": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.Resources.Limits = limits("cpu", "18446744073709551617")
			},
			"executorManager.resources.limits.cpu is 18446744073709551617, but slot.cpu 1 × maxExecutors 1 is 1",
		},
		"a memory limit too small for the slots": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.Resources.Limits = limits("memory", "512Mi")
			},
			"executorManager.resources.limits.memory is 512Mi, but slot.memory 1Gi × maxExecutors 1 needs more",
		},
		"GPUs beside the slot's": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.Resources.Limits = limits("nvidia.com/gpu", "2")
			},
			"set slot.gpu and leave it out",
		},
		"requests above the computed limits": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Resources.Requests = limits("cpu", "4") },
			`executorManager.resources.requests["cpu"] is 4, more than the limit of 1`,
		},
		"more GPUs than any machine has": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.GPU = resource.MustParse("10000000") },
			"sessionManager.slot.gpu 10M × executorManager.maxExecutors 1 is more than the 1k that an executor manager may have: lower either",
		},
		"GPUs that would fill the memory": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.GPU = resource.MustParse("1e18") },
			"sessionManager.slot.gpu 1e18 × executorManager.maxExecutors 1 is more than the 1k",
		},
		"CPUs whose product would wrap around to a limit that passes": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Slot.CPU, s.ExecutorManager.MaxExecutors = resource.MustParse("72057594037927937"), 256
			},
			"sessionManager.slot.cpu 72057594037927937 × executorManager.maxExecutors 256 is more than the 10k",
		},
		"memory whose product would wrap around to none": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Slot.Memory, s.ExecutorManager.MaxExecutors = resource.MustParse("4Ei"), 4
			},
			"sessionManager.slot.memory 4Ei × executorManager.maxExecutors 4 is more than the 1Pi",
		},
		"memory of more than 64 bits": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse("1e20") },
			"sessionManager.slot.memory 100e18 × executorManager.maxExecutors 1 is more than the 1Pi",
		},
		"a variable that the operator sets": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.Env = []corev1.EnvVar{{Name: "FLAME_ENDPOINT"}}
			},
			"executorManager.env cannot set FLAME_ENDPOINT",
		},
		"a claim without a size": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.VolumeClaimTemplate = &corev1.PersistentVolumeClaimSpec{}
			},
			"sessionManager.storage.volumeClaimTemplate has no size: set resources.requests.storage",
		},
		"a cache that may fill its container": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ObjectCache = &flamev1alpha1.ObjectCacheSpec{Image: "x", Replicas: ptr.To[int32](1)}
				s.ObjectCache.Resources.Limits = limits("memory", "1Gi")
				s.ObjectCache.Eviction.MaxMemory = ptr.To(resource.MustParse("1Gi"))
			},
			"objectCache.eviction.maxMemory is 1Gi, but must be below objectCache.resources.limits.memory, 1Gi",
		},
		"a cache with a limit that no machine has": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ObjectCache = &flamev1alpha1.ObjectCacheSpec{Image: "x", Replicas: ptr.To[int32](1)}
				s.ObjectCache.Resources.Limits = limits("memory", "18446744073709551620")
			},
			"objectCache.resources.limits.memory is 18446744073709551620, more than the 1Pi that an object cache may have",
		},
		"a cache with more memory than any machine has": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ObjectCache = &flamev1alpha1.ObjectCacheSpec{Image: "x", Replicas: ptr.To[int32](1)}
				s.ObjectCache.Eviction.MaxMemory = ptr.To(resource.MustParse("2Pi"))
			},
			"objectCache.eviction.maxMemory is 2Pi, more than the 1Pi that an object cache may have",
		},
		"a slot of parts of a byte": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse("256m") },
			"sessionManager.slot.memory is 256m, which is 0.256 bytes, and an executor has whole bytes and 1Mi at least: did you mean 256Mi?",
		},
		"a slot of few bytes": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.Memory = resource.MustParse("512") },
			"sessionManager.slot.memory is 512, which is 512 bytes, and an executor has whole bytes and 1Mi at least: did you mean 512Mi?",
		},
		"a slot of many bytes and a part of one": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Slot.Memory = resource.MustParse("2000000.5")
			},
			"sessionManager.slot.memory is 2000000500m, which is 2000000.5 bytes, and an executor has whole bytes and 1Mi at least: write it in whole bytes",
		},
		"an image whose tag is no version": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Image = "flame:latest" },
			"is no version of Flame: set flameVersion",
		},
		"an overlay with a field that does not exist": {
			overlayOf("executorManager", `{"spec": {"nodeSelektor": {"a": "b"}}}`),
			`executorManager.podTemplate: unknown field "spec.nodeSelektor"`,
		},
		"an overlay with a volume in place of Flame's configuration": {
			overlayOf("sessionManager", `{"spec": {"volumes": [{"name": "config", "configMap": {"name": "mine"}}]}}`),
			`sessionManager.podTemplate cannot change the volume "config", which the operator makes: give yours another name`,
		},
		"an overlay with a volume of the name of one of the operator's": {
			overlayOf("executorManager", `{"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mine"}}]}}`),
			`executorManager.podTemplate cannot change the volume "data", which the operator makes: give yours another name`,
		},
		"an overlay with an element that is null": {
			overlayOf("executorManager", `{"spec": {"containers": [null], "hostname": null}}`),
			"executorManager.podTemplate.spec.containers[0] is null, where a list has no empty element: remove it",
		},
		"an overlay with an element that is null, further down": {
			overlayOf("objectCache", `{"spec": {"containers": [{"name": "object-cache", "env": [{"name": "a"}, null]}]}}`),
			"objectCache.podTemplate.spec.containers[0].env[1] is null",
		},
		"an overlay that is no pod template": {
			overlayOf("executorManager", `{"spec": {"containers": "none"}}`),
			"executorManager.podTemplate is no pod template",
		},
		"an overlay with a container without a name": {
			overlayOf("executorManager", `{"spec": {"containers": [{"image": "x"}]}}`),
			"executorManager.podTemplate.spec.containers[0] has no name, by which the elements of this list are told apart: set it",
		},
		"an overlay that changes the host name": {
			overlayOf("executorManager", `{"spec": {"hostname": "same"}}`),
			"executorManager.podTemplate cannot change the host name: Flame knows a node by its pod's name",
		},
		"an overlay that takes the host's network": {
			overlayOf("sessionManager", `{"spec": {"hostNetwork": true}}`),
			"sessionManager.podTemplate cannot change hostNetwork",
		},
		"autoscaling over memory": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.Type = flamev1alpha1.StorageNone
				s.ExecutorManager.Autoscaling = &flamev1alpha1.AutoscalingSpec{MaxReplicas: 3}
			},
			"executorManager.autoscaling needs a storage that keeps tasks",
		},
		"a negative surge": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.UpdateStrategy.MaxSurge = intstr.FromInt32(-5)
			},
			`executorManager.updateStrategy.maxSurge is "-5": set a number of at least 0, or a percentage`,
		},
		"a negative number that may be missing": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.ExecutorManager.UpdateStrategy.MaxUnavailable = intstr.FromInt32(-1)
			},
			`executorManager.updateStrategy.maxUnavailable is "-1"`,
		},
		"a name that no Secret can have": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.URISecretRef = &flamev1alpha1.SecretKeyReference{Name: "My_Secret", Key: "uri"}
			},
			`sessionManager.storage.uriSecretRef.name is "My_Secret", which no Secret can be called: `,
		},
		"a key that no Secret can have": {
			func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Storage.URISecretRef = &flamev1alpha1.SecretKeyReference{Name: "my-secret", Key: "the uri"}
			},
			`sessionManager.storage.uriSecretRef.key is "the uri", which no key of a Secret can be: `,
		},
		"a name that no claim can have": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Storage.ExistingClaim = "a/b" },
			`sessionManager.storage.existingClaim is "a/b", which no PersistentVolumeClaim can be called: `,
		},
		"a name that no ServiceAccount can have": {
			func(s *flamev1alpha1.FlameClusterSpec) { s.ServiceAccountName = ".." },
			`serviceAccountName is "..", which no ServiceAccount can be called: `,
		},
		"an overlay that changes the grace period of what drains": {
			overlayOf("executorManager", `{"spec": {"terminationGracePeriodSeconds": 30}}`),
			"executorManager.podTemplate cannot change terminationGracePeriodSeconds: set executorManager.drainTimeoutSeconds",
		},
		"an overlay that changes the hook of what drains": {
			overlayOf("executorManager", `{"spec": {"containers": [{"name": "executor-manager", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}]}}`),
			`cannot change the lifecycle hooks of container "executor-manager"`,
		},
		"an overlay that changes restartPolicy": {
			overlayOf("executorManager", `{"spec": {"restartPolicy": "Always"}}`),
			"executorManager.podTemplate cannot change restartPolicy",
		},
		"an overlay that splits the process namespace": {
			overlayOf("objectCache", `{"spec": {"shareProcessNamespace": false}}`),
			"objectCache.podTemplate cannot change shareProcessNamespace",
		},
		"an overlay that changes the CPU limit": {
			overlayOf("executorManager", `{"spec": {"containers": [{"name": "executor-manager", "resources": {"limits": {"cpu": "8"}}}]}}`),
			`executorManager.podTemplate cannot change the CPU limit of container "executor-manager"`,
		},
		"an overlay that changes the command": {
			overlayOf("executorManager", `{"spec": {"containers": [{"name": "executor-manager", "command": ["sleep"]}]}}`),
			`cannot change the command of container "executor-manager"`,
		},
		"an overlay that removes the waiting": {
			overlayOf("executorManager", `{"spec": {"initContainers": null}}`),
			`cannot change the container "wait-for-session-manager" by removing it`,
		},
		"an overlay that takes a label away": {
			overlayOf("executorManager", `{"metadata": {"labels": {"flame.xflops.io/cluster": "other"}}}`),
			"cannot change the labels that the operator sets",
		},
		"an overlay that changes a variable of Flame": {
			overlayOf("executorManager", `{"spec": {"containers": [{"name": "executor-manager", "env": [{"name": "FLAME_HOME", "value": "/x"}]}]}}`),
			`cannot change the variable FLAME_HOME of container "executor-manager"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, clusters.Minimal)
			test.change(&cluster.Spec)
			_, err := Build(cluster, Inputs{})
			var invalid *InvalidSpecError
			require.ErrorAs(t, err, &invalid)
			assert.Contains(t, err.Error(), test.want)
			for _, problem := range invalid.Problems {
				assert.Regexp(t, `^(flameVersion|serviceAccountName|(sessionManager|executorManager|objectCache)\.)`, problem, "it starts with its field")
				assert.LessOrEqual(t, len(problem), longestProblem, "nothing of it is cut off")
			}
		})
	}
}

// A slot within the bounds is not multiplied beyond them.
func TestTheLargestExecutorManagersHaveTheLimitsThatTheyAskFor(t *testing.T) {
	for _, executors := range []int32{1, 2, 3, 7, 100, 256} {
		cluster := clusters.Parse(t, clusters.Minimal)
		cluster.Spec.ExecutorManager.MaxExecutors = executors
		slot := &cluster.Spec.SessionManager.Slot
		slot.CPU = *resource.NewQuantity(10_000/int64(executors), resource.DecimalSI)
		slot.Memory = *resource.NewQuantity(1<<50/int64(executors), resource.BinarySI)
		slot.GPU = *resource.NewQuantity(1000/int64(executors), resource.DecimalSI)
		objects, err := Build(cluster, Inputs{})
		require.NoError(t, err)
		limits := objects.ExecutorManager.Spec.Containers[0].Resources.Limits
		assert.Equal(t, slot.CPU.Value()*int64(executors), limits.Cpu().Value())
		assert.Equal(t, slot.Memory.Value()*int64(executors)+256<<20, limits.Memory().Value())
		for _, quantity := range []*resource.Quantity{&slot.CPU, &slot.Memory, &slot.GPU} {
			before := *quantity
			quantity.Add(*resource.NewQuantity(1, resource.DecimalSI))
			_, err = Build(cluster, Inputs{})
			require.ErrorContains(t, err, "lower either")
			*quantity = before
		}
	}
}

func TestAnOverlayMaySizeAVolumeAndAddOthers(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	overlayOf("executorManager", `{"spec": {"volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "mine", "emptyDir": {}}]}}`)(&cluster.Spec)
	objects, err := Build(cluster, Inputs{})
	require.NoError(t, err)
	volumes := map[string]corev1.Volume{}
	for _, volume := range objects.ExecutorManager.Spec.Volumes {
		volumes[volume.Name] = volume
	}
	assert.Equal(t, "1Gi", volumes["tmp"].EmptyDir.SizeLimit.String())
	assert.Contains(t, volumes, "mine")
}

func TestAVersionFitsIntoItsLabel(t *testing.T) {
	for version, want := range map[string]string{
		"0.6.0":            "0.6.0",
		"0.6.0-rc.1+abc.2": "0.6.0-rc.1_abc.2",
		"0.6.0-142-g0d7a831b23a5-feature-session-manager-rework-with-a--long-name": "0.6.0-142-g0d7a831b23a5-feature-session-manager-rework-with-a",
	} {
		cluster := clusters.Parse(t, clusters.Minimal)
		cluster.Spec.FlameVersion = version
		objects, err := Build(cluster, Inputs{})
		require.NoError(t, err)
		got := objects.ExecutorManager.Labels[flamev1alpha1.LabelVersion]
		assert.Equal(t, want, got)
		assert.Empty(t, validation.IsValidLabelValue(got))
	}
}

func TestMemoryThatIsTooLargeIsToldOnce(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	cluster.Spec.SessionManager.Slot.Memory = resource.MustParse("1e20")
	_, err := Build(cluster, Inputs{})
	var invalid *InvalidSpecError
	require.ErrorAs(t, err, &invalid)
	assert.Len(t, invalid.Problems, 1)
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	cluster.Spec.FlameVersion = "9.9.9"
	cluster.Spec.ExecutorManager.Resources.Limits = limits("cpu", "3")
	_, err := Build(cluster, Inputs{})
	assert.ErrorContains(t, err, "9.9.9")
	assert.ErrorContains(t, err, "limits.cpu is 3")
}

func limits(name corev1.ResourceName, quantity string) corev1.ResourceList {
	return corev1.ResourceList{name: resource.MustParse(quantity)}
}

func overlayOf(field, template string) func(*flamev1alpha1.FlameClusterSpec) {
	return func(s *flamev1alpha1.FlameClusterSpec) {
		raw := &runtime.RawExtension{Raw: []byte(template)}
		switch field {
		case "sessionManager":
			s.SessionManager.PodTemplate = raw
		case "executorManager":
			s.ExecutorManager.PodTemplate = raw
		case "objectCache":
			s.ObjectCache = &flamev1alpha1.ObjectCacheSpec{Image: "x", Replicas: ptr.To[int32](1)}
			s.ObjectCache.PodTemplate = raw
		}
	}
}

func TestHashesOfAnUntouchedClusterNeverChange(t *testing.T) {
	objects, err := Build(clusters.Parse(t, clusters.Minimal), Inputs{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"session manager": "07dbba3394d9bb31", "executor manager": "ee8735652840cfe5",
	}, map[string]string{
		"session manager":  objects.SessionManager.Annotations[flamev1alpha1.AnnotationTemplateHash],
		"executor manager": objects.ExecutorManager.Annotations[flamev1alpha1.AnnotationTemplateHash],
	}, "a released operator made pods with these hashes, and another would replace them all")
}

func TestChangesRestartOnlyWhatTheyMust(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*flamev1alpha1.FlameClusterSpec)
		want   []string
	}{
		"scaling restarts nothing":                      {func(s *flamev1alpha1.FlameClusterSpec) { *s.ExecutorManager.Replicas = 9 }, nil},
		"suspending changes no hash":                    {func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true }, nil},
		"another time to drain restarts nothing":        {func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.DrainTimeoutSeconds = 60 }, nil},
		"another way of updating restarts nothing":      {func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.UpdateStrategy.MaxSurge.IntVal = 3 }, nil},
		"an interval restarts the session manager":      {func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.ScheduleIntervalMilliseconds = 500 }, []string{session}},
		"an image restarts its component":               {func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Image = "x" }, []string{executor}},
		"maxExecutors restarts the executor managers":   {func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.MaxExecutors = 2 }, []string{executor}},
		"a slot is the session manager's and the pods'": {func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.Slot.CPU = resource.MustParse("2") }, []string{executor, session}},
		"eviction restarts the cache":                   {func(s *flamev1alpha1.FlameClusterSpec) { s.ObjectCache.Eviction.Policy = "none" }, []string{cache}},
		"a pull secret is for all pods": {func(s *flamev1alpha1.FlameClusterSpec) {
			s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "x"}}
		}, []string{executor, cache, session}},
	} {
		t.Run(name, func(t *testing.T) {
			before := clusters.Parse(t, clusters.MinimalWithCache)
			after := before.DeepCopy()
			test.change(&after.Spec)
			assert.Equal(t, test.want, restarts(t, before, after))
		})
	}
}

const session, executor, cache = "session manager", "executor manager", "object cache"

// restarts lists the components whose pods have to be replaced after a change.
func restarts(t *testing.T, before, after *flamev1alpha1.FlameCluster) []string {
	t.Helper()
	hashes := func(cluster *flamev1alpha1.FlameCluster) map[string]string {
		objects, err := Build(cluster, Inputs{})
		require.NoError(t, err)
		return map[string]string{
			session:  objects.SessionManager.Annotations[flamev1alpha1.AnnotationTemplateHash],
			executor: objects.ExecutorManager.Annotations[flamev1alpha1.AnnotationTemplateHash],
			cache:    objects.ObjectCacheHash,
		}
	}
	var changed []string
	old, now := hashes(before), hashes(after)
	for _, component := range []string{executor, cache, session} {
		if old[component] != now[component] {
			changed = append(changed, component)
		}
	}
	return changed
}
