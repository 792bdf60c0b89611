// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/randfill"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

// longest is a name that no bound of the schema keeps a user from writing.
var longest = strings.Repeat("n", 10_000)

// templates returns the pod template that each component has in a cluster.
func templates(t *testing.T, cluster *flamev1alpha1.FlameCluster) map[string]corev1.PodTemplateSpec {
	t.Helper()
	objects, err := Build(cluster, Inputs{})
	require.NoError(t, err)
	var cache corev1.PodTemplateSpec
	require.NoError(t, convert(objects.ObjectCache.Spec.Template, &cache))
	return map[string]corev1.PodTemplateSpec{
		"sessionManager":  {ObjectMeta: objects.SessionManager.ObjectMeta, Spec: objects.SessionManager.Spec},
		"executorManager": {ObjectMeta: objects.ExecutorManager.ObjectMeta, Spec: objects.ExecutorManager.Spec},
		"objectCache":     cache,
	}
}

// built returns the pod template of a component under a podTemplate, or the error.
func built(t *testing.T, text, field, overlay string) (corev1.PodTemplateSpec, error) {
	t.Helper()
	cluster := clusters.Parse(t, text)
	settings := map[string]*flamev1alpha1.PodSettings{
		"sessionManager":  &cluster.Spec.SessionManager.PodSettings,
		"executorManager": &cluster.Spec.ExecutorManager.PodSettings,
		"objectCache":     &cluster.Spec.ObjectCache.PodSettings,
	}
	settings[field].PodTemplate = &runtime.RawExtension{Raw: []byte(overlay)}
	if _, err := Build(cluster, Inputs{}); err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	return templates(t, cluster)[field], nil
}

// requireRefused wants every problem of a podTemplate to start with the field and to fit
// an event, and one of them to tell of a thing.
func requireRefused(t *testing.T, text, field, overlay, tells string) {
	t.Helper()
	_, err := built(t, text, field, overlay)
	var invalid *InvalidSpecError
	require.ErrorAs(t, err, &invalid, overlay[:min(len(overlay), 200)])
	for _, problem := range invalid.Problems {
		assert.True(t, strings.HasPrefix(problem, field+".podTemplate"), problem)
		assert.NotContains(t, problem, "map[", "Go's words are nobody's")
	}
	assert.LessOrEqual(t, len(err.Error()), 1024)
	assert.Contains(t, err.Error(), tells)
}

const cacheWithClaim = clusters.Minimal + `  objectCache:
    image: docker.io/xflops/flame-object-cache:v0.6.0
    storage: {volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}}
`

func TestWhatIsTheOperatorsInAPodIsRefusedWithWords(t *testing.T) {
	const text = clusters.MinimalWithCache
	for field, template := range templates(t, clusters.Parse(t, text)) {
		t.Run(field, func(t *testing.T) {
			for name := range template.Labels {
				requireRefused(t, text, field, fmt.Sprintf(`{"metadata": {"labels": {%q: "x"}}}`, name), "the labels that the operator sets")
			}
			for name := range template.Annotations {
				requireRefused(t, text, field, fmt.Sprintf(`{"metadata": {"annotations": {%q: "x"}}}`, name), "the annotations that the operator sets")
			}
			for _, volume := range template.Spec.Volumes {
				requireRefused(t, text, field, fmt.Sprintf(`{"spec": {"volumes": [{"name": %q, "configMap": {"name": "mine"}}]}}`, volume.Name),
					fmt.Sprintf("the volume %q, which the operator makes: give yours another name", volume.Name))
				requireRefused(t, text, field, fmt.Sprintf(`{"spec": {"volumes": [{"name": %q, "hostPath": {"path": %q}}]}}`, volume.Name, longest),
					fmt.Sprintf("the volume %q", volume.Name))
			}
			lists := map[string][]corev1.Container{"containers": template.Spec.Containers, "initContainers": template.Spec.InitContainers}
			for list, containers := range lists {
				for _, container := range containers {
					requireContainerRefused(t, text, field, list, container)
				}
				requireRefused(t, text, field, fmt.Sprintf(`{"spec": {%q: [{"name": "execution-manager", "env": [{"name": "A", "value": "b"}]}]}}`, list),
					fmt.Sprintf(`.podTemplate.spec.%s[0], "execution-manager", has no image, and the operator makes no container of that name`, list))
				requireRefused(t, text, field, fmt.Sprintf(`{"spec": {%q: [{"name": %q}]}}`, list, longest), "has no image")
				requireRefused(t, text, field, fmt.Sprintf(`{"spec": {%q: [{"image": "x"}]}}`, list), "[0] has no name")
			}
		})
	}
}

// requireContainerRefused changes everything about a container that is the operator's.
func requireContainerRefused(t *testing.T, text, field, list string, container corev1.Container) {
	t.Helper()
	with := func(change string) string {
		return fmt.Sprintf(`{"spec": {%q: [{"name": %q, %s}]}}`, list, container.Name, change)
	}
	for change, tells := range map[string]string{
		`"command": ["sleep"]`: "the command of", `"args": ["x"]`: "the command of", `"image": "x"`: "set " + field + ".image",
		`"image": "` + longest + `"`: "the image of", `"workingDir": "/x"`: "the working directory of", `"restartPolicy": "Always"`: "restartPolicy of container",
	} {
		requireRefused(t, text, field, with(change), tells)
	}
	for _, name := range reservedEnv {
		requireRefused(t, text, field, with(fmt.Sprintf(`"env": [{"name": %q, "value": "x"}]`, name)), "the variable "+name)
		requireRefused(t, text, field, with(fmt.Sprintf(`"env": [{"name": %q, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]`, name)), "the variable "+name)
	}
	for _, mount := range container.VolumeMounts {
		at := func(path, volume, more string) string {
			return with(fmt.Sprintf(`"volumeMounts": [{"name": %q, "mountPath": %q%s}]`, volume, path, more))
		}
		requireRefused(t, text, field, at(mount.MountPath, mount.Name, `, "subPath": "elsewhere"`), "has mounted at "+mount.MountPath)
		requireRefused(t, text, field, at(mount.MountPath+"/", "mine", ""), "has at "+mount.MountPath)
		requireRefused(t, text, field, at(mount.MountPath, longest, `, "readOnly": true`), "has mounted at "+mount.MountPath)
	}
	for _, path := range []string{"/", "/usr", "/usr/local/flame", "/usr/local/flame/bin", "/etc/flame/flame-cluster.yaml", "etc/flame/x", "/etc/flame/" + longest} {
		requireRefused(t, text, field, with(fmt.Sprintf(`"volumeMounts": [{"name": "mine", "mountPath": %q}]`, path)), "by mounting the volume \"mine\" there: mount it elsewhere")
	}
}

func TestOtherPlacesThatAreTheOperatorsAreRefusedWithWords(t *testing.T) {
	probe := func(kind, change string) string {
		return fmt.Sprintf(`{"spec": {"containers": [{"name": "executor-manager", %q: {%s}}]}}`, kind, change)
	}
	for overlay, tells := range map[string]string{
		`{"metadata": null}`:                                               ".podTemplate.metadata is null, which would remove all",
		`{"spec": null}`:                                                   ".podTemplate.spec is null, which would remove all",
		`{"spec": {"containers": null}}`:                                   `the container "executor-manager" by removing it`,
		`{"metadata": {"finalizers": ["example.com/a"]}}`:                  ".podTemplate.metadata has more than labels and annotations",
		`{"metadata": {"finalizers": ["` + longest + `"]}}`:                ".podTemplate.metadata has more than labels and annotations",
		`{"metadata": {"name": "mine"}}`:                                   ".podTemplate.metadata has more than labels and annotations",
		`{"metadata": {"annotations": {"flame.xflops.io/failures": "9"}}}`: "cannot change the annotations that the operator sets, nor any of flame.xflops.io/",
		`{"metadata": {"labels": {"flame.xflops.io/mine": "x"}}}`:          "cannot change the labels that the operator sets, nor any of flame.xflops.io/",
		`{"spec": {"automountServiceAccountToken": true}}`:                 "cannot change automountServiceAccountToken: the code of users would get the token",
		`{"spec": {"automountServiceAccountToken": null}}`:                 "cannot change automountServiceAccountToken",
		`{"spec": {"serviceAccountName": "x"}}`:                            "cannot change serviceAccountName: set spec.serviceAccountName",
		`{"spec": {"serviceAccount": "x"}}`:                                "cannot change serviceAccountName: set spec.serviceAccountName",
		`{"spec": {"hostNetwork": true}}`:                                  "cannot change hostNetwork",
		`{"spec": {"hostPID": true}}`:                                      "cannot change hostPID",
		`{"spec": {"restartPolicy": "Always"}}`:                            "cannot change restartPolicy",
		`{"spec": {"readinessGates": [{"conditionType": "a/b"}]}}`:         "cannot change readinessGates",
		`{"spec": {"ephemeralContainers": [{"name": "a", "image": "b"}]}}`: "cannot change ephemeralContainers",
		`{"spec": {"` + longest + `": 1}}`:                                 `unknown field`,
		`{"spec": {"containers": 1}}`:                                      "is no pod template",
		`{"spec": {"containers": [{"name": "executor-manager", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]}}`: "cannot change the GPU limit",
		probe("startupProbe", `"exec": null, "httpGet": {"port": 1}`):                                                "cannot change what the startup and readiness probes",
		probe("readinessProbe", `"exec": {"command": ["true"]}`):                                                     "cannot change what the startup and readiness probes",
	} {
		requireRefused(t, clusters.MinimalWithCache, "executorManager", overlay, tells)
	}
	requireRefused(t, cacheWithClaim, "objectCache", `{"spec": {"volumes": [{"name": "objects", "emptyDir": {}}]}}`,
		`cannot change the volume "objects", which is made of a claim: give yours another name`)
}

// The lists are found by their types, so that a list that Kubernetes adds is tried too.
func TestANullInAnyListIsNamed(t *testing.T) {
	var walk func(of reflect.Type, path string, wrap func(any) any, depth int)
	tried := 0
	walk = func(of reflect.Type, path string, wrap func(any) any, depth int) {
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if depth == 0 || of.Kind() != reflect.Struct {
			return
		}
		for i := range of.NumField() {
			name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			in := func(value any) any { return wrap(map[string]any{name: value}) }
			kind := of.Field(i).Type
			switch {
			case options == "inline":
				walk(kind, path, wrap, depth-1)
			case name == "" || name == "-":
			case kind.Kind() == reflect.Slice && kind.Elem().Kind() != reflect.Uint8:
				tried++
				overlay, err := json.Marshal(in([]any{nil}))
				require.NoError(t, err)
				requireRefused(t, clusters.MinimalWithCache, "executorManager", string(overlay),
					"executorManager.podTemplate"+path+"."+name+"[0] is null, where a list has no empty element: remove it")
				element := map[string]any{}
				if key := mergeKeys[name]; key != "" {
					element[key] = "x"
				}
				walk(kind.Elem(), path+"."+name+"[0]", func(value any) any {
					inner := maps.Clone(element)
					maps.Copy(inner, value.(map[string]any))
					return in([]any{inner})
				}, depth-1)
			default:
				walk(kind, path+"."+name, in, depth-1)
			}
		}
	}
	walk(reflect.TypeFor[corev1.PodTemplateSpec](), "", func(value any) any { return value }, 5)
	assert.Greater(t, tried, 50)
}

// Every field of a pod that a podTemplate names is taken over or refused, and never
// dropped without a word.
func TestAPodTemplateIsTakenOverOrRefused(t *testing.T) {
	random := randfill.NewWithSeed(1).NilChance(0).NumElements(1, 1).MaxDepth(3).Funcs(
		func(flag *bool, _ randfill.Continue) { *flag = true },
		func(text *string, _ randfill.Continue) { *text = "x" },
	)
	type spec = corev1.PodSpec
	before := templates(t, clusters.Parse(t, clusters.MinimalWithCache))
	own := []string{"Containers", "InitContainers", "Volumes"} // The other tests see to these.
	for _, field := range []string{"sessionManager", "executorManager", "objectCache"} {
		for i := range reflect.TypeFor[spec]().NumField() {
			name := reflect.TypeFor[spec]().Field(i).Name
			if slices.Contains(own, name) {
				continue
			}
			var asked corev1.PodTemplateSpec
			value := reflect.ValueOf(&asked.Spec).Elem().Field(i)
			random.Fill(value.Addr().Interface())
			overlay, err := json.Marshal(map[string]any{"spec": onlyField(t, asked.Spec, i)})
			require.NoError(t, err)
			template, err := built(t, clusters.MinimalWithCache, field, string(overlay))
			if err != nil {
				assert.ErrorContains(t, err, field+".podTemplate", name)
				continue
			}
			was, now := reflect.ValueOf(before[field].Spec).Field(i).Interface(), reflect.ValueOf(template.Spec).Field(i).Interface()
			if !equality.Semantic.DeepEqual(value.Interface(), was) {
				assert.NotEqual(t, was, now, "%s of %s is dropped without a word", name, field)
			}
		}
	}
}

// onlyField returns one field of a pod's spec by its name in JSON.
func onlyField(t *testing.T, spec corev1.PodSpec, i int) map[string]any {
	t.Helper()
	name, _, _ := strings.Cut(reflect.TypeOf(spec).Field(i).Tag.Get("json"), ",")
	return map[string]any{name: reflect.ValueOf(spec).Field(i).Interface()}
}

func TestAVolumeOfTheUserMayTakeThePlaceOfScratch(t *testing.T) {
	template, err := built(t, clusters.MinimalWithCache, "executorManager", `{"spec": {
		"containers": [{"name": "executor-manager", "volumeMounts": [{"name": "mine", "mountPath": "/home/flame"}]}],
		"volumes": [{"name": "mine", "persistentVolumeClaim": {"claimName": "homes"}}]}}`)
	require.NoError(t, err)
	assert.Contains(t, template.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/home/flame"})
	assert.NotContains(t, template.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "home", MountPath: "/home/flame"})
}
