// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/xflops/flame-operator/test/apiserver"
)

func TestANewClusterNeedsNoSurvey(t *testing.T) {
	b := newBench(t)
	b.list(b.fleet())
	b.create(b.fleet(), 1)
	b.create(b.fleet(), 1)
	assert.Zero(t, b.Requests.Count(http.MethodGet))
}

func TestCreationStartsSlowlyAndStopsWhenItFails(t *testing.T) {
	tests := map[string]struct{ allowed, wantTried int }{
		"nothing works":                    {0, 1},
		"the first works":                  {1, 3},
		"a batch works in part":            {5, 7},
		"what works in the end goes on":    {30, 31},
		"in a batch no further than it is": {35, 60},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			var posts atomic.Int32
			b.Requests.Intercept = func(request *http.Request) (*http.Response, error) {
				if request.Method == http.MethodPost && int(posts.Add(1)) > test.allowed {
					return answer(http.StatusForbidden, `{"kind":"Status","status":"Failure","reason":"Forbidden","code":403,"message":"exceeded quota"}`), nil
				}
				return nil, nil
			}
			err := b.pods.Create(t.Context(), b.fleet(), b.templates(60))
			require.True(t, apierrors.IsForbidden(err), "%v", err)
			assert.ErrorContains(t, err, "exceeded quota")
			assert.Equal(t, test.wantTried, int(posts.Load()))
			assert.Len(t, b.list(b.fleet()), test.allowed, "what was refused does not count")
		})
	}
}

func TestACreationSoonAfterOneThatWentWellStartsAtItsPace(t *testing.T) {
	tests := map[string]struct {
		later time.Duration
		// between makes a creation between two others fail.
		between   bool
		wantTried int
	}{
		"at once":                {0, false, 20},
		"some time later":        {pace, false, 1},
		"after one that did not": {0, true, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.create(b.fleet(), 20)
			b.Requests.Intercept = func(request *http.Request) (*http.Response, error) {
				if request.Method == http.MethodPost {
					return answer(http.StatusForbidden, `{"kind":"Status","status":"Failure","reason":"Forbidden","code":403}`), nil
				}
				return nil, nil
			}
			if test.between {
				require.Error(t, b.pods.Create(t.Context(), b.fleet(), b.templates(1)))
			}
			b.Requests.Taken()
			b.clock = b.clock.Add(test.later)
			require.Error(t, b.pods.Create(t.Context(), b.fleet(), b.templates(60)))
			assert.Equal(t, test.wantTried, b.Requests.Count(http.MethodPost))
		})
	}
}

func answer(code int, body string) *http.Response {
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: readCloser{strings.NewReader(body)},
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestAPodWhoseCreationIsInDoubtCountsUntilTheServerDeniesIt(t *testing.T) {
	for name, exists := range map[string]bool{"the answer was lost": true, "the request was lost": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if exists {
				b.Requests.Lose = func(request *http.Request) bool { return request.Method == http.MethodPost }
			} else {
				b.Requests.Intercept = func(request *http.Request) (*http.Response, error) {
					if request.Method == http.MethodPost {
						return nil, apiserver.ErrLost
					}
					return nil, nil
				}
			}
			require.ErrorIs(t, b.pods.Create(t.Context(), b.fleet(), b.templates(4)), apiserver.ErrLost)
			b.Requests.Intercept = nil
			require.Len(t, b.list(b.fleet()), 1, "it counts")
			assert.Equal(t, 1, b.Requests.Count(http.MethodPost), "and nothing was asked yet")
			assert.Equal(t, grace, b.pods.Recheck())

			b.clock = b.clock.Add(grace)
			pods := b.list(b.fleet())
			assert.Equal(t, exists, len(pods) == 1)
			assert.Equal(t, []string{"GET"}, methods(b.Requests.Taken()))
			for _, pod := range pods {
				assert.NotEmpty(t, pod.UID)
			}
		})
	}
}

func TestAPodInDoubtCanBeDeleted(t *testing.T) {
	b := newBench(t)
	b.Requests.Lose = func(request *http.Request) bool { return request.Method == http.MethodPost }
	require.Error(t, b.pods.Create(t.Context(), b.fleet(), b.templates(1)))
	doubtful := b.list(b.fleet())
	require.Empty(t, doubtful[0].UID)
	require.NoError(t, b.pods.Delete(t.Context(), doubtful))
	live, gone := names(b.list(b.fleet()))
	assert.Empty(t, live)
	assert.Len(t, gone, 1)
	b.clock = b.clock.Add(grace)
	assert.Empty(t, b.list(b.fleet()), "it is gone indeed")
}

func methods(requests []string) []string {
	list := make([]string, len(requests))
	for i, request := range requests {
		list[i], _, _ = strings.Cut(request, " ")
	}
	return list
}

func TestANameThatIsTakenIsNotUsedTwice(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.Requests.Intercept = func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodPost {
			return nil, nil
		}
		if tries++; tries > 2 {
			return nil, nil
		}
		return answer(http.StatusConflict, `{"kind":"Status","status":"Failure","reason":"AlreadyExists","code":409,"message":"exists"}`), nil
	}
	created := b.create(b.fleet(), 1)
	assert.Equal(t, 3, tries)
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{created[0].Name}, live)
}

func TestARestartedOperatorFindsPodsThatNoCacheShows(t *testing.T) {
	b := newBench(t)
	created := b.create(b.fleet(), 3)
	want, _ := names(created)
	b.Patch(created[0].DeepCopy(), `{"metadata":{"labels":null}}`)
	b.show()
	b.restart()
	require.Len(t, b.list(b.fleet()), 2)
	b.Requests.Taken()

	require.ErrorIs(t, b.pods.Create(t.Context(), b.fleet(), b.templates(1)), ErrOutdated)
	assert.Equal(t, []string{"GET pods"}, b.Requests.Taken(), "nothing is created")
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, want, live)
	assert.Equal(t, ours, apiserver.Get(b.Bench, created[0].Name, &corev1.Pod{}).Labels)

	b.Requests.Taken()
	b.create(b.fleet(), 1)
	assert.Equal(t, []string{"POST pods"}, b.Requests.Taken(), "it looks only once")
}

func TestANameThatIsTakenByOneOfTheFleetIsNotUsedTwice(t *testing.T) {
	b := newBench(t)
	rand.Seed(1)
	first := b.create(b.fleet(), 1)[0]
	rand.Seed(1)
	second := b.create(b.fleet(), 1)[0]
	assert.NotEqual(t, first.Name, second.Name)
	assert.Len(t, b.list(b.fleet()), 2)
}

func TestANameThatIsTakenByAnUnknownPodOfTheFleetIsOurOwnDoing(t *testing.T) {
	b := newBench(t)
	rand.Seed(2)
	ghost := b.template()
	ghost.Name = "c-worker-" + rand.String(5)
	require.NoError(t, b.Users.Create(t.Context(), ghost))
	rand.Seed(2)
	b.create(b.fleet(), 1)
	assert.Equal(t, []string{"POST pods", "GET " + ghost.Name}, b.Requests.Taken())
	live, _ := names(b.list(b.fleet()))
	assert.Equal(t, []string{ghost.Name}, live)
}
