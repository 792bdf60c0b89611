// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package desired

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	flamev1alpha1 "github.com/xflops/flame-operator/api/v1alpha1"
	"github.com/xflops/flame-operator/internal/podstate"
	"github.com/xflops/flame-operator/internal/storage"
	"github.com/xflops/flame-operator/test/clusters"
)

func TestTheMemoryOfASessionManagerBeginsWithItsStorage(t *testing.T) {
	created, started := time.Unix(1000, 0), time.Unix(2000, 0)
	for name, test := range map[string]struct {
		kept    flamev1alpha1.SessionManagerStorage
		forgets bool
		want    time.Time
	}{
		"a claim":                           {flamev1alpha1.SessionManagerStorage{ExistingClaim: "x"}, false, time.Time{}},
		"another claim than before":         {flamev1alpha1.SessionManagerStorage{ExistingClaim: "x"}, true, created},
		"files that live as long as a pod":  {flamev1alpha1.SessionManagerStorage{}, false, created},
		"such files after a claim":          {flamev1alpha1.SessionManagerStorage{}, true, created},
		"nothing but a process":             {flamev1alpha1.SessionManagerStorage{Type: flamev1alpha1.StorageNone}, true, started},
		"a URI, which may lead to anything": {flamev1alpha1.SessionManagerStorage{Type: flamev1alpha1.StorageNone, URISecretRef: &flamev1alpha1.SecretKeyReference{}}, false, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, StateSince(test.kept, podstate.Pod{CreatedAt: created, StartedAt: started, Forgets: test.forgets}))
		})
	}
}

func TestAStorageIsAnotherByItsClaimItsEngineOrItsURI(t *testing.T) {
	note := func(change func(*flamev1alpha1.SessionManagerStorage), uri string) string {
		cluster := clusters.Parse(t, clusters.Minimal)
		change(&cluster.Spec.SessionManager.Storage)
		objects, err := Build(cluster, Inputs{StorageURI: uri})
		require.NoError(t, err)
		return objects.SessionManager.Annotations[flamev1alpha1.AnnotationStorage]
	}
	claim := func(s *flamev1alpha1.SessionManagerStorage) { s.ExistingClaim = "x" }
	notes := map[string]bool{
		note(func(*flamev1alpha1.SessionManagerStorage) {}, ""): true,
		note(claim, ""): true,
		note(func(s *flamev1alpha1.SessionManagerStorage) { s.ExistingClaim = "y" }, ""):                          true,
		note(func(s *flamev1alpha1.SessionManagerStorage) { claim(s); s.Type = flamev1alpha1.StorageSQLite }, ""): true,
		note(claim, "fs:///var/lib/flame/a"): true,
		note(claim, "fs:///var/lib/flame/b"): true,
	}
	assert.Len(t, notes, 6)
	assert.True(t, notes[note(func(s *flamev1alpha1.SessionManagerStorage) {
		claim(s)
		s.WhenDeleted = flamev1alpha1.WhenDeletedDelete
	}, "")])
}

func TestAClusterNamesTheClaimsThatItUses(t *testing.T) {
	cluster := clusters.Parse(t, clusters.MinimalWithCache)
	assert.Empty(t, Claims(cluster))
	cluster.Spec.SessionManager.Storage.ExistingClaim = "mine"
	assert.Equal(t, []storage.Wanted{{Name: "mine", Field: storage.FieldExisting, Component: flamev1alpha1.ComponentSessionManager}}, Claims(cluster))

	template, replicas := &corev1.PersistentVolumeClaimSpec{}, int32(2)
	cluster.Spec.SessionManager.Storage = flamev1alpha1.SessionManagerStorage{VolumeClaimTemplate: template}
	cluster.Spec.ObjectCache.Storage.VolumeClaimTemplate, cluster.Spec.ObjectCache.Replicas = template, &replicas
	assert.Equal(t, []storage.Wanted{
		{Name: "c-session-manager", Field: storage.FieldTemplate, Component: flamev1alpha1.ComponentSessionManager, Template: template},
		{Name: "objects-c-object-cache-0", Field: storage.FieldCacheTemplate, Component: flamev1alpha1.ComponentObjectCache, Template: template},
		{Name: "objects-c-object-cache-1", Field: storage.FieldCacheTemplate, Component: flamev1alpha1.ComponentObjectCache, Template: template},
	}, Claims(cluster))
}
