// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// tarOf writes the entries, and the directories above them that nobody named, as a tar.
func tarOf(entries []Entry) ([]byte, error) {
	entries, err := withParents(entries)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, entry := range entries {
		if err := writeEntry(w, entry); err != nil {
			return nil, fmt.Errorf("add %q: %w", entry.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

// withParents returns the entries sorted, so that a directory comes before what it holds.
func withParents(entries []Entry) ([]Entry, error) {
	byPath := map[string]Entry{}
	for _, entry := range entries {
		old, twice := byPath[entry.Path]
		if twice && !(old.Mode.IsDir() && entry.Mode.IsDir()) {
			return nil, fmt.Errorf("%q is given twice", entry.Path)
		}
		byPath[entry.Path] = entry
	}
	for _, entry := range entries {
		for parent := path.Dir(entry.Path); parent != "/"; parent = path.Dir(parent) {
			if _, named := byPath[parent]; !named {
				byPath[parent] = Entry{Path: parent, Mode: fs.ModeDir | 0o755}
			}
		}
	}
	delete(byPath, "/")
	all := make([]Entry, 0, len(byPath))
	for _, entry := range byPath {
		all = append(all, entry)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func writeEntry(w *tar.Writer, entry Entry) error {
	header := &tar.Header{
		Name:   strings.TrimPrefix(entry.Path, "/"),
		Mode:   int64(entry.Mode.Perm()),
		Format: tar.FormatPAX,
	}
	if entry.Mode&fs.ModeSticky != 0 {
		header.Mode |= 0o1000
	}
	switch {
	case entry.Mode.IsDir():
		header.Typeflag = tar.TypeDir
		header.Name += "/"
		return w.WriteHeader(header)
	case entry.Mode&fs.ModeSymlink != 0:
		header.Typeflag = tar.TypeSymlink
		header.Linkname = entry.Target
		return w.WriteHeader(header)
	}
	file, err := os.Open(entry.Source)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Typeflag = tar.TypeReg
	header.Size = info.Size()
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}
