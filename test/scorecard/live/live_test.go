// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/operator-framework/api/pkg/apis/scorecard/v1alpha3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/runner"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

const root = "../../.."

func TestMain(m *testing.M) { os.Exit(apiserver.Run(m)) }

// short lets what waits in vain do so for a moment only.
var short = patience{
	seen: 300 * time.Millisecond, start: 2 * time.Second, step: 2 * time.Second, still: 10 * time.Millisecond, interval: 20 * time.Millisecond,
}

func shipped(t *testing.T) *flamev1alpha1.FlameCluster {
	t.Helper()
	example, err := firstExample(filepath.Join(root, "bundle"))
	require.NoError(t, err)
	return example
}

// asScorecard is a user with the rights that are shipped, and no others.
func asScorecard(t *testing.T, k8s client.Client, namespace string) *rest.Config {
	t.Helper()
	role := &rbacv1.Role{}
	readYAML(t, "config/scorecard/rbac/role.yaml", role)
	role.Namespace = namespace
	require.NoError(t, k8s.Create(t.Context(), role))
	user := "system:serviceaccount:" + namespace + ":flame-scorecard"
	require.NoError(t, k8s.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	}))
	config := rest.CopyConfig(apiserver.Config)
	config.Impersonate.UserName = user
	return config
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(data, into))
}

// suite returns the live tests for a namespace of their own, with shipped rights.
func suite(t *testing.T, begin func(config *rest.Config) *rest.Config, p patience) ([]runner.Test, string) {
	t.Helper()
	k8s := apiserver.Client(t)
	namespace := apiserver.Namespace(t, k8s)
	config := begin(asScorecard(t, k8s, namespace))
	example := shipped(t)
	return tests(func(log *runner.Log) (*trial, error) { return newTrial(log, config, namespace, example, p) }), namespace
}

func same(config *rest.Config) *rest.Config { return config }

// problemOf runs a test and returns why it did not pass.
func problemOf(ctx context.Context, t *testing.T, test runner.Test) (*report.Problem, string) {
	t.Helper()
	log := &runner.Log{}
	err := test.Run(ctx, log)
	require.Error(t, err, test.Name)
	problem := &report.Problem{}
	require.ErrorAs(t, err, &problem, test.Name)
	return problem, log.String()
}

func TestWithoutAnOperatorEveryTestFailsSoon(t *testing.T) {
	list, namespace := suite(t, same, short)
	for _, test := range list {
		t.Run(test.Name, func(t *testing.T) {
			t.Parallel()
			problem, log := problemOf(t.Context(), t, test)
			assert.Equal(t, v1alpha3.FailState, problem.State)
			assert.ErrorContains(t, problem, "no operator has looked at it")
			require.Len(t, problem.Suggestions, 1)
			assert.Contains(t, problem.Suggestions[0], "see that the operator runs")
			assert.Contains(t, problem.Suggestions[0], namespace)
			assert.Contains(t, log, "There are no pods.", "it tells how it was")
			assert.Contains(t, log, "removed FlameCluster")
		})
	}
	t.Cleanup(func() {
		left := &flamev1alpha1.FlameClusterList{}
		assert.NoError(t, apiserver.Client(t).List(context.Background(), left, client.InNamespace(namespace)))
		assert.Empty(t, left.Items, "each test removes what it made")
	})
}

func TestWithAnOperatorThatIsStuckTheStatusIsTold(t *testing.T) {
	list, namespace := suite(t, same, short)
	k8s := apiserver.Client(t)
	stuck := make(chan struct{})
	go func() {
		defer close(stuck)
		for t.Context().Err() == nil {
			clusters := &flamev1alpha1.FlameClusterList{}
			_ = k8s.List(t.Context(), clusters, client.InNamespace(namespace))
			for i := range clusters.Items {
				c := &clusters.Items[i]
				c.Status.ObservedGeneration, c.Status.State, c.Status.Message = c.Generation, flamev1alpha1.StatePending, "no node has room"
				_ = k8s.Status().Update(t.Context(), c)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { <-stuck })
	problem, log := problemOf(t.Context(), t, list[0])
	assert.Equal(t, v1alpha3.FailState, problem.State)
	assert.ErrorContains(t, problem, `until the FlameCluster is ready: the state is "Pending": no node has room`)
	assert.Contains(t, problem.Suggestions[0], "docs/flamecluster.md")
	assert.Contains(t, log, `state "Pending": no node has room`)
}

// onFirstGet calls a function before the first request that reads one object: by
// then what a trial has to create is created.
type onFirstGet struct {
	http.RoundTripper
	once *sync.Once
	do   func()
}

func (g onFirstGet) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/flameclusters/") {
		g.once.Do(g.do)
	}
	return g.RoundTripper.RoundTrip(request)
}

func TestToldToStopItSaysWhatItWaitedFor(t *testing.T) {
	patient := short
	patient.seen, patient.start = time.Minute, time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	list, _ := suite(t, func(config *rest.Config) *rest.Config {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return onFirstGet{next, &sync.Once{}, cancel} })
		return config
	}, patient)
	problem, log := problemOf(ctx, t, list[0])
	assert.Equal(t, v1alpha3.ErrorState, problem.State, "that says nothing about the operator")
	assert.ErrorContains(t, problem, "until the FlameCluster is ready")
	assert.Contains(t, log, "removed FlameCluster")
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		begin          func(config *rest.Config) *rest.Config
		wantError      string
		wantSuggestion string
	}{
		"rights": {func(config *rest.Config) *rest.Config {
			config.Impersonate.UserName = "nobody"
			return config
		}, "forbidden", "config/scorecard/rbac, with that namespace in its kustomization.yaml, and run operator-sdk scorecard with --service-account flame-scorecard"},
		"an API that can be reached": {func(*rest.Config) *rest.Config {
			return &rest.Config{Host: "https://127.0.0.1:1"}
		}, "connection refused", ""},
	} {
		t.Run(name, func(t *testing.T) {
			list, _ := suite(t, test.begin, short)
			for _, one := range list {
				problem, _ := problemOf(t.Context(), t, one)
				assert.Equal(t, v1alpha3.ErrorState, problem.State, one.Name)
				assert.ErrorContains(t, problem, test.wantError, one.Name)
				assert.Contains(t, strings.Join(problem.Suggestions, "\n"), test.wantSuggestion, one.Name)
			}
		})
	}
}

func TestAPIServerRefusesInTheseWords(t *testing.T) {
	k8s := apiserver.Client(t)
	namespace := apiserver.Namespace(t, k8s)
	begun, err := newTrial(&runner.Log{}, apiserver.Config, namespace, shipped(t), short)
	require.NoError(t, err)
	begun.test = "flamecluster-refuses-bad-specs"
	for _, refusal := range verdict.AtAdmission() {
		t.Run(refusal.Why, func(t *testing.T) {
			require.NoError(t, begun.notAdmitted(t.Context(), refusal))
			wrong := refusal
			wrong.Words = []string{"words that nobody says"}
			require.ErrorContains(t, begun.notAdmitted(t.Context(), wrong), "words that nobody says")
			wrong.Change = func(*flamev1alpha1.FlameCluster) {}
			require.ErrorContains(t, begun.notAdmitted(t.Context(), wrong), "the API server takes a FlameCluster with "+refusal.Why)
		})
	}
	for _, refusal := range verdict.ByTheOperator() {
		require.NoError(t, k8s.Create(t.Context(), begun.draft(refusal.Change), client.DryRunAll), "the API server takes %s", refusal.Why)
	}
	left := &flamev1alpha1.FlameClusterList{}
	require.NoError(t, k8s.List(t.Context(), left, client.InNamespace(namespace)))
	assert.Empty(t, left.Items, "nothing is made")
}

func TestClaimsThatOutliveAClusterAreRemoved(t *testing.T) {
	k8s := apiserver.Client(t)
	namespace := apiserver.Namespace(t, k8s)
	begun, err := newTrial(&runner.Log{}, asScorecard(t, k8s, namespace), namespace, shipped(t), short)
	require.NoError(t, err)
	begun.test = "flamecluster-deletes-clean"
	c, err := begun.create(t.Context(), withClaim)
	require.NoError(t, err)
	for name, cluster := range map[string]string{"ours": c.name, "theirs": "another"} {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{flamev1alpha1.LabelCluster: cluster},
		}}
		withClaim(begun.example)
		claim.Spec = *begun.example.Spec.SessionManager.Storage.VolumeClaimTemplate
		claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
		require.NoError(t, k8s.Create(t.Context(), claim))
	}
	found, err := c.objects(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"PersistentVolumeClaim ours"}, found)
	begun.cleanUp(t.Context())
	claims := &corev1.PersistentVolumeClaimList{}
	require.NoError(t, k8s.List(t.Context(), claims, client.InNamespace(namespace)))
	claims.Items = slices.DeleteFunc(claims.Items, func(claim corev1.PersistentVolumeClaim) bool { return claim.DeletionTimestamp != nil })
	require.Len(t, claims.Items, 1)
	assert.Equal(t, "theirs", claims.Items[0].Name)
}
