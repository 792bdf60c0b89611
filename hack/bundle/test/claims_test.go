// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/xflops/flame-operator/hack/bundle/releases"
)

// released is what config/releases.yaml says.
func released(t *testing.T) *releases.Releases {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "config/releases.yaml"))
	require.NoError(t, err)
	all, err := releases.Parse(data)
	require.NoError(t, err)
	return all
}

func pod(csv *v1alpha1.ClusterServiceVersion) corev1.PodSpec {
	return csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec.Template.Spec
}

func TestImagesAreTheSameEverywhere(t *testing.T) {
	everyBundle(t, func(t *testing.T, bundle shipped) {
		csv := bundle.CSV
		require.Len(t, pod(csv).Containers, 1)
		require.Empty(t, pod(csv).InitContainers)
		image := pod(csv).Containers[0].Image
		assert.Equal(t, image, csv.Annotations["containerImage"])
		require.Len(t, csv.Spec.RelatedImages, 1, "the operator runs no image but its own")
		assert.Equal(t, image, csv.Spec.RelatedImages[0].Image)

		version := csv.Spec.Version.String()
		want := "docker.io/xflops/flame-operator:v" + version
		if release := released(t).Find(version); release != nil && release.Digest != "" {
			want = "docker.io/xflops/flame-operator@" + release.Digest
		}
		assert.Equal(t, want, image)
		for _, variable := range pod(csv).Containers[0].Env {
			assert.False(t, strings.HasPrefix(variable.Name, "RELATED_IMAGE_"), "the operator itself names no image")
		}
	})
}

// A FlameCluster names the images that its pods run: there is none to be named in
// relatedImages as long as the operator's own code knows none.
func TestTheOperatorsCodeKnowsNoImage(t *testing.T) {
	registry := regexp.MustCompile(`^"(docker\.io|quay\.io|ghcr\.io|gcr\.io|registry\.[a-z.]+)/|RELATED_IMAGE`)
	var literals int
	look := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				literals++
				assert.NotRegexp(t, registry, literal.Value, path)
			}
			return true
		})
		return nil
	}
	for _, dir := range []string{"main.go", "api", "controllers", "internal"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), look))
	}
	assert.Greater(t, literals, 1000, "it looked into the code")
}

// claims are the features that OpenShift shows. Whoever claims one says here how
// a bundle proves it.
var claims = map[string]func(*v1alpha1.ClusterServiceVersion) bool{
	"disconnected": func(csv *v1alpha1.ClusterServiceVersion) bool {
		for _, related := range csv.Spec.RelatedImages {
			if !strings.Contains(related.Image, "@sha256:") {
				return false
			}
		}
		return len(csv.Spec.RelatedImages) > 0
	},
	"fips-compliant": never, "proxy-aware": never, "tls-profiles": never,
	"token-auth-aws": never, "token-auth-azure": never, "token-auth-gcp": never,
	"cnf": never, "cni": never, "csi": never,
}

func never(*v1alpha1.ClusterServiceVersion) bool { return false }

func TestClaimedFeaturesAreThere(t *testing.T) {
	const prefix = "features.operators.openshift.io/"
	everyBundle(t, func(t *testing.T, bundle shipped) {
		var claimed int
		for key, value := range bundle.CSV.Annotations {
			name, ok := strings.CutPrefix(key, prefix)
			if !ok {
				continue
			}
			claimed++
			proven, known := claims[name]
			require.True(t, known, key)
			assert.Equal(t, map[bool]string{true: "true", false: "false"}[proven(bundle.CSV)], value, key)
		}
		assert.Len(t, claims, claimed, "each of them is said to be there or not")
	})
}

// The catalog shows an operator only on clusters of these architectures, and its
// pod goes only to such nodes.
func TestArchitecturesAreThoseOfTheImages(t *testing.T) {
	want := released(t).Architectures
	const prefix = "operatorframework.io/arch."
	var labels []string
	csv := load(t).CSV
	for label, value := range csv.Labels {
		if name, ok := strings.CutPrefix(label, prefix); ok {
			assert.Equal(t, "supported", value)
			labels = append(labels, name)
		}
	}
	assert.ElementsMatch(t, want, labels)
	assert.Equal(t, "supported", csv.Labels["operatorframework.io/os.linux"])

	terms := pod(csv).Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	require.Len(t, terms, 1)
	assert.Equal(t, []corev1.NodeSelectorRequirement{
		{Key: "kubernetes.io/arch", Operator: corev1.NodeSelectorOpIn, Values: want},
		{Key: "kubernetes.io/os", Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
	}, terms[0].MatchExpressions)
}

func TestCapabilityLevelIsTheOneThatTheDocsClaim(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "docs/capability-levels.md"))
	require.NoError(t, err)
	claim := regexp.MustCompile(`claims \*([A-Za-z ]+)\*`).FindStringSubmatch(string(data))
	require.Len(t, claim, 2)
	assert.Equal(t, claim[1], load(t).CSV.Annotations["capabilities"])
}

// Every test that docs/capability-levels.md names as evidence exists.
func TestCapabilityLevelsNameTestsThatExist(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "docs/capability-levels.md"))
	require.NoError(t, err)
	var code strings.Builder
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := os.ReadFile(path)
		code.Write(file)
		return err
	}))
	names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(data), -1)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		assert.Contains(t, code.String(), "func "+name+"(")
	}
	scorecard, err := os.ReadFile(filepath.Join(root, "config/scorecard/patches/live.yaml"))
	require.NoError(t, err)
	for _, name := range regexp.MustCompile("`(flamecluster-[a-z-]+)`").FindAllStringSubmatch(string(data), -1) {
		assert.Contains(t, string(scorecard), "    - "+name[1]+"\n")
	}
	for _, path := range regexp.MustCompile("`([a-z0-9A-Z_./-]+/[a-zA-Z0-9_./-]*)`").FindAllStringSubmatch(string(data), -1) {
		_, err := os.Stat(filepath.Join(root, path[1]))
		assert.NoError(t, err)
	}
}
