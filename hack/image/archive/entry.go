// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Entry is a file, a directory or a symbolic link of an image.
type Entry struct {
	// Path is where it is in the image: absolute and clean.
	Path string
	// Mode holds the type, the permissions and the sticky bit.
	Mode fs.FileMode
	// Source is the file that has the content of a regular file.
	Source string
	// Target is what a symbolic link points to.
	Target string
}

// ParseFile reads SRC:DST[:MODE]. A folder is taken with all that is in it.
// Without MODE, a file that somebody may execute is 0755 and any other 0644,
// so that the umask of whoever built it makes no difference.
func ParseFile(arg string) ([]Entry, error) {
	parts := strings.Split(arg, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, fmt.Errorf("%q is not SOURCE:DESTINATION[:MODE]", arg)
	}
	source, destination := parts[0], parts[1]
	var mode *fs.FileMode
	if len(parts) == 3 {
		given, err := parseMode(parts[2])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", arg, err)
		}
		mode = &given
	}
	var entries []Entry
	err := filepath.WalkDir(source, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		entry, err := entryOf(file, path.Join(destination, filepath.ToSlash(relative)), mode)
		if err != nil {
			return err
		}
		entries = append(entries, entry)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%q: %w", arg, err)
	}
	return entries, nil
}

func entryOf(file, destination string, mode *fs.FileMode) (Entry, error) {
	cleaned, err := clean(destination)
	if err != nil {
		return Entry{}, err
	}
	// Stat and not Lstat: a link to a binary of the host means the binary.
	info, err := os.Stat(file)
	if err != nil {
		return Entry{}, err
	}
	switch {
	case info.IsDir():
		return Entry{Path: cleaned, Mode: fs.ModeDir | 0o755}, nil
	case mode != nil:
		return Entry{Path: cleaned, Mode: *mode, Source: file}, nil
	case info.Mode()&0o111 != 0:
		return Entry{Path: cleaned, Mode: 0o755, Source: file}, nil
	default:
		return Entry{Path: cleaned, Mode: 0o644, Source: file}, nil
	}
}

// ParseDir reads DST:MODE.
func ParseDir(arg string) (Entry, error) {
	destination, octal, found := strings.Cut(arg, ":")
	if !found {
		return Entry{}, fmt.Errorf("%q is not DIRECTORY:MODE", arg)
	}
	cleaned, err := clean(destination)
	if err != nil {
		return Entry{}, err
	}
	mode, err := parseMode(octal)
	if err != nil {
		return Entry{}, fmt.Errorf("%q: %w", arg, err)
	}
	return Entry{Path: cleaned, Mode: fs.ModeDir | mode}, nil
}

// ParseLink reads TARGET:DST.
func ParseLink(arg string) (Entry, error) {
	target, destination, found := strings.Cut(arg, ":")
	if !found || target == "" {
		return Entry{}, fmt.Errorf("%q is not TARGET:DESTINATION", arg)
	}
	cleaned, err := clean(destination)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Path: cleaned, Mode: fs.ModeSymlink | 0o777, Target: target}, nil
}

func clean(destination string) (string, error) {
	if !path.IsAbs(destination) {
		return "", fmt.Errorf("%q is not an absolute path in the image", destination)
	}
	return path.Clean(destination), nil
}

// parseMode reads an octal mode as chmod does; 1777 is a sticky directory.
func parseMode(octal string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(octal, 8, 32)
	if err != nil || bits > 0o1777 {
		return 0, fmt.Errorf("%q is not an octal mode up to 1777", octal)
	}
	mode := fs.FileMode(bits & 0o777)
	if bits&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode, nil
}
