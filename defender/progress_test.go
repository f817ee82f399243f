package defender_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"xsoar-defender/defender"
)

// told are the lines that a progress was told.
type told []string

func (t *told) Listed(purpose string, items, limit, requests int) {
	*t = append(*t, fmt.Sprintf("%s: %d of %d, %d", purpose, items, limit, requests))
}

func (t *told) Exported(purpose string, records int64, part, parts int) {
	*t = append(*t, fmt.Sprintf("%s: %d records, part %d of %d", purpose, records, part, parts))
}

func (t *told) Downloaded(got, total int64) { *t = append(*t, fmt.Sprintf("%d of %d", got, total)) }

func TestProgressIsToldBetweenPages(t *testing.T) {
	for _, test := range []struct {
		limit int
		want  told
	}{
		{2, nil}, // one request brings all
		{5, told{"list machines: 2 of 5, 1", "list machines: 4 of 5, 2"}},
	} {
		var got told
		pages := serve(t, func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"": page(0, 2, "https://"+r.Host+"/api/machines?p=2"), "2": page(2, 2, "https://"+r.Host+"/api/machines?p=3"), "3": page(4, 1, "")}
			answerWith(w, http.StatusOK, next[r.URL.Query().Get("p")])
		})
		w := at(t, pages)
		w.Progress = &got
		if _, err := w.client().Machines(t.Context(), defender.Query{Limit: test.limit}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("with a limit of %d it was told %q, want %q", test.limit, got, test.want)
		}
	}
}

func TestProgressIsToldOfADownload(t *testing.T) {
	const size = 200_000
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		total   int
	}{
		{"with a length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write(make([]byte, size))
		}, size},
		{"without one", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, size/2))
			w.(http.Flusher).Flush()
			_, _ = io.Copy(w, bytes.NewReader(make([]byte, size/2)))
		}, -1},
	} {
		var got told
		store := serve(t, test.handler)
		w := at(t, store)
		w.Progress = &got
		if _, err := w.client().Download(t.Context(), store.URL+"/file", io.Discard, size); err != nil {
			t.Fatal(err)
		}
		first, last := fmt.Sprintf("0 of %d", test.total), fmt.Sprintf("%d of %d", size, test.total)
		if len(got) < 2 || got[0] != first || got[len(got)-1] != last {
			t.Errorf("%s: it was told %q, want %q first and %q last", test.name, got, first, last)
		}
	}
}
