// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// chance are the fields that differ from run to run: identities, and times.
var chance = map[string]bool{
	"uid": true, "resourceVersion": true, "generation": true, "managedFields": true, "namespace": true,
	"creationTimestamp": true, "deletionTimestamp": true, "lastTransitionTime": true, "startTime": true, "time": true,
	// Hashes are over names that a namespace is a part of.
	"flame.xflops.io/applied": true, "flame.xflops.io/template-hash": true,
	"startedAt": true, "finishedAt": true, "lastScaleTime": true, "clusterIP": true, "clusterIPs": true, "flame.xflops.io/withdrawn-at": true,
}

// result is what a world has come to, a line for each field that is not chance of
// every object, and of what Flame knows.
func (w *world) result() []string {
	w.Helper()
	var lines []string
	for _, kind := range cachedKinds() {
		gvk, err := w.reach.live.GroupVersionKindFor(kind)
		require.NoError(w, err)
		list, err := w.reach.live.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		require.NoError(w, err)
		reader := client.Reader(w.reach.cache)
		switch kind.(type) {
		case *corev1.Pod, *unstructured.Unstructured:
			reader = w.reach.live // The cache leaves out most of a pod, and has no typed FlameClusters.
		}
		require.NoError(w, reader.List(w.Context(), list.(client.ObjectList), client.InNamespace(w.namespace)))
		objects, err := meta.ExtractList(list)
		require.NoError(w, err)
		for _, object := range objects {
			lines = append(lines, w.tellOf(gvk.Kind+" "+object.(client.Object).GetName(), object)...)
		}
	}
	state := w.flame.server.State()
	for _, node := range state.Nodes {
		lines = append(lines, w.tellOf("Flame's node "+node.Name, node)...)
	}
	for _, session := range state.Sessions {
		lines = append(lines, w.tellOf("Flame's session "+session.ID, session)...)
	}
	for _, executor := range state.Executors {
		lines = append(lines, w.tellOf("Flame's executor", executor)...)
	}
	slices.Sort(lines)
	return lines
}

// tellOf flattens an object.
func (w *world) tellOf(name string, object any) []string {
	text, err := json.Marshal(object)
	require.NoError(w, err)
	var fields any
	require.NoError(w, json.Unmarshal(text, &fields))
	lines := flatten(name+": ", fields)
	for i, line := range lines {
		lines[i] = anonymous(strings.ReplaceAll(line, w.namespace, "ns"))
	}
	return lines
}

func flatten(path string, value any) []string {
	switch value := value.(type) {
	case map[string]any:
		lines := []string{path + "{}"}
		for name, field := range value {
			if !chance[name] {
				lines = append(lines, flatten(path+"."+name, field)...)
			}
		}
		return lines
	case []any:
		var lines []string
		for i, element := range value {
			lines = append(lines, flatten(fmt.Sprintf("%s[%d]", path, i), element)...)
		}
		return lines
	default:
		return []string{fmt.Sprintf("%s = %v", path, value)}
	}
}

// difference returns the lines that only one of two sorted results has.
func difference(want, got []string) (lines []string) {
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			lines, want = append(lines, "- "+want[0]), want[1:]
		case len(want) == 0 || got[0] < want[0]:
			lines, got = append(lines, "+ "+got[0]), got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return lines
}
