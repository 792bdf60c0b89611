// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/test/scorecard/report"
	"github.com/xflops/flame-operator/test/scorecard/verdict"
)

// labelTest is on every FlameCluster of the scorecard, so that one can find what
// a killed test has left.
const labelTest = "flame.xflops.io/scorecard"

// cluster is a FlameCluster under test.
type cluster struct {
	*trial
	name    string
	created time.Time
}

// change is a change of a spec.
type change = func(cluster *flamev1alpha1.FlameCluster)

// draft returns the example under a fresh name, with changes.
func (t *trial) draft(changes ...change) *flamev1alpha1.FlameCluster {
	object := t.example.DeepCopy()
	object.Namespace, object.Name = t.namespace, t.short()+"-"+rand.String(5)
	object.Labels = map[string]string{labelTest: t.test}
	for _, change := range changes {
		change(object)
	}
	return object
}

// create makes a cluster from the example, with changes.
func (t *trial) create(ctx context.Context, changes ...change) (*cluster, error) {
	object := t.draft(changes...)
	if err := t.k8s.Create(ctx, object); err != nil {
		return nil, fmt.Errorf("create FlameCluster %q: %w", object.Name, err)
	}
	c := &cluster{trial: t, name: object.Name, created: time.Now()}
	t.clusters = append(t.clusters, c)
	t.log.Printf("created FlameCluster %s in namespace %s, with image %s", c.name, t.namespace, object.Spec.SessionManager.Image)
	return c, nil
}

func (c *cluster) get(ctx context.Context) (*flamev1alpha1.FlameCluster, error) {
	object := &flamev1alpha1.FlameCluster{}
	if err := c.k8s.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: c.name}, object); err != nil {
		return nil, fmt.Errorf("get FlameCluster %q: %w", c.name, err)
	}
	return object, nil
}

// apply changes the spec as a user would, without a look at anything else.
func (c *cluster) apply(ctx context.Context, change change) error {
	before, err := c.get(ctx)
	if err != nil {
		return err
	}
	after := before.DeepCopy()
	change(after)
	if err := c.k8s.Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("change FlameCluster %q: %w", c.name, err)
	}
	return nil
}

// becomes waits until check is content with the cluster.
func (c *cluster) becomes(ctx context.Context, what string, atMost time.Duration, check func(*flamev1alpha1.FlameCluster) error) error {
	return c.eventually(ctx, what, atMost, func(ctx context.Context) error {
		object, err := c.get(ctx)
		if err != nil {
			return err
		}
		if object.Status.ObservedGeneration == 0 && time.Since(c.created) > c.patience.seen {
			return report.Failed(fmt.Errorf("%s after it was created, %w", time.Since(c.created).Round(time.Second), errUnseen))
		}
		return check(object)
	})
}

// starts waits until a new cluster is what its spec asks for.
func (c *cluster) starts(ctx context.Context) error {
	return c.becomes(ctx, "the FlameCluster is ready", c.patience.start, verdict.Settled)
}

// settles waits until a cluster is again what its spec asks for.
func (c *cluster) settles(ctx context.Context, what string) error {
	return c.becomes(ctx, what, c.patience.step, verdict.Settled)
}

// pods returns all pods of the cluster.
func (c *cluster) pods(ctx context.Context) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := c.k8s.List(ctx, list, c.own()...); err != nil {
		return nil, fmt.Errorf("list the pods of FlameCluster %q: %w", c.name, err)
	}
	return list.Items, nil
}

// executors returns the living pods of its executor managers.
func (c *cluster) executors(ctx context.Context) (verdict.Pods, error) {
	pods, err := c.pods(ctx)
	return verdict.Living(pods, flamev1alpha1.ComponentExecutorManager), err
}

// own selects what belongs to the cluster.
func (c *cluster) own() []client.ListOption {
	return []client.ListOption{client.InNamespace(c.namespace), client.MatchingLabels{flamev1alpha1.LabelCluster: c.name}}
}

// kinds are the kinds of objects that a cluster may consist of. Secrets are not
// among them: the scorecard may not read any.
var kinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "PersistentVolumeClaim"},
	{Version: "v1", Kind: "Pod"},
	{Version: "v1", Kind: "Service"},
	{Version: "v1", Kind: "ServiceAccount"},
	{Group: "apps", Version: "v1", Kind: "ControllerRevision"},
	{Group: "apps", Version: "v1", Kind: "StatefulSet"},
	{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
}

// objects returns what belongs to the cluster, each as its kind and name, in order.
func (c *cluster) objects(ctx context.Context) ([]string, error) {
	var found []string
	for _, kind := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := c.k8s.List(ctx, list, c.own()...); err != nil {
			return nil, fmt.Errorf("list each %s of FlameCluster %q: %w", kind.Kind, c.name, err)
		}
		for i := range list.Items {
			name := list.Items[i].Name
			if kind.Kind == "ControllerRevision" { // Whose name ends with a hash of its content.
				name = name[:strings.LastIndex(name, "-")]
			}
			found = append(found, kind.Kind+" "+name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// remove deletes the cluster and the claims that outlive it.
func (c *cluster) remove(ctx context.Context) error {
	object := &flamev1alpha1.FlameCluster{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name}}
	if err := client.IgnoreNotFound(c.k8s.Delete(ctx, object)); err != nil {
		return err
	}
	// Claims are deleted by name: a right to delete each alone is all it takes.
	claims := &corev1.PersistentVolumeClaimList{}
	if err := c.k8s.List(ctx, claims, c.own()...); err != nil {
		return err
	}
	var problems []error
	for i := range claims.Items {
		problems = append(problems, client.IgnoreNotFound(c.k8s.Delete(ctx, &claims.Items[i])))
	}
	return errors.Join(problems...)
}

// describe tells how the cluster, its pods and their events are.
func (c *cluster) describe(ctx context.Context) (string, error) {
	object, err := c.get(ctx)
	if err != nil {
		return "", err
	}
	pods, podsErr := c.pods(ctx)
	events := &corev1.EventList{}
	eventsErr := c.k8s.List(ctx, events, client.InNamespace(c.namespace))
	return verdict.Describe(object, pods, events.Items), errors.Join(podsErr, eventsErr)
}

// withoutCache leaves out the object cache.
func withoutCache(cluster *flamev1alpha1.FlameCluster) { cluster.Spec.ObjectCache = nil }

// withoutClaim keeps the sessions for as long as the session manager's pod lives.
func withoutClaim(cluster *flamev1alpha1.FlameCluster) {
	cluster.Spec.SessionManager.Storage.VolumeClaimTemplate = nil
}

// withClaim keeps the sessions in a volume of the default storage class, which
// outlives the cluster.
func withClaim(cluster *flamev1alpha1.FlameCluster) {
	cluster.Spec.SessionManager.Storage.VolumeClaimTemplate = &corev1.PersistentVolumeClaimSpec{
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("64Mi")},
		},
	}
	cluster.Spec.SessionManager.Storage.WhenDeleted = flamev1alpha1.WhenDeletedRetain
}
