// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/apiserver"
	"github.com/xflops/flame-operator/test/clusters"
)

// conditionIn returns a condition of a cluster.
func conditionIn(t *testing.T, cluster *flamev1alpha1.FlameCluster, kind string) metav1.Condition {
	t.Helper()
	found := meta.FindStatusCondition(cluster.Status.Conditions, kind)
	require.NotNil(t, found, kind)
	return *found
}

// here selects the namespace of a test.
func (h *harness) here() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": h.namespace}}
}

// have creates an object, which goes with the test.
func (h *harness) have(object client.Object) {
	h.Helper()
	require.NoError(h, h.live.Create(h.Context(), object))
	h.Cleanup(func() { _ = h.live.Delete(h.Context(), object) })
}

// lose deletes an object before the test ends.
func (h *harness) lose(object client.Object) {
	h.Helper()
	require.NoError(h, h.live.Delete(h.Context(), object))
}

// quota allows the given number of objects of a kind. The quota's status is written by the
// test, since its controller does not run here.
func (h *harness) quota(of corev1.ResourceName, most string) *corev1.ResourceQuota {
	h.Helper()
	hard := corev1.ResourceList{of: resource.MustParse(most)}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}
	h.have(quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: corev1.ResourceList{of: resource.MustParse("0")}}
	require.NoError(h, h.live.Status().Update(h.Context(), quota))
	return quota
}

// fullQuota allows no pod besides the given number that exists.
func (h *harness) fullQuota(pods string) {
	h.Helper()
	quota := h.quota(corev1.ResourcePods, pods)
	quota.Status.Used[corev1.ResourcePods] = resource.MustParse(pods)
	require.NoError(h, h.live.Status().Update(h.Context(), quota))
	h.awaitRefusals(true)
}

// webhook answers each creation of a pod with a denial, or not at all if it is closed.
func (h *harness) webhook(code int32) (*admissionregistrationv1.ValidatingWebhookConfiguration, *httptest.Server) {
	h.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Code: code, Message: "not today"}}
		_ = json.NewEncoder(w).Encode(review)
	}))
	h.Cleanup(server.Close)
	config := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: h.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "pods.example.com",
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       h.here(),
			Rules:                   []admissionregistrationv1.RuleWithOperations{{Operations: []admissionregistrationv1.OperationType{"CREATE"}, Rule: podRule}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
		}},
	}
	h.have(config)
	return config, server
}

var podRule = admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}}

// policy refuses objects that a rule selects and that lack a label which nobody sets. The
// trial is such an object.
func (h *harness) policy(rule admissionregistrationv1.Rule, trial client.Object) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	h.Helper()
	h.have(&admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "label-" + h.namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{Operations: []admissionregistrationv1.OperationType{"CREATE"}, Rule: rule},
			}}},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "has(object.metadata.labels) && 'cost-centre' in object.metadata.labels", Message: "it needs the label cost-centre",
			}},
		},
	})
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "label-" + h.namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        "label-" + h.namespace,
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			MatchResources:    &admissionregistrationv1.MatchResources{NamespaceSelector: h.here()},
		},
	}
	h.have(binding)
	h.await(trial, true)
	return binding
}

// await waits until an object is refused, or is no longer refused, which takes a moment.
func (h *harness) await(object client.Object, refused bool) {
	h.Helper()
	object.SetNamespace(h.namespace)
	object.SetName("trial")
	h.eventually("it is refused as it should be", func() bool {
		return (h.live.Create(h.Context(), object.DeepCopyObject().(client.Object), client.DryRunAll) != nil) == refused
	})
}

// awaitRefusals waits until pods are refused, or are no longer refused.
func (h *harness) awaitRefusals(refused bool) {
	h.Helper()
	h.await(trialPod(), refused)
}

func largePod() *corev1.Pod {
	pod := trialPod()
	pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	return pod
}

func trialPod() *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}}
}

// The status names the refuser of what a cluster needs, whatever the code of the answer;
// the spec is not blamed, and the operator tries again soon.
func TestRefusals(t *testing.T) {
	spec := func(change func(*flamev1alpha1.FlameClusterSpec)) func(*harness, *flamev1alpha1.FlameCluster) (lift func()) {
		return func(h *harness, cluster *flamev1alpha1.FlameCluster) func() {
			before := cluster.Spec.DeepCopy()
			h.edit(cluster, change)
			return func() { h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { *s = *before }) }
		}
	}
	of := func(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }
	for name, c := range map[string]struct {
		// begin has pods refused, and returns a function that ends the refusals.
		begin func(*harness, *flamev1alpha1.FlameCluster) (lift func())
		says  []string
	}{
		"a quota": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) func() {
				quota := h.quota(corev1.ResourcePods, "0")
				h.awaitRefusals(true)
				return func() { h.lose(quota); h.awaitRefusals(false) }
			}, []string{`the ResourceQuota "few" refuses it: requested: pods=1, used: pods=0, limited: pods=0`},
		},
		"a limit range": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) func() {
				h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
				})
				limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "small"}, Spec: corev1.LimitRangeSpec{
					Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")}}},
				}}
				h.have(limits)
				h.await(largePod(), true)
				return func() { h.lose(limits); h.await(largePod(), false) }
			}, []string{"maximum memory usage per Container is 1Mi"},
		},
		"Pod Security": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) func() {
				namespace := &corev1.Namespace{}
				require.NoError(h, h.live.Get(h.Context(), client.ObjectKey{Name: h.namespace}, namespace))
				namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
				require.NoError(h, h.live.Update(h.Context(), namespace))
				h.await(trialPod(), true)
				return spec(func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.PodTemplate = of(`{"spec": {"containers": [{"name": "sidecar", "image": "a", "securityContext": {"privileged": true}}]}}`)
					s.ExecutorManager.PodTemplate = s.SessionManager.PodTemplate
				})(h, cluster)
			}, []string{`Pod Security "restricted:latest" refuses it`, "privileged"},
		},
		"a policy": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) func() {
				binding := h.policy(podRule, trialPod())
				return func() { h.lose(binding); h.awaitRefusals(false) }
			}, []string{`the ValidatingAdmissionPolicy "label-`, "refuses it: it needs the label cost-centre"},
		},
		"a webhook that calls it a conflict": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) func() {
				config, _ := h.webhook(http.StatusConflict)
				h.awaitRefusals(true)
				return func() { h.lose(config); h.awaitRefusals(false) }
			}, []string{`the admission webhook "pods.example.com" refuses it: not today`},
		},
		"a webhook that calls it an error of the server": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) func() {
				config, _ := h.webhook(http.StatusInternalServerError)
				h.awaitRefusals(true)
				return func() { h.lose(config); h.awaitRefusals(false) }
			}, []string{`the admission webhook "pods.example.com" refuses it: not today`},
		},
		"a webhook that is not there": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) func() {
				config, server := h.webhook(http.StatusOK)
				server.Close()
				h.awaitRefusals(true)
				return func() { h.lose(config); h.awaitRefusals(false) }
			}, []string{`the admission webhook "pods.example.com" refuses it: failed to call webhook`},
		},
		"a priority class that is missing": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) func() {
				name := "high-" + h.namespace
				spec(func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.PriorityClassName, s.ExecutorManager.PriorityClassName = name, name
				})(h, cluster)
				return func() {
					h.have(&schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: 7})
					trial := trialPod()
					trial.Spec.PriorityClassName = name
					h.await(trial, false)
				}
			}, []string{"no PriorityClass with name high-"},
		},
		"a runtime class that is missing": {
			func(h *harness, cluster *flamev1alpha1.FlameCluster) func() {
				name := "gvisor-" + h.namespace
				spec(func(s *flamev1alpha1.FlameClusterSpec) {
					s.SessionManager.PodTemplate = of(`{"spec": {"runtimeClassName": "` + name + `"}}`)
					s.ExecutorManager.PodTemplate = s.SessionManager.PodTemplate
				})(h, cluster)
				return func() {
					h.have(&nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Handler: "runsc"})
					trial := trialPod()
					trial.Spec.RuntimeClassName = &name
					h.await(trial, false)
				}
			}, []string{`RuntimeClass "gvisor-`, "not found"},
		},
		"what the operator did not find wrong": {
			spec(func(s *flamev1alpha1.FlameClusterSpec) {
				s.SessionManager.Tolerations = []corev1.Toleration{{Key: "a", Operator: "Sometimes"}}
				s.ExecutorManager.Tolerations = s.SessionManager.Tolerations
			}), []string{"the API server refuses it", "Sometimes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(clusters.Minimal)
			lift := c.begin(h, cluster)
			for range 3 {
				before := h.requests.writes()
				result, err := h.step(cluster)
				require.NoError(t, err, "it is no failure")
				assert.Equal(t, refusedDelay, result.RequeueAfter)
				tries := strings.Count(strings.Join(h.requests.list[before:], "\n"), "POST ")
				assert.LessOrEqual(t, tries, 2, "one try for each kind of pod: %v", h.requests.list[before:])
			}
			assert.Equal(t, flamev1alpha1.StatePending, cluster.Status.State)
			assert.Equal(t, metav1.ConditionTrue, conditionIn(t, cluster, flamev1alpha1.ConditionSpecValid).Status)
			for _, kind := range []string{flamev1alpha1.ConditionSessionManagerReady, flamev1alpha1.ConditionExecutorsReady, flamev1alpha1.ConditionProgressing} {
				assert.Equal(t, flamev1alpha1.ReasonRefused, conditionIn(t, cluster, kind).Reason, kind)
				for _, words := range c.says {
					assert.Contains(t, conditionIn(t, cluster, kind).Message, words, kind)
					assert.Contains(t, cluster.Status.Message, words)
				}
			}
			assert.Empty(t, h.pods(""))
			version := cluster.ResourceVersion
			_, err := h.step(cluster)
			require.NoError(t, err)
			assert.Equal(t, version, cluster.ResourceVersion, "the words stay the same")

			lift()
			h.settle(cluster)
			assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
			assert.Len(t, h.executors(), 1)
		})
	}
}

// Optional objects hold up no vital ones.
func TestASessionManagerIsMadeAgainWhateverIsRefusedBesideIt(t *testing.T) {
	for name, c := range map[string]struct {
		refuse func(*harness, *flamev1alpha1.FlameCluster)
		says   []string
	}{
		"a budget that a policy does not let pass": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) {
				h.policy(admissionregistrationv1.Rule{APIGroups: []string{"policy"}, APIVersions: []string{"v1"}, Resources: []string{"poddisruptionbudgets"}},
					&policyv1.PodDisruptionBudget{})
				h.lose(h.get(&policyv1.PodDisruptionBudget{}, "c-session-manager"))
			}, []string{`apply PodDisruptionBudget "c-session-manager": the ValidatingAdmissionPolicy`},
		},
		"a Service that a policy does not let pass": {
			func(h *harness, _ *flamev1alpha1.FlameCluster) {
				h.policy(admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"}},
					&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}})
				h.lose(h.get(&corev1.Service{}, "c-session-manager"))
			}, []string{`apply Service "c-session-manager": the ValidatingAdmissionPolicy`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			cluster := h.create(withEverything)
			h.settle(cluster)
			c.refuse(h, cluster)
			old := h.sessionManager(cluster)
			require.NoError(t, h.live.Delete(t.Context(), old, client.GracePeriodSeconds(0)))
			for range 6 {
				_, err := h.step(cluster)
				require.NoError(t, err)
				h.runPods()
				h.now = h.now.Add(10 * time.Second)
			}
			again := h.sessionManager(cluster)
			require.NotNil(t, again, "it is made again")
			assert.NotEqual(t, old.UID, again.UID)
			progressing := conditionIn(t, cluster, flamev1alpha1.ConditionProgressing)
			assert.Equal(t, flamev1alpha1.ReasonRefused, progressing.Reason)
			for _, words := range c.says {
				assert.Contains(t, progressing.Message, words)
			}
			assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
			assert.Equal(t, metav1.ConditionTrue, conditionIn(t, cluster, flamev1alpha1.ConditionSpecValid).Status)
		})
	}
}

// The StatefulSet's controller reports a refusal only in events, and waits longer and
// longer before it tries again.
func TestAnObjectCacheThatIsRefusedIsToldAndWoken(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(withEverything)
	h.settle(cluster)
	set := h.get(&appsv1.StatefulSet{}, "c-object-cache").(*appsv1.StatefulSet)
	require.NotContains(t, set.Annotations, flamev1alpha1.AnnotationWokenAt, "its controller has not looked at it yet")
	before := set.DeepCopy()
	set.Status.ObservedGeneration = set.Generation // The StatefulSet's controller does not run here.
	require.NoError(t, h.live.Status().Patch(t.Context(), set, client.MergeFrom(before)))
	binding := h.policy(podRule, trialPod())

	result, err := h.step(cluster)
	require.NoError(t, err)
	assert.LessOrEqual(t, result.RequeueAfter, refusedDelay)
	assert.Contains(t, cluster.Status.Message, "the object cache waits: create Pod \"c-object-cache-0\": the ValidatingAdmissionPolicy")
	assert.Equal(t, flamev1alpha1.ReasonRefused, conditionIn(t, cluster, flamev1alpha1.ConditionObjectCacheReady).Reason)
	assert.Equal(t, flamev1alpha1.ReasonReady, conditionIn(t, cluster, flamev1alpha1.ConditionExecutorsReady).Reason)

	h.lose(binding)
	h.awaitRefusals(false)
	woken := func() string {
		h.now = h.now.Add(refusedDelay)
		result, err = h.step(cluster)
		require.NoError(t, err)
		assert.LessOrEqual(t, result.RequeueAfter, refusedDelay, "it is looked at again until the pod is there")
		return h.get(set, "c-object-cache").GetAnnotations()[flamev1alpha1.AnnotationWokenAt]
	}
	first := woken()
	assert.NotEmpty(t, first)
	h.now = h.now.Add(refusedDelay / 2)
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, first, h.get(set, "c-object-cache").GetAnnotations()[flamev1alpha1.AnnotationWokenAt], "once is enough for a while")
	assert.Greater(t, woken(), first)
	assert.Equal(t, flamev1alpha1.ReasonStarting, conditionIn(t, cluster, flamev1alpha1.ConditionObjectCacheReady).Reason)
}

func TestWhatRunsIsLookedAfterWhileMoreIsRefused(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	h.fullQuota("2")
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Replicas = ptr.To[int32](3) })
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, flamev1alpha1.StateRunning, cluster.Status.State)
	assert.Contains(t, cluster.Status.Message, "1 of 3 executor managers are ready: one waits: create Pod")
	assert.Equal(t, flamev1alpha1.ReasonReady, conditionIn(t, cluster, flamev1alpha1.ConditionSessionManagerReady).Reason)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Replicas = ptr.To[int32](1) })
	h.settle(cluster)
	assert.Equal(t, flamev1alpha1.ReasonStable, conditionIn(t, cluster, flamev1alpha1.ConditionProgressing).Reason)
}

// A missing right is no refusal: the operator's installation has to change, and the
// status names the right for the person who changes it.
func TestAMissingRightIsToldAndFound(t *testing.T) {
	live := apiserver.Client(t)
	target := apiserver.Namespace(t, live)
	config := asOperator(t, live, target, target)
	role := &rbacv1.Role{}
	require.NoError(t, live.Get(t.Context(), client.ObjectKey{Namespace: target, Name: "flame-operator"}, role))
	all := role.DeepCopy().Rules
	for i, rule := range role.Rules {
		if at := slices.Index(rule.Resources, "pods"); at >= 0 {
			role.Rules[i].Resources = slices.Delete(rule.Resources, at, at+1)
			verbs := slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool { return verb == "create" })
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: verbs})
		}
	}
	require.NoError(t, live.Update(t.Context(), role))
	startOperatorAs(t, config, []string{target})

	h := newHarness(t)
	h.namespace, h.now = target, time.Now()
	cluster := h.create(clusters.Minimal)
	says := func(words string) func() bool {
		return func() bool {
			require.NoError(h, live.Get(t.Context(), client.ObjectKeyFromObject(cluster), cluster))
			return strings.Contains(cluster.Status.Message, words)
		}
	}
	h.eventually("the right is named", says("the operator lacks the right to create pods in the namespace"))
	assert.Equal(t, flamev1alpha1.ReasonError, conditionIn(t, cluster, flamev1alpha1.ConditionSessionManagerReady).Reason)
	assert.Equal(t, metav1.ConditionTrue, conditionIn(t, cluster, flamev1alpha1.ConditionSpecValid).Status)

	role.Rules = all
	require.NoError(t, live.Update(t.Context(), role))
	h.eventually("it works with the right", says("are ready"))
}

// A text that differs each time must not be written into the status each time, since each
// write would wake the next try at once.
func TestAFailureWhoseTextVariesIsNotTriedPastItsBackOff(t *testing.T) {
	tries := atomic.Int32{}
	failing := &requests{fail: func(request *http.Request) *http.Response {
		if request.Method != http.MethodPost || !strings.HasSuffix(request.URL.Path, "/pods") {
			return nil
		}
		text := fmt.Sprintf("read tcp 10.0.0.1:%d->10.0.0.2:443: connection reset by peer", 40_000+tries.Add(1))
		return &http.Response{StatusCode: http.StatusBadGateway, Request: request, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}
	}}
	config := rest.CopyConfig(apiserver.Config)
	config.Wrap(failing.wrap)
	startOperatorAs(t, config, nil)
	h := newHarness(t)
	h.now = time.Now()
	cluster := h.create(clusters.Minimal)
	h.eventually("it is told", func() bool {
		require.NoError(t, h.live.Get(t.Context(), client.ObjectKeyFromObject(cluster), cluster))
		return meta.IsStatusConditionTrue(cluster.Status.Conditions, flamev1alpha1.ConditionProgressing) && tries.Load() > 0 &&
			conditionIn(t, cluster, flamev1alpha1.ConditionProgressing).Reason == flamev1alpha1.ReasonError
	})
	time.Sleep(5 * time.Second)
	assert.Less(t, tries.Load(), int32(60), "5 ms, 10 ms and so on are 10 passes, each with a few tries")
}

func TestRetriesHaveACeilingOfTheirOwnForEachCluster(t *testing.T) {
	limiter := retries()
	requestOf := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "ns", Name: name}}
	}
	one, other := requestOf("one"), requestOf("other")
	last := time.Duration(0)
	for range 100 {
		last = limiter.When(one)
		require.LessOrEqual(t, last, 30*time.Second)
	}
	assert.Equal(t, 30*time.Second, last)
	assert.Equal(t, firstRetry, limiter.When(other), "another cluster waits for nobody")
	for range 10_000 {
		limiter.When(requestOf("many"))
	}
	assert.Equal(t, 2*firstRetry, limiter.When(other))
}

// A quota that is full counts the old session manager, which is gone when the new one comes.
func TestAQuotaThatTheReplacementFitsDoesNotStopIt(t *testing.T) {
	h := newHarness(t)
	cluster := h.create(clusters.Minimal)
	h.settle(cluster)
	h.fullQuota("2")

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.MaxSessions = 5 })
	_, err := h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, "false", h.sessionManager(cluster).Labels[flamev1alpha1.LabelServing], "the old one leaves its Service")

	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) { s.SessionManager.MaxSessions = 1000 })
	h.settle(cluster)
	h.edit(cluster, func(s *flamev1alpha1.FlameClusterSpec) {
		s.SessionManager.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("64")}
	})
	_, err = h.step(cluster)
	require.NoError(t, err)
	assert.Equal(t, "true", h.sessionManager(cluster).Labels[flamev1alpha1.LabelServing], "one that asks for more may not fit")
	assert.Contains(t, cluster.Status.Message, `the ResourceQuota "few" refuses it`)
}
