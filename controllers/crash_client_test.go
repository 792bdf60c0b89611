// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/xflops/flame-operator/internal/pods"
	"github.com/xflops/flame-operator/internal/stored"
	"github.com/xflops/flame-operator/test/apiserver"
)

// reach is how many worlds reach the API server: through the operator's own
// cache, and past it.
type reach struct {
	cache        cache.Cache
	cached, live client.WithWatch
}

// cachedKinds are what the operator's cache holds.
func cachedKinds() []client.Object {
	return []client.Object{
		&corev1.Pod{}, &corev1.ServiceAccount{}, &corev1.ConfigMap{}, &corev1.Service{}, &corev1.PersistentVolumeClaim{},
		&appsv1.StatefulSet{}, &appsv1.ControllerRevision{}, &policyv1.PodDisruptionBudget{}, stored.New(),
	}
}

// newReach fills the cache, which lasts as long as the test.
func newReach(t *testing.T) *reach {
	t.Helper()
	options := CacheOptions(nil)
	options.Scheme = apiserver.Scheme(t)
	config := rest.CopyConfig(apiserver.Config)
	config.QPS = -1
	r := &reach{}
	var err error
	r.cache, err = cache.New(config, options)
	require.NoError(t, err)
	require.NoError(t, pods.IndexByOwner(t.Context(), r.cache))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.cache.Start(t.Context())
	}()
	t.Cleanup(func() { <-ended })
	for _, kind := range cachedKinds() {
		_, err := r.cache.GetInformer(t.Context(), kind)
		require.NoError(t, err)
	}
	cached := ClientOptions()
	cached.Scheme, cached.Cache.Reader = options.Scheme, r.cache
	r.cached, err = client.NewWithWatch(config, cached)
	require.NoError(t, err)
	r.live, err = client.NewWithWatch(config, client.Options{Scheme: options.Scheme})
	require.NoError(t, err)
	return r
}

// operators returns what an operator in a world reads from, and writes with. It
// sees the times of the world, and its own writes at once: that a cache lags is
// tested elsewhere.
func (w *world) operators(to client.WithWatch) client.Client {
	return interceptor.NewClient(to, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			err := c.Get(ctx, key, o, options...)
			if pod, ok := o.(*corev1.Pod); ok && err == nil {
				w.translate(pod)
			}
			return err
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			err := c.List(ctx, list, options...)
			if shown, ok := list.(*corev1.PodList); ok {
				*shown = *shown.DeepCopy() // The cache's memory is shared.
				for i := range shown.Items {
					w.translate(&shown.Items[i])
				}
			}
			return err
		},
		Create: w.create,
		Delete: w.delete,
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			return w.write("patch", o, func() error { return c.Patch(ctx, o, patch, options...) })
		},
		Apply: func(ctx context.Context, c client.WithWatch, config runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			return w.write("apply", config.(client.Object), func() error { return c.Apply(ctx, config, options...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			return w.write("patch the "+name+" of", o, func() error { return c.SubResource(name).Patch(ctx, o, patch, options...) })
		},
	})
}

// write carries out a write and has the cache show it.
func (w *world) write(verb string, o client.Object, send func() error) error {
	kind := w.kindOf(o)
	return w.writes.toKubernetes(fmt.Sprintf("%s %s %s", verb, w.nameOf(kind), o.GetName()), func() error {
		err := send()
		if err == nil {
			w.await(kind, o)
		}
		return err
	})
}

func (w *world) create(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
	asked := &client.CreateOptions{}
	asked.ApplyOptions(options)
	if len(asked.DryRun) > 0 {
		return c.Create(ctx, o, options...)
	}
	// What is not answered does not tell its UID.
	sent := o.DeepCopyObject().(client.Object)
	if pod, ok := sent.(*corev1.Pod); ok {
		pod.Spec.NodeName = "n" // The scheduler is quick. On a node a deletion takes its time.
	}
	err := w.write("create", sent, func() error {
		w.judgeCreation(sent)
		return c.Create(ctx, sent, options...)
	})
	if err == nil {
		reflect.ValueOf(o).Elem().Set(reflect.ValueOf(sent).Elem())
	}
	return err
}

func (w *world) delete(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
	asked := &client.DeleteOptions{}
	asked.ApplyOptions(options)
	kind := w.kindOf(o)
	return w.writes.toKubernetes(fmt.Sprintf("delete %s %s", w.nameOf(kind), o.GetName()), func() error {
		w.judgeDeletion(o, asked)
		err := c.Delete(ctx, o, options...)
		if err == nil {
			w.awaitEnd(kind, client.ObjectKeyFromObject(o), asked.GracePeriodSeconds)
		}
		return err
	})
}

// kindOf returns an empty object of the kind that the cache holds.
func (w *world) kindOf(o client.Object) client.Object {
	gvk, err := w.reach.live.GroupVersionKindFor(o)
	if err != nil {
		panic(err)
	}
	if gvk == stored.New().GroupVersionKind() {
		return stored.New()
	}
	kind, err := w.reach.live.Scheme().New(gvk)
	if err != nil {
		panic(err)
	}
	return kind.(client.Object)
}

func (w *world) nameOf(kind client.Object) string {
	gvk, err := w.reach.live.GroupVersionKindFor(kind)
	if err != nil {
		panic(err)
	}
	return gvk.Kind
}

// await waits until the cache shows an object as it was answered, or a later one.
func (w *world) await(kind, answer client.Object) {
	version := versionOf(answer)
	if _, secret := kind.(*corev1.Secret); secret {
		return
	}
	w.awaitCache(kind, client.ObjectKeyFromObject(answer), func(err error) bool {
		return apierrors.IsNotFound(err) && answer.GetDeletionTimestamp() != nil || err == nil && versionOf(kind) >= version
	})
}

// awaitEnd waits until the cache shows that an object is gone or on its way out.
func (w *world) awaitEnd(kind client.Object, key client.ObjectKey, grace *int64) {
	if _, secret := kind.(*corev1.Secret); secret {
		return
	}
	w.awaitCache(kind, key, func(err error) bool {
		if err != nil {
			return apierrors.IsNotFound(err)
		}
		given := kind.GetDeletionGracePeriodSeconds()
		return kind.GetDeletionTimestamp() != nil && (grace == nil || given != nil && *given <= *grace)
	})
}

func (w *world) awaitCache(kind client.Object, key client.ObjectKey, shows func(error) bool) {
	for deadline := time.Now().Add(20 * time.Second); !shows(w.reach.cache.Get(context.Background(), key, kind)); {
		if time.Now().After(deadline) {
			w.violation("the cache never shows what became of %T %s", kind, key)
			return
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func versionOf(o client.Object) int64 {
	version, _ := strconv.ParseInt(o.GetResourceVersion(), 10, 64)
	return version
}
