// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/clusters"
)

// exceptions are the fields that do not restart exactly the component that they belong
// to. By default a field that belongs to no component restarts all components. A line
// that ends in .* stands for all that a field holds.
var exceptions = map[string]struct {
	restarts []string
	why      string
}{
	"flameVersion":                    {[]string{session}, "all versions configure the other components alike, and an image says itself what it is"},
	"suspend":                         {nil, "the pods go, and come back as they were"},
	"sessionManager.slot.*":           {[]string{executor, session}, "the size of an executor manager follows"},
	"sessionManager.disruptionBudget": {nil, "the budget is an object beside the pod"},
	"sessionManager.storage.volumeClaimTemplate.*": {nil, "a claim grows under its pod, and changes in no other way"},
	"sessionManager.storage.uriSecretRef":          {nil, "the URI is in the hash, wherever it comes from, and session managers have run with one since before this test"},
	"sessionManager.storage.uriSecretRef.*":        {nil, "the URI is in the hash, wherever it comes from"},
	"sessionManager.storage.whenDeleted":           {nil, "it makes the cluster the owner of the claim"},
	"executorManager.replicas":                     {nil, "scaling restarts nothing"},
	"executorManager.autoscaling":                  {nil, "scaling restarts nothing"},
	"executorManager.autoscaling.*":                {nil, "scaling restarts nothing"},
	"executorManager.drainTimeoutSeconds":          {nil, "it holds for pods that are made later"},
	"executorManager.updateStrategy.*":             {nil, "it says how pods are replaced, not by what"},
	"objectCache":                                  {[]string{executor, cache}, "executor managers are told its address"},
	"objectCache.replicas":                         {nil, "scaling restarts nothing"},
	"objectCache.storage.volumeClaimTemplate.*":    {nil, "the schema lets nobody change it"},
	"objectCache.storage.whenDeleted":              {nil, "the StatefulSet does it to its claims"},
}

// others are values for fields that do not take any value of their type.
var others = map[string]string{
	"flameVersion":                "0.6.1",
	"sessionManager.image":        "docker.io/other/flame-session-manager:v0.6.0",
	"sessionManager.storage.type": string(flamev1alpha1.StorageSQLite),
}

// A field that is in the pod but not in the hash never reaches a running pod.
func TestEveryFieldRestartsItsComponentOrSaysWhyNot(t *testing.T) {
	withCache := clusters.Parse(t, clusters.MinimalWithCache)
	fields := fieldsOf(reflect.TypeFor[flamev1alpha1.FlameClusterSpec](), nil)
	require.Greater(t, len(fields), 150, "the walk finds too little")
	excepted := map[string]bool{}
	for _, field := range fields {
		t.Run(field.String(), func(t *testing.T) {
			want := field.component()
			if name := field.exception(); name != "" {
				want, excepted[name] = exceptions[name].restarts, true
				assert.NotEqual(t, field.component(), want, "exceptions[%q] is none", name)
			}
			before := withCache.DeepCopy()
			field.reach(before)
			after := before.DeepCopy()
			field.change(after)
			assert.Equal(t, want, restarts(t, before, after),
				"put the field into the hash, in a way that leaves it as it is where the field is not set, or say in exceptions why it is not there")
			if len(want) > 0 && field.exception() == "" {
				assert.NotEqual(t, rendered(t, before), rendered(t, after), "nothing that is made has the field but its hash")
			}
		})
	}
	for name, exception := range exceptions {
		assert.True(t, excepted[name], "exceptions[%q] is for no field", name)
		assert.NotEmpty(t, exception.why, name)
	}
}

// rendered is all that a cluster is made of but for the hashes.
func rendered(t *testing.T, cluster *flamev1alpha1.FlameCluster) string {
	t.Helper()
	objects, err := Build(cluster, Inputs{})
	require.NoError(t, err)
	text, err := json.Marshal(objects)
	require.NoError(t, err)
	return strings.NewReplacer(
		templateHash(objects.SessionManager), "", templateHash(objects.ExecutorManager), "", objects.ObjectCacheHash, "",
	).Replace(string(text))
}

func templateHash(pod *corev1.Pod) string {
	return pod.Annotations[flamev1alpha1.AnnotationTemplateHash]
}

// field is the way from a spec to something that a user can set.
type field []step

// step leads from a value into a part of it: the field of a struct, what a pointer
// points to, or the first element of a list.
type step struct {
	name  string
	index int
	kind  reflect.Kind
}

// fieldsOf lists what can be set in a type. A pointer's target and a list of structs can
// be there or not, besides what they hold.
func fieldsOf(of reflect.Type, way field) []field {
	switch {
	case isLeaf(of):
		return []field{way}
	case of.Kind() == reflect.Struct:
		var fields []field
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			fields = append(fields, fieldsOf(of.Field(i).Type, way.then(step{name, i, reflect.Struct}))...)
		}
		return fields
	default:
		return append([]field{way}, fieldsOf(of.Elem(), way.then(step{"", 0, of.Kind()}))...)
	}
}

func (f field) then(next step) field { return append(f[:len(f):len(f)], next) }

// isLeaf reports whether a value of a type is set as a whole.
func isLeaf(of reflect.Type) bool {
	switch of {
	case reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString](), reflect.TypeFor[runtime.RawExtension]():
		return true
	}
	switch of.Kind() {
	case reflect.Struct:
		return false
	case reflect.Pointer, reflect.Slice:
		return isLeaf(of.Elem())
	default:
		return true
	}
}

// String is how users name the field.
func (f field) String() string {
	var text strings.Builder
	for _, s := range f {
		switch {
		case s.kind == reflect.Slice:
			text.WriteString("[]")
		case s.name != "":
			text.WriteString("." + s.name)
		}
	}
	return strings.TrimPrefix(text.String(), ".")
}

// component names the pods that the field is for.
func (f field) component() []string {
	name, _, _ := strings.Cut(f.String(), ".")
	switch name {
	case "sessionManager":
		return []string{session}
	case "executorManager":
		return []string{executor}
	case "objectCache":
		return []string{cache}
	default:
		return []string{executor, cache, session}
	}
}

// exception names the line of exceptions that is for the field.
func (f field) exception() string {
	name := f.String()
	if _, ok := exceptions[name]; ok {
		return name
	}
	for i := range name {
		if _, ok := exceptions[name[:i]+".*"]; ok && name[i] == '.' {
			return name[:i] + ".*"
		}
	}
	return ""
}

// reach returns the field of a cluster, and makes the values that it is part of.
func (f field) reach(cluster *flamev1alpha1.FlameCluster) reflect.Value {
	value := reflect.ValueOf(&cluster.Spec).Elem()
	for _, s := range f {
		switch s.kind {
		case reflect.Pointer:
			if value.IsNil() {
				value.Set(other(value))
			}
			value = value.Elem()
		case reflect.Slice:
			if value.Len() == 0 {
				value.Set(other(value))
			}
			value = value.Index(0)
		default:
			value = value.Field(s.index)
		}
	}
	return value
}

// change gives the field of a cluster another value.
func (f field) change(cluster *flamev1alpha1.FlameCluster) {
	value := f.reach(cluster)
	if text, ok := others[f.String()]; ok {
		value.SetString(text)
		return
	}
	value.Set(other(value))
}

// other returns another value, one that is valid wherever its type is.
func other(value reflect.Value) reflect.Value {
	of := value.Type()
	made := reflect.New(of).Elem()
	switch was := value.Interface().(type) {
	case resource.Quantity:
		was.Add(resource.MustParse("1"))
		return reflect.ValueOf(was)
	case intstr.IntOrString:
		return reflect.ValueOf(intstr.FromInt32(was.IntVal + 1))
	case runtime.RawExtension:
		return reflect.ValueOf(runtime.RawExtension{Raw: []byte(`{"metadata": {"annotations": {"other": "one"}}}`)})
	case corev1.PersistentVolumeClaimSpec:
		was.Resources.Requests = limits(corev1.ResourceStorage, "1Gi")
		return reflect.ValueOf(was)
	}
	switch value.Kind() {
	case reflect.Bool:
		made.SetBool(!value.Bool())
	case reflect.Int32, reflect.Int64:
		made.SetInt(value.Int() + 1)
	case reflect.String:
		made.SetString(value.String() + "other")
	case reflect.Pointer:
		if value.IsNil() || isLeaf(of) {
			made.Set(reflect.New(of.Elem()))
			made.Elem().Set(other(made.Elem()))
		}
	case reflect.Slice:
		made.Set(reflect.Append(value, other(reflect.Zero(of.Elem()))))
	case reflect.Map:
		made.Set(reflect.MakeMap(of))
		for key, element := range value.Seq2() {
			made.SetMapIndex(key, element)
		}
		made.SetMapIndex(other(reflect.Zero(of.Key())), other(reflect.Zero(of.Elem())))
	case reflect.Struct: // An existing struct is another value than none.
	default:
		panic("no other value for a " + of.String())
	}
	return made
}
