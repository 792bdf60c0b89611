// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/xflops/flame-operator/internal/apply"
)

// ErrOutdated says that pods were found which the list did not show, so that decisions
// made from that list are out of date. The next list shows the pods.
var ErrOutdated = errors.New("pods exist that were not known: decide again")

// surveyPage bounds how many pods one page of a survey holds.
const surveyPage = 1000

// attempts is how many names are tried for one pod.
const attempts = 5

// Create creates pods under fresh names, in parallel with a slow start, and returns the
// first error; pods that were created before the error stay. A call soon after one
// without an error starts with batches as large as that call's. Callers must have listed
// the fleet before. Each pod receives what the server made of it, trimmed.
//
// For an owner that was reconciled by an earlier operator, Create looks first for pods
// that the cache does not show. If there are any, Create creates nothing and returns
// ErrOutdated.
func (c *Control) Create(ctx context.Context, fleet Fleet, pods []*corev1.Pod) error {
	if len(pods) == 0 {
		return nil
	}
	if err := c.survey(ctx, fleet); err != nil {
		return err
	}
	err := slowly(ctx, c.expected.firstBatch(c.now()), len(pods), func(i int) error {
		return c.create(ctx, fleet, pods[i])
	})
	c.expected.tried(len(pods), err, c.now())
	return err
}

// create creates one pod. A name may be taken by the pod itself, if the answer to an
// earlier try was lost on its way.
func (c *Control) create(ctx context.Context, fleet Fleet, pod *corev1.Pod) error {
	var err error
	for range attempts {
		pod.Name = fleet.Prefix + rand.String(5)
		if err = c.post(ctx, pod); !isTaken(err) {
			return err
		}
		if c.expected.knows(pod.Name) {
			continue
		}
		existing, getErr := c.getLive(ctx, fleet, pod.Name)
		if getErr != nil {
			return getErr
		}
		if existing != nil {
			c.expected.proved(existing, c.now())
			return nil
		}
	}
	return err
}

// CreateNamed creates a pod under the name that it has. An existing pod of that name is
// no error if it belongs to the fleet: the next look at that pod tells what to do.
func (c *Control) CreateNamed(ctx context.Context, fleet Fleet, pod *corev1.Pod) error {
	err := c.post(ctx, pod)
	if !isTaken(err) {
		return err
	}
	_, err = c.Pod(ctx, fleet, pod.Name)
	return err
}

// post creates a pod, and expects the pod unless the server says that it did nothing:
// after a broken connection the pod may exist.
func (c *Control) post(ctx context.Context, pod *corev1.Pod) error {
	err := c.client.Create(ctx, pod, client.FieldOwner(apply.FieldManager))
	if err != nil {
		err = fmt.Errorf("create Pod %q: %w", pod.Name, err)
		if apply.DidNothing(err) {
			return err
		}
		pod.CreationTimestamp = metav1.Now()
	}
	Trim(pod)
	c.expected.created(pod, c.now())
	return err
}

// isTaken reports whether an error says that a pod of the name exists already.
func isTaken(err error) bool { return apierrors.IsAlreadyExists(err) && apply.Refused(err) == nil }

// survey finds, only once, pods of the fleet that are neither in the cache nor expected.
// Such pods exist if their labels were stripped while no operator ran, or if the cache
// lags behind an operator that ran just before this one.
func (c *Control) survey(ctx context.Context, fleet Fleet) error {
	if c.expected.surveyed {
		return nil
	}
	found := 0
	page := metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	for more := true; more; more = page.Continue != "" {
		if err := c.live.List(ctx, &page, client.InNamespace(fleet.Owner.GetNamespace()), client.Limit(surveyPage), client.Continue(page.Continue)); err != nil {
			return fmt.Errorf("list Pods: %w", err)
		}
		for i := range page.Items {
			pod := &page.Items[i]
			if fleet.has(pod) && pod.DeletionTimestamp == nil && c.expected.found(pod.Name, pod.UID) {
				found++
			}
		}
	}
	c.expected.surveyed = true
	if found > 0 {
		return ErrOutdated
	}
	return nil
}

// Delete deletes pods in parallel. A pod that is gone already is no error. An error keeps
// no other pod from being deleted, and the first one is returned.
func (c *Control) Delete(ctx context.Context, pods []*corev1.Pod) error {
	return c.delete(ctx, pods)
}

// hurry is the grace period of pods that are not waited for. A grace period of zero would
// remove the pods from the server while their processes still run.
const hurry = client.GracePeriodSeconds(1)

// DeleteNow deletes pods without the time that they would take to end their work. The
// grace period of pods that are already on their way out is cut short.
func (c *Control) DeleteNow(ctx context.Context, pods []*corev1.Pod) error {
	return c.delete(ctx, pods, hurry)
}

func (c *Control) delete(ctx context.Context, pods []*corev1.Pod, options ...client.DeleteOption) error {
	return parallel(ctx, len(pods), func(i int) error {
		pod := pods[i]
		err := apply.Remove(ctx, c.client, pod, options...)
		switch {
		case err != nil && !apply.Gone(err):
			return fmt.Errorf("delete Pod %q: %w", pod.Name, err)
		case !apierrors.IsConflict(err): // A conflict means that another pod has its name.
			c.expected.deleted(pod)
		}
		return nil
	})
}

// Hurry deletes the pods of an owner that is gone, found by their labels, without the
// time that they would take to end their work and that garbage collection would give
// them. Orphaned pods belong to nobody, and stay. Whose a pod is now the server is asked,
// since the cache may show the owner that a pod had.
func Hurry(ctx context.Context, cached client.Client, live client.Reader, owner types.NamespacedName, labels map[string]string, now time.Time) error {
	var pods corev1.PodList
	err := cached.List(ctx, &pods, client.InNamespace(owner.Namespace), client.MatchingLabels(labels), client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list Pods: %w", err)
	}
	return parallel(ctx, len(pods.Items), func(i int) error {
		pod := &pods.Items[i]
		controller := metav1.GetControllerOfNoCopy(pod)
		if controller == nil || controller.Name != owner.Name {
			return nil
		}
		if pod.DeletionTimestamp != nil && pod.DeletionTimestamp.Sub(now) <= time.Duration(hurry)*time.Second {
			return nil
		}
		shown := &corev1.Pod{}
		if err := live.Get(ctx, client.ObjectKeyFromObject(pod), shown); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("get Pod %q: %w", pod.Name, err)
		}
		if now := metav1.GetControllerOfNoCopy(shown); now == nil || now.UID != controller.UID {
			return nil
		}
		err := apply.Remove(ctx, cached, pod, hurry)
		if err != nil && !apply.Gone(err) {
			return fmt.Errorf("delete Pod %q: %w", pod.Name, err)
		}
		return nil
	})
}
