// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/storage"
	"github.com/xflops/flame-operator/test/clusters"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

type change func(*corev1.Pod)

// pod returns a pod that has a node and is of the current spec.
func pod(changes ...change) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "c-executor-manager-abcde", UID: "uid-of-the-pod", Labels: map[string]string{flamev1alpha1.LabelServing: "true"},
		Annotations: map[string]string{flamev1alpha1.AnnotationTemplateHash: "new"},
	}, Spec: corev1.PodSpec{NodeName: "node"}}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func ready(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
}

func outdated(p *corev1.Pod) { p.Annotations[flamev1alpha1.AnnotationTemplateHash] = "old" }

func terminating(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: now.Add(time.Minute)} }

func overdue(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: now} }

func unscheduled(p *corev1.Pod) { p.Spec.NodeName = "" }

func withdrawn(p *corev1.Pod) { p.Labels[flamev1alpha1.LabelServing] = "false" }

func unschedulable(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
		Message: "0/1 nodes are available: 1 Insufficient cpu.",
	})
}

func waiting(reason, message string) change {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Image: "example.com/flame:v9", RestartCount: 4,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0}},
		}}
	}
}

func failed(code int32, reason string) change {
	return func(p *corev1.Pod) {
		p.Status.Phase = corev1.PodFailed
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}},
		}}
	}
}

func endedBesideASidecar(p *corev1.Pod) {
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{
		{Name: "a-sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		{Name: "executor-manager", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}},
	}
}

func evicted(p *corev1.Pod) {
	p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted"
	p.Status.Message = "Pod c-executor-manager-abcde used too much"
}

func facts(session *corev1.Pod, pods ...corev1.Pod) Facts {
	return Facts{
		SessionManager: sessionManager(session), ExecutorManagers: read(flamev1alpha1.ComponentExecutorManager, pods),
		ExecutorManagerHash: "new", Now: now,
	}
}

func sessionManager(pod *corev1.Pod) *podstate.Pod {
	if pod == nil {
		return nil
	}
	return ptr.To(podstate.Of(pod, flamev1alpha1.ComponentSessionManager))
}

func read(component string, pods []corev1.Pod) []podstate.Pod {
	var all []podstate.Pod
	for i := range pods {
		all = append(all, podstate.Of(&pods[i], component))
	}
	return all
}

// of makes facts the facts of a cluster, which wants what its spec says.
func (f Facts) of(cluster *flamev1alpha1.FlameCluster) Facts {
	f.Cluster, f.Desired = cluster, desired.Replicas(cluster)
	return f
}

func TestStateAndConditionsFollowThePods(t *testing.T) {
	for name, test := range map[string]struct {
		facts   Facts
		spec    func(*flamev1alpha1.FlameClusterSpec)
		state   flamev1alpha1.State
		message string
		// conditions maps the type of each condition to its status and reason.
		conditions map[string]string
	}{
		"nothing yet": {
			facts: facts(nil), state: flamev1alpha1.StatePending, message: "the session manager does not run yet",
			conditions: map[string]string{"Ready": "False NotReady", "SessionManagerReady": "False Starting", "Progressing": "True Scaling", "SpecValid": "True Valid"},
		},
		"all is well": {
			facts: facts(ptr.To(pod(ready)), pod(ready)), state: flamev1alpha1.StateRunning,
			message:    "the session manager and 1 executor managers are ready",
			conditions: map[string]string{"Ready": "True Ready", "SessionManagerReady": "True Ready", "ExecutorsReady": "True Ready", "Progressing": "False Stable"},
		},
		"one of two executor managers is enough to serve": {
			facts: facts(ptr.To(pod(ready)), pod(ready), pod(unschedulable)), spec: replicas(2), state: flamev1alpha1.StateRunning,
			message:    "1 of 2 executor managers are ready: one waits for a node: 0/1 nodes are available: 1 Insufficient cpu.",
			conditions: map[string]string{"Ready": "True Ready", "ExecutorsReady": "False Pending"},
		},
		"none of two executor managers is ready": {
			facts: facts(ptr.To(pod(ready)), pod(unschedulable), pod(unschedulable)), spec: replicas(2), state: flamev1alpha1.StatePending,
			message:    "0 of 2 executor managers are ready: one waits for a node: 0/1 nodes are available: 1 Insufficient cpu.",
			conditions: map[string]string{"Ready": "False NotReady", "ExecutorsReady": "False Pending"},
		},
		"an edit that cannot run, and a cluster that runs": {
			facts: with(facts(ptr.To(pod(ready)), pod(ready)), func(f *Facts) { f.Invalid, f.StandsIn = errors.New("no such version"), true }),
			state: flamev1alpha1.StateRunning, message: "no such version",
			conditions: map[string]string{
				"SpecValid": "False Invalid", "ExecutorsReady": "True Ready", "Progressing": "False Invalid", "Stalled": "True Invalid",
				"Reconciling": "absent", "Ready": "True Ready",
			},
		},
		"a spec that ran before its problems were known": {
			facts: with(facts(ptr.To(pod(ready)), pod(ready)), func(f *Facts) { f.Tolerated = []string{"slot.memory is odd"} }),
			state: flamev1alpha1.StateRunning, message: "the session manager and 1 executor managers are ready",
			conditions: map[string]string{"SpecValid": "True Tolerated", "Stalled": "absent", "Ready": "True Ready"},
		},
		"no executor manager is wanted": {
			facts: facts(ptr.To(pod(ready))), spec: replicas(0), state: flamev1alpha1.StateRunning,
			message:    "the session manager and 0 executor managers are ready",
			conditions: map[string]string{"Ready": "True Ready", "ExecutorsReady": "True NoneWanted", "Progressing": "False Stable"},
		},
		"an image of the session manager that cannot be pulled": {
			facts: facts(ptr.To(pod(waiting("ImagePullBackOff", "Back-off pulling c-executor-manager-abcde"))), pod()), state: flamev1alpha1.StateFailed,
			message:    `the session manager cannot pull the image "example.com/flame:v9"`,
			conditions: map[string]string{"SessionManagerReady": "False ImagePull"},
		},
		"a session manager that ends with exit code 0 again and again": {
			facts: facts(ptr.To(pod(waiting("CrashLoopBackOff", "back-off restarting c-executor-manager-abcde"))), pod()), state: flamev1alpha1.StateFailed,
			message:    "the session manager crashes: restarted 4 times, last ended with exit code 0, which is how Flame ends on some errors; see its log",
			conditions: map[string]string{"SessionManagerReady": "False Crashing"},
		},
		"a Secret that a container needs is missing": {
			facts: facts(ptr.To(pod(waiting("CreateContainerConfigError", `secret "x" not found`)))), state: flamev1alpha1.StateFailed,
			message: `the session manager cannot start a container: secret "x" not found`,
		},
		"a session manager that is out of its Service": {
			facts: facts(ptr.To(pod(ready, withdrawn)), pod(ready)), state: flamev1alpha1.StatePending, message: "the session manager is being replaced",
			conditions: map[string]string{"SessionManagerReady": "False Replacing", "Progressing": "True Replacing"},
		},
		"a session manager that goes": {
			facts: facts(ptr.To(pod(ready, terminating)), pod(ready)), state: flamev1alpha1.StatePending, message: "the session manager is being replaced",
		},
		"every executor manager fails": {
			facts: facts(ptr.To(pod(ready)), pod(failed(1, "Error")), pod(failed(137, "OOMKilled"))), spec: replicas(2), state: flamev1alpha1.StateFailed,
			message:    "0 of 2 executor managers are ready: one failed: ended with exit code 1",
			conditions: map[string]string{"ExecutorsReady": "False Crashing"},
		},
		"an executor manager that has ended beside a sidecar that runs": {
			facts: facts(ptr.To(pod(ready)), pod(ready), pod(endedBesideASidecar)), spec: replicas(2), state: flamev1alpha1.StateRunning,
			message:    "1 of 2 executor managers are ready: one failed: ended with exit code 137 (OOMKilled)",
			conditions: map[string]string{"ExecutorsReady": "False Crashing", "Progressing": "True Scaling"},
		},
		"one of two executor managers fails": {
			facts: facts(ptr.To(pod(ready)), pod(ready), pod(failed(137, "OOMKilled"))), spec: replicas(2), state: flamev1alpha1.StateRunning,
			message: "1 of 2 executor managers are ready: one failed: ended with exit code 137 (OOMKilled)",
		},
		"an evicted executor manager is told without its name": {
			facts: facts(ptr.To(pod(ready)), pod(evicted)), state: flamev1alpha1.StateFailed,
			message: "0 of 1 executor managers are ready: one failed: Evicted: Pod … used too much",
		},
		"an update goes on": {
			facts: facts(ptr.To(pod(ready)), pod(ready, outdated), pod()), state: flamev1alpha1.StateRunning,
			message:    "the session manager and 1 executor managers are ready",
			conditions: map[string]string{"Progressing": "True Updating", "Ready": "True Ready"},
		},
		"an update stands still because the new ones fail": {
			facts:      facts(ptr.To(pod(ready)), pod(ready, outdated), pod(waiting("ErrImagePull", ""))),
			state:      flamev1alpha1.StateRunning,
			message:    `the update of executor managers stands still with 0 of 1 updated, because a new one cannot pull the image "example.com/flame:v9"`,
			conditions: map[string]string{"Progressing": "False UpdateStopped"},
		},
		"an invalid spec fails while the pods run on": {
			facts: with(facts(ptr.To(pod(ready)), pod(ready)), func(f *Facts) { f.Invalid = errors.New("set flameVersion") }),
			state: flamev1alpha1.StateFailed, message: "set flameVersion",
			conditions: map[string]string{"SpecValid": "False Invalid", "SessionManagerReady": "True Ready", "Ready": "False Invalid", "Progressing": "False Invalid"},
		},
		"a Secret that the spec names is missing": {
			facts: with(facts(nil), func(f *Facts) { f.Missing = errors.New(`the Secret "x" does not exist`) }),
			state: flamev1alpha1.StatePending, message: `the session manager waits: the Secret "x" does not exist`,
			conditions: map[string]string{"SessionManagerReady": "False WaitingForReference", "Progressing": "True WaitingForReference"},
		},
		"a failed call is told without the names of pods": {
			facts: with(facts(ptr.To(pod(ready)), pod(ready)), func(f *Facts) {
				f.Obstacles = []Obstacle{{Err: errors.New(`get Pod "c-executor-manager-x2x4z": timed out`)}}
			}),
			state:      flamev1alpha1.StateRunning,
			message:    `a call to the Kubernetes API failed and will be repeated: get Pod "c-executor-manager-…": timed out`,
			conditions: map[string]string{"Progressing": "True Error", "SessionManagerReady": "True Ready", "ExecutorsReady": "True Ready", "Ready": "True Ready", "SpecValid": "True Valid"},
		},
		"a session manager that is refused": {
			facts: with(facts(nil), func(f *Facts) {
				f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentSessionManager, Refused: true, Err: errors.New("a quota refuses it")}}
			}),
			state: flamev1alpha1.StatePending, message: "the session manager waits: a quota refuses it",
			conditions: map[string]string{"Progressing": "True Refused", "SessionManagerReady": "False Refused", "ExecutorsReady": "False Starting", "SpecValid": "True Valid"},
		},
		"executor managers of which one is refused": {
			facts: with(facts(ptr.To(pod(ready)), pod(ready), pod()), func(f *Facts) {
				f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentExecutorManager, Refused: true, Err: errors.New("a quota refuses it")}}
			}), spec: replicas(3),
			state: flamev1alpha1.StateRunning, message: "1 of 3 executor managers are ready: one waits: a quota refuses it",
			conditions: map[string]string{"Progressing": "True Refused", "SessionManagerReady": "True Ready", "ExecutorsReady": "False Refused", "SpecValid": "True Valid"},
		},
		"an executor manager that crashes beside one that is refused": {
			facts: with(facts(ptr.To(pod(ready)), pod(ready), pod(failed(1, "Error"))), func(f *Facts) {
				f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentExecutorManager, Refused: true, Err: errors.New("a quota refuses it")}}
			}), spec: replicas(3),
			state: flamev1alpha1.StateRunning, message: "1 of 3 executor managers are ready: one failed: ended with exit code 1",
			conditions: map[string]string{"Progressing": "True Refused", "ExecutorsReady": "False Crashing"},
		},
		"a configuration that is refused": {
			facts: with(facts(nil), func(f *Facts) {
				f.Obstacles = []Obstacle{{Refused: true, Err: errors.New("a policy refuses it")}}
			}),
			state: flamev1alpha1.StatePending, message: "the session manager waits: a policy refuses it",
			conditions: map[string]string{"Progressing": "True Refused", "SessionManagerReady": "False Refused", "ExecutorsReady": "False Refused"},
		},
		"a session manager that waits for a claim that is refused": {
			facts: with(facts(ptr.To(pod(unschedulable))), func(f *Facts) {
				f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentSessionManager, Refused: true, Err: errors.New("a quota refuses the claim")}}
			}),
			state: flamev1alpha1.StatePending, message: "the session manager waits: a quota refuses the claim",
			conditions: map[string]string{"SessionManagerReady": "False Refused"},
		},
		"a session manager that crashes beside a budget that is refused": {
			facts: with(facts(ptr.To(pod(waiting("CrashLoopBackOff", "")))), func(f *Facts) {
				f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentSessionManager, Refused: true, Err: errors.New("a policy refuses the budget")}}
			}),
			state: flamev1alpha1.StateFailed, message: "the session manager crashes: restarted 4 times, last ended with exit code 0, which is how Flame ends on some errors; see its log",
			conditions: map[string]string{"SessionManagerReady": "False Crashing"},
		},
		"a replacement of the session manager that is refused": {
			facts: with(facts(ptr.To(pod(ready, outdated)), pod(ready)), func(f *Facts) {
				f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentSessionManager, Refused: true, Err: errors.New("a policy refuses it")}}
			}),
			state: flamev1alpha1.StateRunning, message: "a policy refuses it",
			conditions: map[string]string{"Progressing": "True Refused", "SessionManagerReady": "True Ready", "Ready": "True Ready", "SpecValid": "True Valid"},
		},
		"a right that is missing, beside a refusal": {
			facts: with(facts(nil), func(f *Facts) {
				f.Obstacles = []Obstacle{
					{Component: flamev1alpha1.ComponentSessionManager, Err: errors.New("the operator lacks the right")},
					{Component: flamev1alpha1.ComponentExecutorManager, Refused: true, Err: errors.New("a policy refuses it")},
				}
			}),
			state: flamev1alpha1.StatePending, message: "the session manager waits: the operator lacks the right",
			conditions: map[string]string{"Progressing": "True Error", "SessionManagerReady": "False Error", "ExecutorsReady": "False Refused", "SpecValid": "True Valid"},
		},
		"suspended": {
			facts: facts(nil), spec: func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true },
			state: flamev1alpha1.StateSuspended, message: "the session manager is suspended",
			conditions: map[string]string{"Ready": "absent", "SessionManagerReady": "False Suspended", "ExecutorsReady": "False Suspended", "Progressing": "False Stable"},
		},
		"executor managers that were scaled down end their tasks": {
			facts: facts(ptr.To(pod(ready)), pod(ready), pod(ready, terminating), pod(terminating, failed(0, "")), pod(terminating, unscheduled), pod(overdue)),
			state: flamev1alpha1.StateRunning, message: "the session manager and 1 executor managers are ready",
			conditions: map[string]string{"Ready": "True Ready", "ExecutorsReady": "True Ready", "Progressing": "True Draining"},
		},
		"suspended, and the spec cannot run": {
			facts: with(facts(nil), func(f *Facts) { f.Invalid = errors.New("no such version") }),
			spec:  func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true },
			state: flamev1alpha1.StateSuspended, message: "no such version",
			conditions: map[string]string{"Ready": "absent", "SpecValid": "False Invalid", "SessionManagerReady": "False Suspended", "Progressing": "False Stable"},
		},
		"to be suspended while a Secret is missing": {
			facts: with(facts(nil, pod(ready)), func(f *Facts) { f.Missing = errors.New("no such Secret") }),
			spec:  func(s *flamev1alpha1.FlameClusterSpec) { s.Suspend = true },
			state: flamev1alpha1.StateSuspended, message: "the session manager is suspended",
			conditions: map[string]string{"Ready": "absent", "ExecutorsReady": "False Suspended", "Progressing": "True Scaling"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := clusters.Parse(t, clusters.Minimal)
			// An invalid spec keeps the number that was wanted before.
			cluster.Status.ExecutorManager.Desired = 1
			if test.spec != nil {
				test.spec(&cluster.Spec)
			}
			got := Compute(test.facts.of(cluster))
			assert.Equal(t, test.state, got.State)
			assert.Equal(t, test.message, got.Message)
			for kind, want := range test.conditions {
				said, message := "absent", ""
				if condition := meta.FindStatusCondition(got.Conditions, kind); condition != nil {
					said, message = string(condition.Status)+" "+condition.Reason, condition.Message
				}
				assert.Equal(t, want, said, "%s: %s", kind, message)
			}
			for _, condition := range got.Conditions {
				assert.NotRegexp(t, `executor-manager-[a-z0-9]{5}`, condition.Message, "a message with the name of a pod")
				if condition.Type != flamev1alpha1.ConditionReady { // Which follows later.
					assert.Equal(t, int64(1), condition.ObservedGeneration)
				}
			}
		})
	}
}

func replicas(count int32) func(*flamev1alpha1.FlameClusterSpec) {
	return func(s *flamev1alpha1.FlameClusterSpec) { s.ExecutorManager.Replicas = &count }
}

func with(f Facts, change func(*Facts)) Facts {
	change(&f)
	return f
}

func TestCountsLeaveOutWhatGoesAndWhatEnded(t *testing.T) {
	f := facts(ptr.To(pod(ready)), pod(ready), pod(ready, outdated), pod(terminating, ready), pod(failed(1, "")))
	f = f.of(clusters.Parse(t, clusters.Minimal))
	got := Compute(f).ExecutorManager
	assert.Equal(t, flamev1alpha1.ExecutorManagerStatus{
		Replicas: 2, Ready: 2, Updated: 1, Desired: 1, Draining: 1,
		Selector: "app.kubernetes.io/component=executor-manager,app.kubernetes.io/instance=c,app.kubernetes.io/name=flame",
	}, got)
}

func TestDrainingSaysUntilWhen(t *testing.T) {
	f := facts(ptr.To(pod(ready)), pod(ready), pod(ready, terminating), pod(ready, func(p *corev1.Pod) {
		p.DeletionTimestamp = &metav1.Time{Time: now.Add(time.Hour)}
	}))
	f = f.of(clusters.Parse(t, clusters.Minimal))
	got := Compute(f)
	assert.Equal(t, time.Minute, f.TurnsAfter())
	assert.Equal(t, "2 deleted executor managers may go on with tasks until 2026-05-01T13:00:00Z",
		meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionProgressing).Message)
}

func TestTransitionsKeepTheirTimes(t *testing.T) {
	f := facts(ptr.To(pod(ready)), pod(ready))
	f = f.of(clusters.Parse(t, clusters.Minimal))
	f.Cluster.Status = Compute(f)
	f.Now = now.Add(time.Hour)
	assert.Equal(t, f.Cluster.Status, Compute(f), "nothing has changed but the time")

	f.ExecutorManagers = nil
	after := Compute(f)
	changed := meta.FindStatusCondition(after.Conditions, flamev1alpha1.ConditionExecutorsReady)
	assert.Equal(t, f.Now, changed.LastTransitionTime.Time)
	same := meta.FindStatusCondition(after.Conditions, flamev1alpha1.ConditionSessionManagerReady)
	assert.Equal(t, now, same.LastTransitionTime.Time)
}

func TestAnObjectCacheThatIsRefusedSaysSo(t *testing.T) {
	f := facts(ptr.To(pod(ready)), pod(ready)).of(clusters.Parse(t, strings.TrimSpace(clusters.Minimal)+"\n  objectCache: {image: x}\n"))
	f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentObjectCache, Refused: true, Err: errors.New("a policy refuses it")}}
	got := Compute(f)
	condition := meta.FindStatusCondition(got.Conditions, flamev1alpha1.ConditionObjectCacheReady)
	assert.Equal(t, "Refused: the object cache waits: a policy refuses it", condition.Reason+": "+condition.Message)
	assert.Equal(t, condition.Message, got.Message)
}

func TestAFailureIsToldOnceThoughItsNumbersDiffer(t *testing.T) {
	f := facts(nil).of(clusters.Parse(t, clusters.Minimal))
	fails := func(text string) flamev1alpha1.FlameClusterStatus {
		f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentSessionManager, Err: errors.New(text)}}
		return Compute(f)
	}
	first := fails("dial tcp 10.0.0.1:41234->10.0.0.2:443: timeout after 31.5ms, request 7f3a-99 of 3")
	f.Cluster.Status = first
	assert.Equal(t, first, fails("dial tcp 10.0.0.1:50001->10.0.0.2:443: timeout after 12.25ms, request 01bc-1 of 4"))
	assert.NotEqual(t, first, fails("dial tcp 10.0.0.1:50001->10.0.0.2:443: connection refused"))
	f.Obstacles = []Obstacle{{Component: flamev1alpha1.ComponentSessionManager, Refused: true, Err: errors.New("used: 1")}}
	f.Cluster.Status = Compute(f)
	f.Obstacles[0].Err = errors.New("used: 2")
	assert.Contains(t, Compute(f).Message, "used: 2", "what a quota counts is worth telling")
}

func TestObjectCache(t *testing.T) {
	set := &appsv1.StatefulSet{}
	for name, test := range map[string]struct {
		replicas int32
		set      *appsv1.StatefulSet
		pods     []corev1.Pod
		want     string
	}{
		"ready":                       {1, set, []corev1.Pod{pod(ready)}, "True Ready: the object cache is ready"},
		"more than one is warned of":  {2, set, []corev1.Pod{pod(ready), pod(ready)}, "True MultipleReplicas: 2 object caches are ready, but Flame finds an object only on the one that took it: set objectCache.replicas to 1"},
		"not there yet":               {1, nil, nil, "False Starting: the object cache is starting"},
		"without its pods":            {1, set, nil, "False Starting: the object cache is starting"},
		"on its way out":              {1, set, []corev1.Pod{pod(ready, terminating)}, "False Starting: the object cache is starting"},
		"of another spec":             {1, set, []corev1.Pod{pod(ready, outdated)}, "False Replacing: the object cache is being replaced"},
		"an image that is not pulled": {3, set, []corev1.Pod{pod(ready), pod(waiting("ErrImagePull", ""))}, `False ImagePull: the object cache cannot pull the image "example.com/flame:v9"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(ptr.To(pod(ready)), pod(ready))
			f = f.of(clusters.Parse(t, strings.TrimSpace(clusters.Minimal)+"\n  objectCache: {image: x}\n"))
			f.Cluster.Spec.ObjectCache.Replicas = &test.replicas
			f.ObjectCache, f.ObjectCachePods, f.ObjectCacheHash = test.set, read(flamev1alpha1.ComponentObjectCache, test.pods), "new"
			condition := meta.FindStatusCondition(Compute(f).Conditions, flamev1alpha1.ConditionObjectCacheReady)
			assert.Equal(t, test.want, string(condition.Status)+" "+condition.Reason+": "+condition.Message)
		})
	}
}

// An API server refuses the whole status because of one message that is too long.
func TestEveryMessageFitsACondition(t *testing.T) {
	problems := make([]string, 1000)
	for i := range problems {
		problems[i] = strings.Repeat("ä", 5000)
	}
	f := facts(nil).of(clusters.Parse(t, clusters.Minimal))
	f.Invalid = &desired.InvalidSpecError{Problems: problems}
	status := Compute(f)
	assert.LessOrEqual(t, len(status.Message), longestMessage)
	for _, condition := range status.Conditions {
		assert.LessOrEqual(t, len(condition.Message), longestMessage, condition.Type)
	}
	assert.True(t, strings.HasSuffix(status.Message, "…"))
}

func TestWhatIsUpdatedIsReady(t *testing.T) {
	f := facts(ptr.To(pod(ready)), pod(ready, outdated), pod(), pod(ready), pod(waiting("ErrImagePull", "")))
	assert.Equal(t, int32(1), Compute(f.of(clusters.Parse(t, clusters.Minimal))).ExecutorManager.Updated)
}

func TestTheCauseOfAFailedPullStaysBetweenTwoTries(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	pulls := func(message string) flamev1alpha1.FlameClusterStatus {
		f := facts(ptr.To(pod(ready)), pod(ready, outdated), pod(waiting("ErrImagePull", message)))
		f.ObjectCache, f.ObjectCacheHash = &appsv1.StatefulSet{}, "new"
		cluster.Spec.ObjectCache = clusters.Parse(t, clusters.MinimalWithCache).Spec.ObjectCache
		f.ObjectCachePods = read(flamev1alpha1.ComponentObjectCache, []corev1.Pod{pod(waiting("ErrImagePull", message))})
		return Compute(f.of(cluster))
	}
	cluster.Status = pulls("manifest unknown")
	assert.Equal(t, `the object cache cannot pull the image "example.com/flame:v9": the registry does not have it`, cluster.Status.Message)
	assert.Equal(t, cluster.Status, pulls("Back-off pulling image"))
	assert.Contains(t, pulls("unauthorized").Message, "the registry denies it")
}

func TestAKubernetesWithoutIPv4IsToldWhatFlameNeeds(t *testing.T) {
	f := facts(nil).of(clusters.Parse(t, clusters.Minimal))
	f.Obstacles = []Obstacle{{Refused: true, Err: errors.New(`apply Service "c-session-manager": the API server refuses it: Service "c-session-manager" is invalid: ` +
		`spec.ipFamilies[0]: Invalid value: "IPv4": not configured on this cluster`)}}
	assert.Contains(t, Compute(f).Message, "not configured on this cluster: Flame listens on IPv4 alone")
}

// What is wrong with a claim is told, and no component waits for it here.
func TestStorageIsToldBesideTheComponents(t *testing.T) {
	cluster := clusters.Parse(t, clusters.Minimal)
	f := facts(ptr.To(pod(ready)), pod(ready)).of(cluster)
	assert.Nil(t, meta.FindStatusCondition(Compute(f).Conditions, flamev1alpha1.ConditionStorageReady), "there is no claim")

	claim := &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimLost}}
	f.Claims = []storage.Wanted{{Name: "mine", Field: storage.FieldExisting, Claim: storage.Of(claim, "c", "")}}
	lost := Compute(f)
	told := meta.FindStatusCondition(lost.Conditions, flamev1alpha1.ConditionStorageReady)
	require.NotNil(t, told)
	assert.Equal(t, metav1.ConditionFalse, told.Status)
	assert.Equal(t, flamev1alpha1.ReasonClaimLost, told.Reason)
	assert.Equal(t, `the claim "mine" has lost its volume`, told.Message)
	assert.Equal(t, corev1.EventTypeWarning, EventType(*told))
	assert.True(t, meta.IsStatusConditionTrue(lost.Conditions, flamev1alpha1.ConditionReady))
	assert.Equal(t, flamev1alpha1.StateRunning, lost.State)

	claim.Status.Phase = corev1.ClaimBound
	f.Claims[0].Claim = storage.Of(claim, "c", "")
	assert.True(t, meta.IsStatusConditionTrue(Compute(f).Conditions, flamev1alpha1.ConditionStorageReady))
}
