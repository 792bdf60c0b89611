// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

// Package docs_test holds documentation to what it speaks of.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	root = "../.."
	page = "docs/flame-workarounds.md"
)

var (
	// marker is a line of code that says which workaround lives there.
	marker   = regexp.MustCompile(`(?m)^\s*(?://|#)\s*Flame workaround:\s*(.*)$`)
	testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	kebab    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	quoted   = regexp.MustCompile("`([^`]+)`")
	issue    = regexp.MustCompile(`https://github\.com/xflops/flame/issues/\d+`)
	link     = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
)

// row is one workaround as the page tells of it.
type row struct {
	id, upstream string
	files, tests []string
}

func TestEachWorkaroundHasAPlaceInTheCodeAndATest(t *testing.T) {
	marked, tests := markers(t), testFuncs(t)
	for _, row := range rows(t) {
		t.Run(row.id, func(t *testing.T) {
			assert.NotEmpty(t, marked[row.id], "no line of code says %q", "Flame workaround: "+row.id)
			assert.Subset(t, row.files, marked[row.id], "the row has to name the files with its lines")
			for _, file := range row.files {
				assert.FileExists(t, filepath.Join(root, file))
			}
			assert.NotEmpty(t, row.tests, "no test would fail when the workaround does")
			assert.Subset(t, tests, row.tests)
			assert.True(t, issue.MatchString(row.upstream) || strings.Contains(row.upstream, "not reported") || strings.Contains(row.upstream, "gone after"),
				"upstream is an issue of xflops/flame, %q or the version in which it is gone: %q", "not reported", row.upstream)
		})
	}
}

func TestEachMarkedWorkaroundHasARow(t *testing.T) {
	var told []string
	for _, row := range rows(t) {
		assert.NotContains(t, told, row.id, "two rows of one ID")
		told = append(told, row.id)
	}
	for id, files := range markers(t) {
		assert.Contains(t, told, id, "%v have a line that %s has no row for", files, page)
	}
}

func TestLinksOfTheWorkaroundsLeadThereAndBack(t *testing.T) {
	for _, found := range link.FindAllStringSubmatch(read(t, page), -1) {
		target := found[1]
		if strings.HasPrefix(target, "https://") {
			continue
		}
		text := read(t, filepath.Join(filepath.Dir(page), target))
		if strings.HasPrefix(target, "adr/") {
			assert.True(t, strings.Contains(text, "](../"+filepath.Base(page)+")"), "%s has to say where its workarounds are listed", target)
		}
	}
}

// rows reads the tables of workarounds, which stand before what is about the future.
func rows(t *testing.T) []row {
	t.Helper()
	var rows []row
	tables, _, found := strings.Cut(read(t, page), "\n## When Flame makes its own pods\n")
	require.True(t, found)
	for line := range strings.Lines(tables) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		require.Len(t, cells, 6, line)
		id := strings.Trim(cells[0], " `")
		require.Regexp(t, kebab, id)
		for _, cell := range cells {
			require.NotEmpty(t, strings.TrimSpace(cell), line)
		}
		r := row{id: id, upstream: cells[3]}
		for _, name := range quoted.FindAllStringSubmatch(cells[4], -1) {
			if strings.HasPrefix(name[1], "Test") {
				r.tests = append(r.tests, name[1])
			} else {
				r.files = append(r.files, name[1])
			}
		}
		rows = append(rows, r)
	}
	require.Greater(t, len(rows), 30, "the page has other tables than the test reads")
	return rows
}

// markers returns the files that have a marker, by its ID.
func markers(t *testing.T) map[string][]string {
	t.Helper()
	marked := map[string][]string{}
	for _, dir := range []string{"main.go", "api", "controllers", "internal", "config", "hack"} {
		walk(t, dir, func(path, text string) {
			for _, found := range marker.FindAllStringSubmatch(text, -1) {
				id := strings.TrimSpace(found[1])
				assert.Regexp(t, kebab, id, "the marker in %s", path)
				if !slices.Contains(marked[id], path) {
					marked[id] = append(marked[id], path)
				}
			}
		})
	}
	return marked
}

func testFuncs(t *testing.T) []string {
	t.Helper()
	var tests []string
	for _, dir := range []string{"api", "controllers", "internal", "hack", "test"} {
		walk(t, dir, func(path, text string) {
			if !strings.HasSuffix(path, "_test.go") {
				return
			}
			for _, found := range testFunc.FindAllStringSubmatch(text, -1) {
				tests = append(tests, found[1])
			}
		})
	}
	return tests
}

// walk visits what is written by hand, not what is built beside it.
func walk(t *testing.T, dir string, visit func(path, text string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if ext := filepath.Ext(path); slices.Contains([]string{".go", ".sh", ".yaml", ""}, ext) {
			relative, err := filepath.Rel(root, path)
			require.NoError(t, err)
			visit(relative, read(t, relative))
		}
		return nil
	}))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}
