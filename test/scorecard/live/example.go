// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/operator-framework/api/pkg/manifests"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/scorecard/report"
)

// firstExample returns the smallest example of a bundle, which is the one to
// begin with: the others show what else there is.
func firstExample(dir string) (*flamev1alpha1.FlameCluster, error) {
	bundle, err := manifests.GetBundleFromDir(dir)
	if err == nil && bundle.CSV == nil {
		err = errors.New("it has no ClusterServiceVersion")
	}
	if err != nil {
		return nil, report.Unable(fmt.Errorf("read the bundle in %s: %w", dir, err), "operator-sdk scorecard puts the bundle there: give it the folder of one")
	}
	example, err := smallest(bundle.CSV.Annotations["alm-examples"])
	if err != nil {
		return nil, report.Unable(fmt.Errorf("read the annotation alm-examples of %s: %w", bundle.CSV.Name, err), "make bundle writes it from config/samples")
	}
	return example, nil
}

func smallest(text string) (*flamev1alpha1.FlameCluster, error) {
	var examples []json.RawMessage
	if err := json.Unmarshal([]byte(text), &examples); err != nil {
		return nil, err
	}
	var found []byte
	for _, example := range examples {
		if strings.Contains(string(example), `"FlameCluster"`) && (found == nil || len(example) < len(found)) {
			found = example
		}
	}
	if found == nil {
		return nil, errors.New("it has no FlameCluster")
	}
	cluster := &flamev1alpha1.FlameCluster{}
	if err := yaml.UnmarshalStrict(found, cluster); err != nil {
		return nil, err
	}
	return &flamev1alpha1.FlameCluster{Spec: cluster.Spec}, nil
}
