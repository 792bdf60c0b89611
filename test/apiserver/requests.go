// SPDX-FileCopyrightText: The Flame Authors
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"errors"
	"net/http"
	"strings"
	"sync"
)

// Requests notes what is asked of the API server, and lets requests fail.
type Requests struct {
	mu   sync.Mutex
	list []string
	// Intercept answers a request instead of the API server, or returns nil, nil.
	Intercept func(*http.Request) (*http.Response, error)
	// Lose has the answer to a request be lost.
	Lose func(*http.Request) bool
}

func (r *Requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := r.note(request)
		if response != nil || err != nil {
			return response, err
		}
		response, err = next.RoundTrip(request)
		if err == nil && r.Lose != nil && r.Lose(request) {
			_ = response.Body.Close()
			return nil, ErrLost
		}
		return response, err
	})
}

func (r *Requests) note(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if len(path) > 3 { // The others ask which kinds there are.
		r.list = append(r.list, request.Method+" "+path[len(path)-1])
	}
	if r.Intercept == nil {
		return nil, nil
	}
	return r.Intercept(request)
}

// Taken returns what was asked since the last time.
func (r *Requests) Taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// Count returns how often a method was used since the last time.
func (r *Requests) Count(method string) int {
	count := 0
	for _, request := range r.Taken() {
		if strings.HasPrefix(request, method+" ") {
			count++
		}
	}
	return count
}

// ErrLost is what a client says whose answer is lost.
var ErrLost = errors.New("the connection broke")

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
