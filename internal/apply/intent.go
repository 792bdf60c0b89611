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

// intent holds the wanted fields of an object, in the form in which they are sent.
type intent struct {
	kind   string
	key    client.ObjectKey
	hash   string
	fields map[string]any
}

// newIntent reads a configuration. The intent holds a copy, since a client writes the
// server's answer into the object that it sends.
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

// object returns the object to send. With a UID, the server refuses to apply it to any
// other object.
func (in *intent) object(uid types.UID) *unstructured.Unstructured {
	fields := maps.Clone(in.fields)
	metadata := maps.Clone(fields["metadata"].(map[string]any))
	if uid != "" {
		metadata["uid"] = string(uid)
	}
	fields["metadata"] = metadata
	return &unstructured.Unstructured{Object: fields}
}

// holds reports whether applying the intent would change nothing about an object: this
// intent was applied last, and all of it is still there.
func (in *intent) holds(object client.Object) bool {
	if object.GetAnnotations()[flamev1alpha1.AnnotationApplied] != in.hash {
		return false
	}
	live, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return false
	}
	for name, want := range in.fields {
		// Objects that were read as a Go type carry neither apiVersion nor kind.
		if name != "apiVersion" && name != "kind" && !contains(live[name], want, name) {
			return false
		}
	}
	return true
}
