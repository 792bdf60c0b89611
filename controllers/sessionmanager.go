// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/apply"
	"github.com/xflops/flame-operator/internal/desired"
	"github.com/xflops/flame-operator/internal/naming"
	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/rollout"
	"github.com/xflops/flame-operator/internal/storage"
)

// stepSessionManager applies what belongs to the session manager and takes its pod one
// step towards what is wanted. The pod is looked after even if its budget is refused. If
// an object of the needed name belongs to somebody else, however, the pod is left alone,
// since it would mount that owner's claim.
func (p *pass) stepSessionManager(ctx context.Context, f found, wanted *desired.Objects) (*corev1.Pod, report) {
	const component = flamev1alpha1.ComponentSessionManager
	pod, name := f.sessionManager, naming.SessionManager(p.cluster.Name)
	service, budget := &corev1.Service{}, &policyv1.PodDisruptionBudget{}
	var all report
	for _, step := range []func() error{
		func() error { return f.claims.foreign(component) },
		func() error { return ensure(ctx, p, wanted.SessionManagerService, service, name) },
		func() error { return ensure(ctx, p, wanted.SessionManagerBudget, budget, name) },
	} {
		if all = all.join(classify(component, step())); all.missing != nil {
			return pod, all
		}
	}
	p.memory.leaving = p.memory.leaving.Seen(sessionManagerState(pod), p.now)
	hash := templateHash(wanted.SessionManager)
	if storage.Holds(f.claims.wanted, component) {
		hash = rollout.Held(sessionManagerState(pod), hash)
	}
	step := rollout.NextStep(sessionManagerState(pod), hash, p.cluster.Spec.Suspend, p.now)
	noted, err := p.noteStorage(ctx, service, pod, wanted)
	all = all.join(classify(component, err))
	following := *wanted
	following.SessionManager = wanted.Following(noted)
	pod, err = p.takeStep(ctx, pod, &following, step)
	if err != nil {
		return pod, all.join(classify(component, err))
	}
	return pod, all.join(after(step.After))
}

// noteStorage notes the storage of the session manager on its Service, which outlives the
// pod, and returns what is noted. Whoever makes the next pod can tell then whether that
// one remembers what this one knows, whenever the operator was started.
func (p *pass) noteStorage(ctx context.Context, service *corev1.Service, pod *corev1.Pod, wanted *desired.Objects) (string, error) {
	noted := service.Annotations[flamev1alpha1.AnnotationStorage]
	last := desired.LastStorage(sessionManagerState(pod), wanted, noted)
	if last == noted || service.UID == "" {
		return noted, nil
	}
	return last, p.memory.applier.Annotate(ctx, service, flamev1alpha1.AnnotationStorage, last)
}

// takeStep carries out a step, and returns the pod as it is afterwards.
func (p *pass) takeStep(ctx context.Context, pod *corev1.Pod, wanted *desired.Objects, step rollout.Step) (*corev1.Pod, error) {
	if step.Reason == rollout.Outdated && step.Action != rollout.Keep {
		if err := p.tryNewSessionManager(ctx, wanted); err != nil {
			return pod, err
		}
	}
	switch step.Action {
	case rollout.Create:
		return p.createSessionManager(ctx, pod, wanted, step.Failures)
	case rollout.Withdraw:
		return pod, p.setServing(ctx, pod, "false")
	case rollout.Restore:
		return pod, p.setServing(ctx, pod, "true")
	case rollout.Delete:
		return p.deleteSessionManager(ctx, pod)
	case rollout.Recreate:
		gone, err := p.deleteSessionManager(ctx, pod)
		if err != nil {
			return gone, err
		}
		return p.createSessionManager(ctx, gone, wanted, step.Failures)
	case rollout.Keep:
	}
	return pod, nil
}

// tryNewSessionManager asks the API server whether it would accept the new pod, before
// the old one goes. A refusal after that would leave the cluster without a session
// manager. A quota counts the old pod beside the new one, and does not when that is gone.
func (p *pass) tryNewSessionManager(ctx context.Context, wanted *desired.Objects) error {
	pod := wanted.SessionManager.DeepCopy()
	pod.Name += "-trial"
	err := p.try(ctx, pod)
	if refused := apply.Refused(err); refused != nil && refused.ByQuota() {
		old := &corev1.Pod{}
		if getErr := p.r.Live.Get(ctx, client.ObjectKeyFromObject(wanted.SessionManager), old); getErr == nil && desired.AsksForNoMore(pod, old) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("try to create Pod %q anew: %w", wanted.SessionManager.Name, err)
	}
	return nil
}

// createSessionManager creates the pod and returns it, or returns the pod before it if
// the creation fails.
func (p *pass) createSessionManager(ctx context.Context, before *corev1.Pod, wanted *desired.Objects, failed int) (*corev1.Pod, error) {
	pod := wanted.SessionManager.DeepCopy()
	setFailures(pod, failed)
	if p.memory.leaving.InTime {
		pod.Annotations[flamev1alpha1.AnnotationFollowsWithdrawn] = "true"
	}
	if err := p.memory.pods.CreateNamed(ctx, p.fleet(flamev1alpha1.ComponentSessionManager), pod); err != nil {
		return before, err
	}
	return pod, nil
}

// deleteSessionManager deletes the pod and returns it marked as terminating.
func (p *pass) deleteSessionManager(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	if err := p.memory.pods.Delete(ctx, []*corev1.Pod{pod}); err != nil {
		return pod, err
	}
	gone := pod.DeepCopy()
	gone.DeletionTimestamp = &metav1.Time{Time: p.now}
	return gone, nil
}

// setServing puts the session manager's pod into its Service or takes it out, and writes
// the time on the pod.
func (p *pass) setServing(ctx context.Context, pod *corev1.Pod, serving string) error {
	return p.memory.pods.Relabel(ctx, pod, pods.Metadata{
		Labels:      map[string]string{flamev1alpha1.LabelServing: serving},
		Annotations: map[string]string{flamev1alpha1.AnnotationWithdrawnAt: p.now.UTC().Format(time.RFC3339Nano)},
	})
}

// setFailures writes on a pod how many pods failed in its place before it. The
// annotations are cloned because other pods may share them.
func setFailures(pod *corev1.Pod, count int) {
	if count > 0 {
		pod.Annotations = maps.Clone(pod.Annotations)
		pod.Annotations[flamev1alpha1.AnnotationFailures] = strconv.Itoa(count)
	}
}

func templateHash(pod *corev1.Pod) string {
	return pod.Annotations[flamev1alpha1.AnnotationTemplateHash]
}
