// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package archive makes container images of one layer, without Docker and
// without a base image. The same input gives the same bytes: there are no
// timestamps, every file belongs to root, and entries are sorted.
package archive

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec says what an image holds and how it is run.
type Spec struct {
	Entries      []Entry
	Entrypoint   []string
	User         string
	Env          []string
	WorkingDir   string
	Labels       map[string]string
	Architecture string
}

// Build makes the image that spec describes.
func Build(spec Spec) (v1.Image, error) {
	content, err := tarOf(spec.Entries)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
	if err != nil {
		return nil, fmt.Errorf("make the layer: %w", err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("append the layer: %w", err)
	}
	return configure(img, spec)
}

func configure(img v1.Image, spec Spec) (v1.Image, error) {
	old, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	file := old.DeepCopy()
	file.OS = "linux"
	file.Architecture = spec.Architecture
	file.Config = v1.Config{
		Entrypoint: spec.Entrypoint,
		User:       spec.User,
		Env:        spec.Env,
		WorkingDir: spec.WorkingDir,
		Labels:     spec.Labels,
	}
	img, err = mutate.ConfigFile(img, file)
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return img, nil
}

// Write puts img under its tags into a docker-archive at path, which appears
// there whole or not at all.
func Write(path string, img v1.Image, tags ...string) error {
	refs := make(map[name.Reference]v1.Image, len(tags))
	for _, tag := range tags {
		ref, err := name.NewTag(tag)
		if err != nil {
			return fmt.Errorf("tag %q: %w", tag, err)
		}
		refs[ref] = img
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	partial, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".partial-*")
	if err != nil {
		return err
	}
	defer os.Remove(partial.Name()) //nolint:errcheck // Only there to remove once something failed.
	if err := tarball.MultiRefWrite(refs, partial); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	if err := partial.Close(); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	if err := os.Chmod(partial.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(partial.Name(), path)
}
