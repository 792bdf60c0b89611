// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/test/apiserver"
)

func (b *bench) serviceConfig() *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service("x", b.Namespace).WithLabels(ours).WithOwnerReferences(reference(b.Owner)).
		WithSpec(corev1ac.ServiceSpec().WithType(corev1.ServiceTypeClusterIP).WithSelector(map[string]string{"app": "x"}).WithPorts(
			corev1ac.ServicePort().WithName("a").WithProtocol(corev1.ProtocolTCP).WithPort(80).WithTargetPort(intstr.FromInt32(8080)),
			corev1ac.ServicePort().WithName("b").WithProtocol(corev1.ProtocolTCP).WithPort(81).WithTargetPort(intstr.FromInt32(8081))))
}

func (b *bench) configMapConfig(data map[string]string) *corev1ac.ConfigMapApplyConfiguration {
	return corev1ac.ConfigMap("x", b.Namespace).WithLabels(ours).WithOwnerReferences(reference(b.Owner)).WithData(data)
}

func (b *bench) secretConfig(value string) *corev1ac.SecretApplyConfiguration {
	return corev1ac.Secret("x", b.Namespace).WithLabels(ours).WithOwnerReferences(reference(b.Owner)).
		WithData(map[string][]byte{"key": []byte(value)})
}

func (b *bench) claimConfig(size string) *corev1ac.PersistentVolumeClaimApplyConfiguration {
	return corev1ac.PersistentVolumeClaim("x", b.Namespace).WithLabels(ours).
		WithSpec(corev1ac.PersistentVolumeClaimSpec().WithAccessModes(corev1.ReadWriteOnce).
			WithResources(corev1ac.VolumeResourceRequirements().WithRequests(corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)})))
}

func (b *bench) setConfig() *appsv1ac.StatefulSetApplyConfiguration {
	app := map[string]string{"app": "x"}
	return appsv1ac.StatefulSet("x", b.Namespace).WithLabels(ours).WithOwnerReferences(reference(b.Owner)).
		WithSpec(appsv1ac.StatefulSetSpec().WithReplicas(1).WithServiceName("x").
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(app)).
			WithTemplate(corev1ac.PodTemplateSpec().WithLabels(app).WithSpec(corev1ac.PodSpec().
				WithAutomountServiceAccountToken(false).
				WithVolumes(corev1ac.Volume().WithName("v").WithEmptyDir(corev1ac.EmptyDirVolumeSource().WithSizeLimit(resource.MustParse("1024Mi")))).
				WithContainers(corev1ac.Container().WithName("c").WithImage("i").WithCommand("run", "it").
					WithEnv(corev1ac.EnvVar().WithName("A").WithValue("1")).
					WithResources(corev1ac.ResourceRequirements().WithLimits(corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000m")})).
					WithVolumeMounts(corev1ac.VolumeMount().WithName("v").WithMountPath("/v"))))))
}

func (b *bench) apply(config runtime.ApplyConfiguration, into client.Object) {
	b.Helper()
	require.NoError(b, b.applier.Apply(b.Context(), b.Owner, config, into))
}

func TestASecondApplySendsNothing(t *testing.T) {
	b := newBench(t)
	objects := map[string]struct {
		config runtime.ApplyConfiguration
		into   client.Object
		// A Secret is in no cache, so it is read each time.
		wantSecond []string
	}{
		"ServiceAccount": {
			config: corev1ac.ServiceAccount("x", b.Namespace).WithLabels(ours).WithOwnerReferences(reference(b.Owner)).WithAutomountServiceAccountToken(false),
			into:   &corev1.ServiceAccount{},
		},
		"ConfigMap":             {config: b.configMapConfig(map[string]string{"a": "1", "b": ""}), into: &corev1.ConfigMap{}},
		"Secret":                {config: b.secretConfig("secret"), into: &corev1.Secret{}, wantSecond: []string{"GET x"}},
		"Service":               {config: b.serviceConfig(), into: &corev1.Service{}},
		"StatefulSet":           {config: b.setConfig(), into: &appsv1.StatefulSet{}},
		"PersistentVolumeClaim": {config: b.claimConfig("1024Mi").WithOwnerReferences(reference(b.Owner)), into: &corev1.PersistentVolumeClaim{}},
	}
	for name, object := range objects {
		t.Run(name, func(t *testing.T) {
			b.Requests.Taken()
			b.apply(object.config, object.into)
			assert.Equal(t, []string{"GET x", "PATCH x"}, b.Requests.Taken())
			assert.NotEmpty(t, object.into.GetResourceVersion(), "the answer is handed back")
			assert.NotEmpty(t, object.into.GetUID())
			version := object.into.GetResourceVersion()

			b.apply(object.config, object.into)
			assert.Equal(t, object.wantSecond, b.Requests.Taken())
			assert.Equal(t, version, object.into.GetResourceVersion(), "what is there is handed back")
		})
	}
}

func TestWhatOthersChangeComesBack(t *testing.T) {
	b := newBench(t)
	changes := map[string]struct {
		object client.Object
		patch  string
	}{
		"data":                   {&corev1.ConfigMap{}, `{"data":{"a":"2"}}`},
		"removed data":           {&corev1.ConfigMap{}, `{"data":null}`},
		"a label":                {&corev1.ConfigMap{}, `{"metadata":{"labels":{"component":"other"}}}`},
		"the label of the cache": {&corev1.ConfigMap{}, `{"metadata":{"labels":{"managed-by":null}}}`},
		"the annotation":         {&corev1.ConfigMap{}, `{"metadata":{"annotations":null}}`},
		"the owner":              {&corev1.ConfigMap{}, `{"metadata":{"ownerReferences":null}}`},
		"the owner's controller": {&corev1.Service{}, `{"metadata":{"ownerReferences":null,"labels":{"managed-by":null}}}`},
		"a selector":             {&corev1.Service{}, `{"spec":{"selector":{"app":"y"}}}`},
		"a port's target":        {&corev1.Service{}, `{"spec":{"ports":[{"name":"a","port":80,"targetPort":9},{"name":"b","port":81,"targetPort":8081}]}}`},
		"a missing port":         {&corev1.Service{}, `{"spec":{"ports":[{"name":"a","port":80,"targetPort":8080}]}}`},
		"replicas":               {&appsv1.StatefulSet{}, `{"spec":{"replicas":0}}`},
		"a command":              {&appsv1.StatefulSet{}, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i","command":["run"]}]}}}}`},
		"a limit":                {&appsv1.StatefulSet{}, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i","command":["run","it"],"resources":{"limits":{"cpu":"2"}}}]}}}}`},
		"a false made unset":     {&appsv1.StatefulSet{}, `{"spec":{"template":{"spec":{"automountServiceAccountToken":null}}}}`},
		"a secret":               {&corev1.Secret{}, `{"data":{"key":"YQ=="}}`},
	}
	configs := map[string]runtime.ApplyConfiguration{
		"ConfigMap": b.configMapConfig(map[string]string{"a": "1"}), "Service": b.serviceConfig(),
		"StatefulSet": b.setConfig(), "Secret": b.secretConfig("secret"),
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			config := configs[kindOf(change.object)]
			b.apply(config, change.object)
			b.Patch(change.object, change.patch)
			b.Requests.Taken()

			b.apply(config, change.object)
			assert.Equal(t, 1, b.Requests.Count("PATCH"), "it is written once")
			in, err := newIntent(config)
			require.NoError(t, err)
			assert.True(t, in.holds(apiserver.Get(b.Bench, "x", change.object)), "all of it is back")
			b.apply(config, change.object)
			assert.Zero(t, b.Requests.Count("PATCH"), "and then left alone")
		})
	}
}

func TestWhatIsNoLongerWantedGoes(t *testing.T) {
	b := newBench(t)
	b.apply(b.configMapConfig(map[string]string{"a": "1", "b": "2"}), &corev1.ConfigMap{})
	b.apply(b.configMapConfig(map[string]string{"a": "1"}), &corev1.ConfigMap{})
	assert.Equal(t, map[string]string{"a": "1"}, apiserver.Get(b.Bench, "x", &corev1.ConfigMap{}).Data)
}

func TestWhatOthersAddStaysAndCausesNoWrite(t *testing.T) {
	b := newBench(t)
	service := &corev1.Service{}
	b.apply(b.serviceConfig(), service)
	b.Patch(service, `{"metadata":{"labels":{"team":"red"},"annotations":{"note":"n"}},"spec":{"sessionAffinity":"ClientIP"}}`)
	service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: "metrics", Port: 90, Protocol: corev1.ProtocolTCP})
	require.NoError(t, b.Users.Update(t.Context(), service))
	b.Requests.Taken()

	b.apply(b.serviceConfig(), service)
	assert.Empty(t, b.Requests.Taken())
	assert.Len(t, service.Spec.Ports, 3)

	changed := b.serviceConfig()
	changed.Spec.Selector["app"] = "y"
	b.apply(changed, service)
	assert.Len(t, service.Spec.Ports, 3, "also when something else is written")
	assert.Equal(t, "red", service.Labels["team"])
}

func TestWhatBelongsToOthersIsLeftAlone(t *testing.T) {
	b := newBench(t)
	other := b.Cluster("c", "99999999-2222-3333-4444-555555555555")
	tests := map[string]struct {
		labels    map[string]string
		owners    []metav1.OwnerReference
		wantError string
	}{
		"an object of nobody":                {nil, nil, `ConfigMap "x" already exists and was not made by the operator; delete it or choose another name for the FlameCluster`},
		"an object of nobody with our label": {ours, nil, `ConfigMap "x" already exists and was not made by the operator; delete it or choose another name for the FlameCluster`},
		"an object of another cluster":       {ours, apiserver.ControllerRef(other), `ConfigMap "x" already exists and belongs to FlameCluster "c"; delete it or choose another name for the FlameCluster`},
		"and without our label":              {nil, apiserver.ControllerRef(other), `ConfigMap "x" already exists and belongs to FlameCluster "c"; delete it or choose another name for the FlameCluster`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			theirs := &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: "x", Labels: test.labels, OwnerReferences: test.owners},
				Data:       map[string]string{"a": "theirs"},
			}
			require.NoError(t, b.Users.Create(t.Context(), theirs))
			t.Cleanup(func() { _ = b.Users.Delete(b.Context(), theirs) })
			b.Requests.Taken()

			err := b.applier.Apply(t.Context(), b.Owner, b.configMapConfig(map[string]string{"a": "ours"}), &corev1.ConfigMap{})
			var notOwned *NotOwnedError
			require.ErrorAs(t, err, &notOwned)
			assert.EqualError(t, err, test.wantError)
			assert.Zero(t, b.Requests.Count("PATCH"))

			require.NoError(t, b.applier.Prune(t.Context(), b.Owner, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}))
			assert.Equal(t, theirs.Data, apiserver.Get(b.Bench, "x", &corev1.ConfigMap{}).Data)
		})
	}
}

func TestAPatchIsForTheObjectThatWasLookedAt(t *testing.T) {
	b := newBench(t)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: "x"}}
	require.NoError(t, b.Users.Create(t.Context(), config))
	seen := config.DeepCopy()
	labels := func(value any) map[string]any { return map[string]any{"labels": map[string]any{"a": value}} }
	require.NoError(t, Patch(t.Context(), b.Users, seen, labels("b"), nil))
	assert.Equal(t, "b", apiserver.Get(b.Bench, "x", &corev1.ConfigMap{}).Labels["a"])
	assert.Empty(t, seen.Labels, "it may be the cache's")
	require.NoError(t, Patch(t.Context(), b.Users, seen, labels(nil), nil), "it has changed since, and is looked at again")
	assert.Equal(t, "b", apiserver.Get(b.Bench, "x", &corev1.ConfigMap{}).Labels["a"])
	require.NoError(t, b.Users.Delete(t.Context(), config))
	require.NoError(t, Patch(t.Context(), b.Users, seen, labels(nil), nil), "so is one that is gone")
}

func TestAnObjectThatWasReplacedMeanwhileIsNotTouched(t *testing.T) {
	b := newBench(t)
	old := &corev1.ConfigMap{}
	b.apply(b.configMapConfig(map[string]string{"a": "1"}), old)
	require.NoError(t, b.Users.Delete(t.Context(), old.DeepCopy()))
	theirs := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: "x"}, Data: map[string]string{"a": "theirs"}}
	require.NoError(t, b.Users.Create(t.Context(), theirs))

	in, err := newIntent(b.configMapConfig(map[string]string{"a": "2"}))
	require.NoError(t, err)
	require.Error(t, b.applier.send(t.Context(), in, old.DeepCopy()))
	require.True(t, apierrors.IsConflict(Remove(t.Context(), b.cache, old.DeepCopy())))
	assert.Equal(t, theirs.Data, apiserver.Get(b.Bench, "x", &corev1.ConfigMap{}).Data)
}

func TestPrune(t *testing.T) {
	b := newBench(t)
	prune := func(object client.Object) []string {
		b.Requests.Taken()
		object.SetName("x")
		require.NoError(t, b.applier.Prune(t.Context(), b.Owner, object))
		return b.Requests.Taken()
	}
	assert.Empty(t, prune(&corev1.ConfigMap{}), "what is missing costs no request")
	assert.Equal(t, []string{"GET x"}, prune(&corev1.Secret{}), "a Secret, which is in no cache, costs one")
	assert.Empty(t, prune(&corev1.Secret{}), "once")

	b.apply(b.configMapConfig(nil), &corev1.ConfigMap{})
	b.apply(b.secretConfig("s"), &corev1.Secret{})
	assert.Equal(t, []string{"DELETE x"}, prune(&corev1.ConfigMap{}))
	assert.Equal(t, []string{"GET x", "DELETE x"}, prune(&corev1.Secret{}))
	assert.Equal(t, []string{"GET x"}, prune(&corev1.Secret{}), "its end is seen once")
	assert.Empty(t, prune(&corev1.Secret{}))
}
