// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/hack/bundle/releases"
)

// csv is a ClusterServiceVersion.
type csv struct{ *unstructured.Unstructured }

// complete adds to a bundle what operator-sdk leaves out: a descriptor for every field of
// a FlameCluster, with the field's own description in the CRD, the image wherever it has
// to be named, the place among the releases, and the architectures. The date of the base
// stays, so that making the bundle again changes nothing.
func complete(all *releases.Releases, basePath, crdPath, image, path string) error {
	base, err := read(basePath)
	if err != nil {
		return err
	}
	crd, err := read(crdPath)
	if err != nil {
		return err
	}
	return change(path, func(csv csv) error {
		csv.annotate("createdAt", base.GetAnnotations()["createdAt"])
		csv.label(all.Architectures)
		if err := csv.plainExamples(); err != nil {
			return err
		}
		if err := csv.place(all); err != nil {
			return err
		}
		if err := describe(csv.Unstructured, crd); err != nil {
			return fmt.Errorf("describe the fields of %q: %w", crd.GetName(), err)
		}
		return csv.setImage(image)
	})
}

// change rewrites the ClusterServiceVersion at path.
func change(path string, by func(csv) error) error {
	object, err := read(path)
	if err != nil {
		return err
	}
	if err := by(csv{object}); err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	data, err := yaml.Marshal(object.Object)
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

func (c csv) annotate(key, value string) {
	annotations := c.GetAnnotations()
	annotations[key] = value
	c.SetAnnotations(annotations)
}

// label says for which architectures there are images.
func (c csv) label(architectures []string) {
	labels := c.GetLabels()
	for _, architecture := range architectures {
		labels["operatorframework.io/arch."+architecture] = "supported"
	}
	c.SetLabels(labels)
}

// plainExamples takes the prefix and the namespace of the operator's own objects
// off the examples, which kustomize gave them: a user's cluster has neither. The
// smallest comes first, since the console offers that one.
func (c csv) plainExamples() error {
	var examples []*unstructured.Unstructured
	if err := json.Unmarshal([]byte(c.GetAnnotations()["alm-examples"]), &examples); err != nil {
		return fmt.Errorf("read alm-examples: %w", err)
	}
	for _, example := range examples {
		example.SetName(strings.TrimPrefix(example.GetName(), "flame-operator-"))
		example.SetNamespace("")
	}
	slices.SortFunc(examples, func(a, b *unstructured.Unstructured) int {
		return len(fmt.Sprint(a.Object)) - len(fmt.Sprint(b.Object))
	})
	data, err := json.MarshalIndent(examples, "", "  ")
	if err != nil {
		return err
	}
	c.annotate("alm-examples", string(data))
	return nil
}

// place says which releases this one can replace.
func (c csv) place(all *releases.Releases) error {
	version, _, err := unstructured.NestedString(c.Object, "spec", "version")
	if err != nil {
		return err
	}
	predecessor := all.Predecessor(version)
	if predecessor == "" {
		return nil
	}
	c.annotate("olm.skipRange", all.SkipRange(version))
	return unstructured.SetNestedField(c.Object, all.Name(predecessor), "spec", "replaces")
}

// setImage names the operator's image wherever it has to be named. Nodes without
// the Internet pull from a mirror only what is named by its digest.
func (c csv) setImage(image string) error {
	c.annotate("containerImage", image)
	c.annotate("features.operators.openshift.io/disconnected", strconv.FormatBool(strings.Contains(image, "@sha256:")))
	related := []any{map[string]any{"name": "flame-operator", "image": image}}
	if err := unstructured.SetNestedSlice(c.Object, related, "spec", "relatedImages"); err != nil {
		return err
	}
	deployments, _, err := unstructured.NestedSlice(c.Object, "spec", "install", "spec", "deployments")
	if err != nil {
		return err
	}
	if len(deployments) != 1 {
		return fmt.Errorf("%d Deployments, where one was expected", len(deployments))
	}
	at := []string{"spec", "template", "spec", "containers"}
	deployment := deployments[0].(map[string]any)
	containers, _, err := unstructured.NestedSlice(deployment, at...)
	if err != nil {
		return err
	}
	if len(containers) != 1 {
		return fmt.Errorf("%d containers, where one was expected", len(containers))
	}
	containers[0].(map[string]any)["image"] = image
	if err := unstructured.SetNestedSlice(deployment, containers, at...); err != nil {
		return err
	}
	return unstructured.SetNestedSlice(c.Object, deployments, "spec", "install", "spec", "deployments")
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
