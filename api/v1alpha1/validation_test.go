// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/xflops/flame-operator/test/apiserver"
)

func TestMain(m *testing.M) { os.Exit(apiserver.Run(m)) }

// cluster makes a FlameCluster of YAML: what is given for a component is added to it.
func cluster(t *testing.T, name, more, session, executor string) *unstructured.Unstructured {
	t.Helper()
	text := fmt.Sprintf(`
apiVersion: flame.xflops.io/v1alpha1
kind: FlameCluster
metadata: {name: %q, namespace: default}
spec:
  %s
  sessionManager: {%s}
  executorManager: {%s}
`, name, more, session, executor)
	object := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(text), &object.Object))
	return object
}

const (
	image = "image: docker.io/xflops/flame:v0.6.0"
	name  = "c"
)

func TestBadInputIsRefusedAtAdmission(t *testing.T) {
	c := apiserver.Client(t)
	claim := "volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}"
	for title, test := range map[string]struct{ name, more, session, executor, want string }{
		"no image of the session manager":   {name, "", "", image, "spec.sessionManager.image: Required value"},
		"no image of the executor managers": {name, "", image, "", "spec.executorManager.image: Required value"},
		"an empty image":                    {name, "", "image: ''", image, "spec.sessionManager.image"},
		"negative replicas":                 {name, "", image, image + ", replicas: -1", "should be greater than or equal to 0"},
		"maxExecutors 0":                    {name, "", image, image + ", maxExecutors: 0", "should be greater than or equal to 1"},
		"a name of 40 characters":           {strings.Repeat("c", 40), "", image, image, "metadata.name must have at most 39 characters"},
		"a name with a dot":                 {"a.b", "", image, image, "metadata.name must start with a letter and hold only lower-case letters, digits and '-'"},
		"a name that starts with a digit":   {"1c", "", image, image, "metadata.name must start with a letter"},
		"half a CPU":                        {name, "", image + ", slot: {cpu: 0.5}", image, "spec.sessionManager.slot.cpu in body must be of type integer"},
		"half a CPU in thousandths":         {name, "", image + ", slot: {cpu: 500m}", image, "cpu must be a whole number of at least 1"},
		"no CPU":                            {name, "", image + ", slot: {cpu: 0}", image, "cpu must be a whole number of at least 1"},
		"no memory":                         {name, "", image + ", slot: {memory: 0}", image, "memory must be more than 0"},
		"a negative GPU":                    {name, "", image + ", slot: {gpu: -1}", image, "gpu must be a whole number of at least 0"},
		"the shim docker":                   {name, "", image, image + ", shim: docker", `supported values: "host"`},
		"a policy that nobody knows":        {name, "", image + ", policy: fairshare", image, `supported values: "priority", "drf"`},
		"a retry limit of 0":                {name, "", image + ", sessionRetryLimit: 0", image, "should be greater than or equal to 1"},
		"a template and a claim": {name, "", image + ", storage: {existingClaim: x, " + claim + "}", image,
			"volumeClaimTemplate and existingClaim exclude each other"},
		"a claim for nothing":    {name, "", image + ", storage: {type: none, existingClaim: x}", image, "type none keeps nothing"},
		"a version that is none": {name, "flameVersion: newest", image, image, "spec.flameVersion"},
		"no surge and nothing unavailable": {name, "", image, image + ", updateStrategy: {maxSurge: 0, maxUnavailable: 0}",
			"maxSurge and maxUnavailable cannot both be 0"},
		"no surge in percent": {name, "", image, image + ", updateStrategy: {maxSurge: 0%}", "cannot both be 0"},
		"a minimum above the maximum": {name, "", image, image + ", autoscaling: {minReplicas: 3, maxReplicas: 2}",
			"maxReplicas must be at least minReplicas"},
		"autoscaling without a maximum": {name, "", image, image + ", autoscaling: {minReplicas: 1}", "maxReplicas: Required value"},
		"a maximum of 0":                {name, "", image, image + ", autoscaling: {maxReplicas: 0}", "should be greater than or equal to 1"},
		"a negative minimum":            {name, "", image, image + ", autoscaling: {minReplicas: -1, maxReplicas: 2}", "should be greater than or equal to 0"},
		"a negative delay":              {name, "", image, image + ", autoscaling: {maxReplicas: 2, scaleDownDelaySeconds: -1}", "should be greater than or equal to 0"},
		"a scale-up of nothing":         {name, "", image, image + ", autoscaling: {maxReplicas: 2, maxStarting: 0}", "should be greater than or equal to 1"},
		"a surge of words":              {name, "", image, image + ", updateStrategy: {maxSurge: many}", "spec.executorManager.updateStrategy.maxSurge"},
		"an interface of many":          {name, "objectCache: {" + image + ", networkInterface: 'eth.*'}", image, image, "spec.objectCache.networkInterface"},
		"two volumes of a cache":        {name, "objectCache: {" + image + ", storage: {sizeLimit: 1Gi, " + claim + "}}", image, image, "volumeClaimTemplate and sizeLimit exclude each other"},
		"a pod template of text":        {name, "", image, image + ", podTemplate: hostname", "spec.executorManager.podTemplate"},
	} {
		t.Run(title, func(t *testing.T) {
			err := c.Create(t.Context(), cluster(t, test.name, test.more, test.session, test.executor), client.DryRunAll)
			require.Error(t, err)
			assert.Contains(t, err.Error(), test.want)
		})
	}
}

func TestGoodInputIsStoredWithItsDefaults(t *testing.T) {
	c := apiserver.Client(t)
	for title, test := range map[string]struct{ more, session, executor string }{
		"the smallest spec":                         {"", image, image},
		"a slot in parts":                           {"", image + ", slot: {memory: 256Mi}", image},
		"a slot of integers":                        {"", image + ", slot: {cpu: 2, memory: 1073741824, gpu: 1}", image},
		"a cache":                                   {"objectCache: {" + image + "}", image, image},
		"no executor managers":                      {"", image, image + ", replicas: 0"},
		"nothing but unavailable":                   {"", image, image + ", updateStrategy: {maxSurge: 0, maxUnavailable: 10%}"},
		"a pod template as it may":                  {"", image, image + ", podTemplate: {spec: {anything: [1, 2]}}"},
		"autoscaling from zero":                     {"", image, image + ", autoscaling: {maxReplicas: 2}"},
		"autoscaling of a fixed number":             {"", image, image + ", autoscaling: {minReplicas: 2, maxReplicas: 2, maxStarting: 1}"},
		"autoscaling with all of its storage":       {"", image + ", storage: {type: sqlite}", image + ", replicas: 0, autoscaling: {maxReplicas: 2, scaleDownDelaySeconds: 0}"},
		"no state but a claim where the URI points": {"", image + ", storage: {type: none, existingClaim: x, uriSecretRef: {name: s, key: k}}", image},
	} {
		t.Run(title, func(t *testing.T) {
			object := cluster(t, name, test.more, test.session, test.executor)
			require.NoError(t, c.Create(t.Context(), object, client.DryRunAll))
			policy, _, err := unstructured.NestedString(object.Object, "spec", "sessionManager", "policy")
			require.NoError(t, err)
			assert.Equal(t, "priority", policy)
			strategy, _, err := unstructured.NestedMap(object.Object, "spec", "executorManager", "updateStrategy")
			require.NoError(t, err)
			assert.Len(t, strategy, 2)
		})
	}
}

func TestTheClaimOfACacheCannotBeChanged(t *testing.T) {
	c := apiserver.Client(t)
	with := func(storage string) *unstructured.Unstructured {
		return cluster(t, "cache", "objectCache: {"+image+", storage: {"+storage+"}}", image, image)
	}
	stored := with("volumeClaimTemplate: {resources: {requests: {storage: 1Gi}}}")
	require.NoError(t, c.Create(t.Context(), stored))
	for title, storage := range map[string]string{
		"to none":        "",
		"to another one": "volumeClaimTemplate: {resources: {requests: {storage: 2Gi}}}",
	} {
		t.Run(title, func(t *testing.T) {
			changed := with(storage)
			changed.SetResourceVersion(stored.GetResourceVersion())
			err := c.Update(t.Context(), changed)
			require.Error(t, err)
			assert.Contains(t, err.Error(), "volumeClaimTemplate cannot be changed: remove objectCache")
		})
	}
}

func TestAutoscalingIsStoredWithItsDefaults(t *testing.T) {
	object := cluster(t, name, "", image, image+", autoscaling: {maxReplicas: 7}")
	require.NoError(t, apiserver.Client(t).Create(t.Context(), object, client.DryRunAll))
	got, _, err := unstructured.NestedMap(object.Object, "spec", "executorManager", "autoscaling")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"minReplicas": int64(0), "maxReplicas": int64(7), "scaleDownDelaySeconds": int64(120)}, got)
}
