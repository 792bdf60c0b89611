// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Command bundle completes the ClusterServiceVersion that operator-sdk makes:
//
//	go run ./hack/bundle BASE CRD IMAGE CSV
//
// It writes a descriptor for every field of a FlameCluster, with the field's own
// description in the CRD, puts the image where it has to be named, and keeps the
// date of the base, so that making the bundle again changes nothing.
package main

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: bundle BASE CRD IMAGE CSV")
		os.Exit(2)
	}
	if err := complete(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func complete(basePath, crdPath, image, path string) error {
	base, err := read(basePath)
	if err != nil {
		return err
	}
	crd, err := read(crdPath)
	if err != nil {
		return err
	}
	csv, err := read(path)
	if err != nil {
		return err
	}
	annotations := csv.GetAnnotations()
	annotations["createdAt"] = base.GetAnnotations()["createdAt"]
	annotations["containerImage"] = image
	csv.SetAnnotations(annotations)
	if err := describe(csv, crd); err != nil {
		return fmt.Errorf("describe the fields of %q: %w", crd.GetName(), err)
	}
	images := []any{map[string]any{"name": "flame-operator", "image": image}}
	if err := unstructured.SetNestedSlice(csv.Object, images, "spec", "relatedImages"); err != nil {
		return err
	}
	data, err := yaml.Marshal(csv.Object)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func read(path string) (*unstructured.Unstructured, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	object := map[string]any{}
	if err := yaml.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &unstructured.Unstructured{Object: object}, nil
}

// describe gives the one owned CRD its descriptors.
func describe(csv, crd *unstructured.Unstructured) error {
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		return err
	}
	owned, _, err := unstructured.NestedSlice(csv.Object, "spec", "customresourcedefinitions", "owned")
	if err != nil {
		return err
	}
	if len(versions) != 1 || len(owned) != 1 {
		return fmt.Errorf("%d versions and %d owned CRDs, where one of each was expected", len(versions), len(owned))
	}
	for part, key := range map[string]string{"spec": "specDescriptors", "status": "statusDescriptors"} {
		schema, found, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", part)
		if err != nil || !found {
			return fmt.Errorf("no schema of %s: %w", part, err)
		}
		owned[0].(map[string]any)[key] = descriptors(part, "", schema)
	}
	return unstructured.SetNestedSlice(csv.Object, owned, "spec", "customresourcedefinitions", "owned")
}
