// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/naming"
)

func TestWhatOthersChangeComesBack(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", replicas(2))
	c.Settled(t)
	before := c.AllLiving(t)
	service, configMap := &corev1.Service{}, &corev1.ConfigMap{}
	service.Name, configMap.Name = naming.SessionManager(c.Name), naming.Config(c.Name)

	t.Run("a Service that was changed", func(t *testing.T) {
		c.spoil(t, service, func() {
			service.Spec.Ports = service.Spec.Ports[:1]
			service.Spec.Selector[flamev1alpha1.LabelInstance] = "other"
			delete(service.Labels, flamev1alpha1.LabelPartOf)
		})
	})
	t.Run("a ConfigMap that was changed", func(t *testing.T) {
		c.spoil(t, configMap, func() {
			configMap.Data[naming.ServerConfigKey] = "cluster: {}"
			delete(configMap.Data, naming.ClientConfigKey)
		})
	})
	t.Run("a Service that was deleted", func(t *testing.T) { c.remove(t, service) })
	t.Run("a ConfigMap that was deleted", func(t *testing.T) { c.remove(t, configMap) })

	c.Settled(t)
	assert.Equal(t, before, c.AllLiving(t), "no pod restarts for it")
}

// spoil changes an object and waits until it is what it was.
func (c flameCluster) spoil(t *testing.T, object client.Object, change func()) {
	t.Helper()
	object.SetNamespace(c.Namespace)
	require.NoError(t, k8s.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	before := object.DeepCopyObject().(client.Object)
	change()
	require.NoError(t, k8s.Update(t.Context(), object))
	eventually(t, fmt.Sprintf("%s is as it was", object.GetName()), func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		return sameContent(before, object)
	})
}

// remove deletes an object and waits until it is there again.
func (c flameCluster) remove(t *testing.T, object client.Object) {
	t.Helper()
	object.SetNamespace(c.Namespace)
	require.NoError(t, k8s.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	before := object.DeepCopyObject().(client.Object)
	require.NoError(t, k8s.Delete(t.Context(), object))
	eventually(t, fmt.Sprintf("%s is there again", object.GetName()), func(ctx context.Context) error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if object.GetUID() == before.GetUID() {
			return fmt.Errorf("it is still there")
		}
		return sameContent(before, object)
	})
}

func sameContent(before, after client.Object) error {
	if !maps.Equal(before.GetLabels(), after.GetLabels()) {
		return fmt.Errorf("its labels are %v and not %v", after.GetLabels(), before.GetLabels())
	}
	switch was := before.(type) {
	case *corev1.Service:
		is := after.(*corev1.Service)
		if fmt.Sprint(is.Spec.Ports, is.Spec.Selector) != fmt.Sprint(was.Spec.Ports, was.Spec.Selector) {
			return fmt.Errorf("it has %v, %v and not %v, %v", is.Spec.Ports, is.Spec.Selector, was.Spec.Ports, was.Spec.Selector)
		}
	case *corev1.ConfigMap:
		if is := after.(*corev1.ConfigMap); !maps.Equal(is.Data, was.Data) {
			return fmt.Errorf("it holds %v and not %v", is.Data, was.Data)
		}
	}
	return nil
}

func TestPodsThatGoComeBack(t *testing.T) {
	t.Parallel()
	c := create(t, newNamespace(t), "flame", replicas(2), withCache)
	c.Settled(t)
	sessionManager := c.Living(t, flamev1alpha1.ComponentSessionManager)

	losses := map[string]func(t *testing.T, name string){
		"an executor manager whose pod is deleted": func(t *testing.T, name string) { deletePod(t, c.Namespace, name) },
		"an executor manager that dies": func(t *testing.T, name string) {
			kill(t, c.Namespace, name, flamev1alpha1.ComponentExecutorManager, "flame-executor-manager")
		},
	}
	for what, lose := range losses {
		t.Run(what, func(t *testing.T) {
			before := c.Has(t, flamev1alpha1.ComponentExecutorManager, 2)
			lost := anyOf(before)
			lose(t, lost)
			eventually(t, "it is replaced under another name", func(context.Context) error {
				now := executorsOf(t, c)
				if _, found := now[lost]; found || len(now) != 2 {
					return fmt.Errorf("%s is lost, there are %v", lost, now)
				}
				return nil
			})
			c.Settled(t)
			after := c.Has(t, flamev1alpha1.ComponentExecutorManager, 2)
			assert.True(t, after.Overlaps(before), "the other one is not concerned")
		})
	}
	t.Run("an object cache whose pod is deleted", func(t *testing.T) {
		before := c.Has(t, flamev1alpha1.ComponentObjectCache, 1)
		deletePod(t, c.Namespace, naming.ObjectCache(c.Name)+"-0")
		eventually(t, "it is replaced", isReplaced(t, c, flamev1alpha1.ComponentObjectCache, before))
		c.Settled(t)
	})
	assert.Equal(t, sessionManager, c.Living(t, flamev1alpha1.ComponentSessionManager), "the session manager is not concerned")

	// Whoever is connected to a session manager that vanishes may take as long to
	// notice as TCP does, so nothing is said of executor managers after this.
	t.Run("a session manager whose pod is deleted", func(t *testing.T) {
		deletePod(t, c.Namespace, naming.SessionManager(c.Name))
		eventually(t, "it is replaced", isReplaced(t, c, flamev1alpha1.ComponentSessionManager, sessionManager))
		c.Says(t, flamev1alpha1.ConditionSessionManagerReady, metav1.ConditionTrue, flamev1alpha1.ReasonReady)
	})
}

// isReplaced checks that as many other pods of a component live as did before.
func isReplaced(t *testing.T, c flameCluster, component string, before uids) func(context.Context) error {
	return func(context.Context) error {
		if now := c.Living(t, component); len(now) != len(before) || now.Overlaps(before) {
			return fmt.Errorf("there were %v, and there are %v", before, now)
		}
		return nil
	}
}

// anyOf returns one of the names.
func anyOf(pods uids) string {
	for name := range pods {
		return name
	}
	return ""
}
