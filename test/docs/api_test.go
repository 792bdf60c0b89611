// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told are the constants of the API that users meet, by how their names begin.
var told = regexp.MustCompile(`^(Condition|Reason|Event|Label|Annotation|Gate|Component|State)[A-Z]`)

func TestWhatUsersMeetIsInTheDocumentation(t *testing.T) {
	page := read(t, "docs/flamecluster.md")
	words := constants(t)
	require.Greater(t, len(words), 50)
	for name, value := range words {
		assert.Contains(t, page, "`"+value+"`", "%s is not told of", name)
	}
}

// The tables under these headings have reasons in their first column.
func TestTheDocumentationTellsOfNoReasonThatIsNoMore(t *testing.T) {
	known := map[string]bool{}
	for _, value := range constants(t) {
		known[value] = true
	}
	page := read(t, "docs/flamecluster.md")
	for _, heading := range []string{"| condition |", "| reason |", "| event |", "| label |", "| annotation |"} {
		_, table, found := strings.Cut(page, "\n"+heading)
		require.True(t, found, heading)
		table, _, _ = strings.Cut(table, "\n\n")
		rows := strings.Split(table, "\n")[2:]
		require.NotEmpty(t, rows)
		for _, row := range rows {
			first, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, word := range quoted.FindAllStringSubmatch(first, -1) {
				assert.True(t, known[word[1]], "%q in the table %q is no constant of the API", word[1], heading)
			}
		}
	}
}

// constants are those of the API by their names.
func constants(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "api/v1alpha1/*.go"))
	require.NoError(t, err)
	values := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, name := range spec.Names {
				if i < len(spec.Values) && told.MatchString(name.Name) {
					if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.STRING {
						values[name.Name], err = strconv.Unquote(literal.Value)
						require.NoError(t, err)
					}
				}
			}
			return false
		})
	}
	return values
}
