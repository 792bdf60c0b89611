// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
)

// intent is what an object shall hold, as it is sent.
type intent struct {
	kind   string
	key    client.ObjectKey
	hash   string
	fields map[string]any
}

// newIntent reads a configuration. A copy is what is sent, since a client lets
// the server's answer grow into what it was given.
func newIntent(config runtime.ApplyConfiguration) (*intent, error) {
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration to apply: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("decode the configuration to apply: %w", err)
	}
	sum := sha256.Sum256(data)
	object := unstructured.Unstructured{Object: fields}
	in := &intent{
		kind:   object.GetKind(),
		key:    client.ObjectKeyFromObject(&object),
		hash:   hex.EncodeToString(sum[:8]),
		fields: fields,
	}
	if err := unstructured.SetNestedField(fields, in.hash, "metadata", "annotations", flamev1alpha1.AnnotationApplied); err != nil {
		return nil, fmt.Errorf("annotate the configuration to apply: %w", err)
	}
	return in, nil
}

// object returns what to send. With a UID the server refuses it for any other object.
func (in *intent) object(uid types.UID) *unstructured.Unstructured {
	fields := maps.Clone(in.fields)
	metadata := maps.Clone(fields["metadata"].(map[string]any))
	if uid != "" {
		metadata["uid"] = string(uid)
	}
	fields["metadata"] = metadata
	return &unstructured.Unstructured{Object: fields}
}

// holds says whether applying the intent would change nothing about an object:
// it was applied last, and all of it is still there.
func (in *intent) holds(object client.Object) bool {
	if object.GetAnnotations()[flamev1alpha1.AnnotationApplied] != in.hash {
		return false
	}
	live, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return false
	}
	for name, want := range in.fields {
		// Objects that were read as a Go type have no type of their own.
		if name != "apiVersion" && name != "kind" && !contains(live[name], want, name) {
			return false
		}
	}
	return true
}
