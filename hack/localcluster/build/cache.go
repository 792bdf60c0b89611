// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Cache is where the binaries of all clones on a machine are.
type Cache struct {
	// Dir is the folder of the cache, outside every clone.
	Dir string
	// Source is the top of the project; empty, nothing can be built.
	Source string
	// Progress is told what goes on.
	Progress io.Writer
}

// DefaultDir returns the folder that a cache has when nobody says otherwise.
func DefaultDir() (string, error) {
	if dir := os.Getenv("FLAME_OPERATOR_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("set FLAME_OPERATOR_CACHE to a folder for what is built: %w", err)
	}
	return filepath.Join(user, "flame-operator"), nil
}

// Folder returns the folder that has the given binaries of set (all of them
// if none is named), after building those that are missing.
func (c Cache) Folder(ctx context.Context, set Set, binaries ...string) (string, error) {
	if len(binaries) == 0 {
		binaries = set.binaries()
	}
	if c.Source == "" {
		return "", fmt.Errorf("build %s: run this inside a clone of the project", set.Name)
	}
	env, err := toolchain(ctx, filepath.Join(c.Source, set.Module))
	if err != nil {
		return "", err
	}
	key, err := set.key(c.Source, env)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(c.Dir, "bin", set.Name+"-"+key)
	if len(missing(folder, binaries)) == 0 {
		return folder, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, folder+".lock", func() {
		fmt.Fprintf(c.Progress, "Another process builds %s; waiting for it.\n", set.Name)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	// Whoever held the lock may have built some of them.
	if wanted := missing(folder, binaries); len(wanted) > 0 {
		err = c.build(ctx, set, folder, wanted)
	}
	return folder, err
}

// Assets returns a folder with what envtest needs, for KUBEBUILDER_ASSETS.
func (c Cache) Assets(ctx context.Context) (string, error) {
	kubernetes, err := c.folderOf(ctx, Kubernetes, "kube-apiserver", "kubectl")
	if err != nil {
		return "", err
	}
	etcd, err := c.folderOf(ctx, Etcd)
	if err != nil {
		return "", err
	}
	assets := filepath.Join(c.Dir, "bin", fmt.Sprintf("assets-%.12s", hashOf(kubernetes, etcd)))
	if err := os.MkdirAll(assets, 0o755); err != nil {
		return "", err
	}
	for _, binary := range []string{
		filepath.Join(kubernetes, "kube-apiserver"), filepath.Join(kubernetes, "kubectl"), filepath.Join(etcd, "etcd"),
	} {
		link := filepath.Join(assets, filepath.Base(binary))
		if err := os.Symlink(binary, link); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return assets, nil
}

func (c Cache) folderOf(ctx context.Context, name string, binaries ...string) (string, error) {
	set, err := Find(name)
	if err != nil {
		return "", err
	}
	return c.Folder(ctx, set, binaries...)
}

// missing returns those of binaries that folder lacks.
func missing(folder string, binaries []string) []string {
	return slices.DeleteFunc(slices.Clone(binaries), func(name string) bool {
		info, err := os.Stat(filepath.Join(folder, name))
		return err == nil && info.Mode().IsRegular()
	})
}
