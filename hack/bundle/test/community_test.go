// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blang/semver/v4"
	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// What the static checks of the community catalogs, k8s-operatorhub and
// community-operators-prod, say against a bundle is said here first. A warning of
// theirs is a complaint, too.

// categories are those that both catalogs know.
var categories = []string{
	"AI/Machine Learning", "Application Runtime", "Big Data", "Cloud Provider", "Developer Tools", "Database",
	"Integration & Delivery", "Logging & Tracing", "Monitoring", "Modernization & Migration", "Networking",
	"OpenShift Optional", "Security", "Storage", "Streaming & Messaging",
}

var annotationRules = map[string]*regexp.Regexp{
	"capabilities":   regexp.MustCompile(`^(Basic Install|Seamless Upgrades|Full Lifecycle|Deep Insights|Auto Pilot)$`),
	"containerImage": regexp.MustCompile(`^[^/]+/[^/]+/[^/:]+:.+$`),
	"repository":     regexp.MustCompile(`^https?://.+`),
	"support":        regexp.MustCompile(`^.{3,}`),
	"alm-examples":   regexp.MustCompile(`(?s)^.{30,}`),
	"description":    regexp.MustCompile(`^.{10,}$`),
	"certified":      regexp.MustCompile(`^(true|false)$`),
}

// requiredFields is check_required_fields of the community catalogs.
func requiredFields(csv *v1alpha1.ClusterServiceVersion) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	for key, rule := range annotationRules {
		if !rule.MatchString(csv.Annotations[key]) {
			complain("annotation %s is %q", key, csv.Annotations[key])
		}
	}
	for category := range strings.SplitSeq(csv.Annotations["categories"], ", ") {
		if !slices.Contains(categories, category) {
			complain("category %q", category)
		}
	}
	if _, err := time.Parse(time.RFC3339, csv.Annotations["createdAt"]); err != nil {
		complain("annotation createdAt: %v", err)
	}
	spec := csv.Spec
	if n := len(spec.DisplayName); n < 3 || n > 50 {
		complain("displayName has %d characters", n)
	}
	if len(spec.Description) < 20 {
		complain("description is short")
	}
	if spec.Version.EQ(semver.Version{}) {
		complain("version is missing")
	}
	if len(spec.Provider.Name) < 3 {
		complain("provider.name is short")
	}
	if len(spec.Keywords) == 0 {
		complain("keywords are missing")
	}
	complaints = append(complaints, icons(spec.Icon)...)
	complaints = append(complaints, contacts(spec)...)
	return complaints
}

func icons(list []v1alpha1.Icon) []string {
	if len(list) != 1 || list[0].MediaType != "image/svg+xml" {
		return []string{"there is not one icon in SVG"}
	}
	data, err := base64.StdEncoding.DecodeString(list[0].Data)
	if err != nil {
		return []string{"icon: " + err.Error()}
	}
	svg := struct {
		XMLName xml.Name `xml:"svg"`
		ViewBox string   `xml:"viewBox,attr"`
	}{}
	if err := xml.Unmarshal(data, &svg); err != nil {
		return []string{"icon: " + err.Error()}
	}
	if box := strings.Fields(svg.ViewBox); len(box) != 4 || box[2] != box[3] {
		return []string{"icon is not square: " + svg.ViewBox}
	}
	return nil
}

func contacts(spec v1alpha1.ClusterServiceVersionSpec) (complaints []string) {
	if len(spec.Maintainers) == 0 {
		complaints = append(complaints, "maintainers are missing")
	}
	for _, maintainer := range spec.Maintainers {
		if _, err := mail.ParseAddress(maintainer.Email); err != nil || maintainer.Name == "" {
			complaints = append(complaints, fmt.Sprintf("maintainer %q <%s>", maintainer.Name, maintainer.Email))
		}
	}
	if len(spec.Links) == 0 {
		complaints = append(complaints, "links are missing")
	}
	for _, link := range spec.Links {
		if found, err := url.Parse(link.URL); err != nil || found.Scheme != "https" || link.Name == "" {
			complaints = append(complaints, fmt.Sprintf("link %q to %q", link.Name, link.URL))
		}
	}
	return complaints
}

func TestRequiredFields(t *testing.T) {
	everyBundle(t, func(t *testing.T, bundle shipped) { assert.Empty(t, requiredFields(bundle.CSV)) })
}

func TestWhatTheCommunityCatalogsRefuse(t *testing.T) {
	for want, spoil := range map[string]func(*v1alpha1.ClusterServiceVersion){
		`annotation capabilities is "Autopilot"`: func(c *v1alpha1.ClusterServiceVersion) { c.Annotations["capabilities"] = "Autopilot" },
		`annotation containerImage is "flame"`:   func(c *v1alpha1.ClusterServiceVersion) { c.Annotations["containerImage"] = "flame" },
		`annotation support is ""`:               func(c *v1alpha1.ClusterServiceVersion) { delete(c.Annotations, "support") },
		`category "Big Data,Storage"`:            func(c *v1alpha1.ClusterServiceVersion) { c.Annotations["categories"] = "Big Data,Storage" },
		"annotation createdAt":                   func(c *v1alpha1.ClusterServiceVersion) { c.Annotations["createdAt"] = "yesterday" },
		"displayName has 2 characters":           func(c *v1alpha1.ClusterServiceVersion) { c.Spec.DisplayName = "FO" },
		"description is short":                   func(c *v1alpha1.ClusterServiceVersion) { c.Spec.Description = "Runs Flame." },
		"there is not one icon":                  func(c *v1alpha1.ClusterServiceVersion) { c.Spec.Icon[0].MediaType = "image/png" },
		"icon is not square: 0 0 2 1": func(c *v1alpha1.ClusterServiceVersion) {
			c.Spec.Icon[0].Data = base64.StdEncoding.EncodeToString([]byte(`<svg viewBox="0 0 2 1"/>`))
		},
		`maintainer "The Flame Authors" <nobody>`: func(c *v1alpha1.ClusterServiceVersion) { c.Spec.Maintainers[0].Email = "nobody" },
		"links are missing":                       func(c *v1alpha1.ClusterServiceVersion) { c.Spec.Links = nil },
		"keywords are missing":                    func(c *v1alpha1.ClusterServiceVersion) { c.Spec.Keywords = nil },
		"provider.name is short":                  func(c *v1alpha1.ClusterServiceVersion) { c.Spec.Provider.Name = "F" },
	} {
		t.Run(want, func(t *testing.T) {
			csv := load(t).CSV
			spoil(csv)
			complaints := requiredFields(csv)
			require.Len(t, complaints, 1)
			assert.Contains(t, complaints[0], want)
		})
	}
}

// kubernetesOf tells which Kubernetes an OpenShift 4 has: 4.16 has 1.29.
func kubernetesOf(openshift semver.Version) semver.Version {
	return semver.Version{Major: 1, Minor: openshift.Minor + 13}
}

func TestOpenShiftVersionsHaveTheKubernetesThatIsNeeded(t *testing.T) {
	everyBundle(t, func(t *testing.T, bundle shipped) {
		minimum, err := semver.Parse(bundle.CSV.Spec.MinKubeVersion)
		require.NoError(t, err)
		versions := annotations(t, bundle)["com.redhat.openshift.versions"]
		require.Regexp(t, `^v4\.\d+$`, versions, "a lower bound: later versions are taken when they come")
		oldest, err := semver.ParseTolerant(versions)
		require.NoError(t, err)
		assert.Equal(t, minimum.String(), kubernetesOf(oldest).String())
	})
}

// annotations are those of a bundle's metadata/annotations.yaml.
func annotations(t *testing.T, bundle shipped) map[string]string {
	t.Helper()
	metadata := struct{ Annotations map[string]string }{}
	data, err := os.ReadFile(filepath.Join(bundle.dir, "metadata/annotations.yaml"))
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(data, &metadata))
	return metadata.Annotations
}

func TestNamesAreTheSameEverywhere(t *testing.T) {
	all := released(t)
	everyBundle(t, func(t *testing.T, bundle shipped) {
		version := bundle.CSV.Spec.Version.String()
		assert.Equal(t, all.Name(version), bundle.CSV.Name)
		assert.Equal(t, all.Package, bundle.Package)
		assert.Equal(t, strings.Join(all.Channels, ","), strings.Join(bundle.Channels, ","))
		assert.Equal(t, all.DefaultChannel, bundle.DefaultChannel)
	})
	for _, release := range all.Releases {
		assert.Equal(t, release.Version, loadFrom(t, filepath.Join("catalog/releases", release.Version)).CSV.Spec.Version.String(),
			"the folder is named after the version")
	}
}

// gitHubName is a letter or digit, and more of them with single hyphens between.
var gitHubName = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}$`)

// ciConfiguration is check_schema_operator_ci_config of the community catalogs, with
// the keys that a package has there that is no file-based catalog.
func ciConfiguration(data []byte) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	config := map[string]any{}
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		return []string{err.Error()}
	}
	// Their other mode, semver-mode, would not go by the chain that the bundles are.
	if config["updateGraph"] != "replaces-mode" {
		complain("updateGraph is %v", config["updateGraph"])
	}
	for key, value := range config {
		switch key {
		case "updateGraph":
		case "addReviewers":
			if _, isBool := value.(bool); !isBool {
				complain("addReviewers is %v", value)
			}
		case "reviewers":
			names, _ := value.([]any)
			if len(names) == 0 {
				complain("reviewers is %v: name somebody, or leave it out", value)
			}
			for _, name := range names {
				if text, _ := name.(string); !gitHubName.MatchString(text) {
					complain("reviewer %v is no GitHub name", name)
				}
			}
		default:
			complain("nobody knows %s", key)
		}
	}
	return complaints
}

func TestCIConfiguration(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "catalog/releases/ci.yaml"))
	require.NoError(t, err)
	assert.Empty(t, ciConfiguration(data))
}

func TestWhatTheCommunityCatalogsRefuseOfACIConfiguration(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nobody is named":              {"updateGraph: replaces-mode", ""},
		"two are named":                {"{updateGraph: replaces-mode, reviewers: [k82cn, a-b], addReviewers: true}", ""},
		"an empty list":                {"{updateGraph: replaces-mode, reviewers: []}", "reviewers is []: name somebody, or leave it out"},
		"a key without a value":        {"{updateGraph: replaces-mode, reviewers: }", "reviewers is <nil>: name somebody, or leave it out"},
		"one name is no list":          {"{updateGraph: replaces-mode, reviewers: k82cn}", "reviewers is k82cn: name somebody, or leave it out"},
		"an address is no GitHub name": {"{updateGraph: replaces-mode, reviewers: [me@example.com]}", "reviewer me@example.com is no GitHub name"},
		"nor is what ends in a hyphen": {"{updateGraph: replaces-mode, reviewers: [a-]}", "reviewer a- is no GitHub name"},
		"nor is a number":              {"{updateGraph: replaces-mode, reviewers: [1]}", "reviewer 1 is no GitHub name"},
		"another mode":                 {"updateGraph: semver-mode", "updateGraph is semver-mode"},
		"no mode":                      {"addReviewers: true", "updateGraph is <nil>"},
		"a switch that is none":        {"{updateGraph: replaces-mode, addReviewers: some}", "addReviewers is some"},
		"a slip of the pen":            {"{updateGraph: replaces-mode, reviewer: [k82cn]}", "nobody knows reviewer"},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			assert.Equal(t, want, ciConfiguration([]byte(test.text)))
		})
	}
}
