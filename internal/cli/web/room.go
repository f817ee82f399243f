package web

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// room serves the requests of the page.
type room struct {
	ctx  context.Context // ends with the server, and every call with it
	desk Desk
	now  func() time.Time
	feed *feed

	running sync.WaitGroup

	mu    sync.Mutex
	calls map[int]context.CancelFunc // those that run
	next  int
	files map[string]File
}

func newRoom(ctx context.Context, desk Desk, now func() time.Time) *room {
	return &room{ctx: ctx, desk: desk, now: now, feed: newFeed(), calls: map[int]context.CancelFunc{}, files: map[string]File{}}
}

// stamp is the time as events carry it.
func (r *room) stamp() string { return r.now().UTC().Format(time.RFC3339) }

// offer makes a file available for download, and returns its id.
func (r *room) offer(file File) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := strconv.Itoa(len(r.files) + 1)
	r.files[id] = file
	return id
}

// begin begins a call, which continues when the request has ended.
func (r *room) begin(w http.ResponseWriter, line string, run func(ctx context.Context, told *Telling)) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.mu.Lock()
	r.next++
	call := r.next
	r.calls[call] = cancel
	r.mu.Unlock()
	r.feed.publish("call", map[string]any{"call": call, "line": line, "at": r.stamp()})
	r.running.Go(func() {
		defer r.end(call)
		run(ctx, &Telling{r, call})
	})
	answer(w, http.StatusAccepted, map[string]int{"call": call})
}

func (r *room) end(call int) {
	r.mu.Lock()
	cancel := r.calls[call]
	delete(r.calls, call)
	r.mu.Unlock()
	cancel()
	r.feed.publish("ended", map[string]any{"call": call, "at": r.stamp()})
}

// run runs a line. On a tenant that is not simulated, a command that executes something must be confirmed, whatever the
// page thinks of it.
func (r *room) run(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		Line      string `json:"line"`
		Confirmed bool   `json:"confirmed"`
	}
	if !read(w, request, &asked) {
		return
	}
	call, err := r.desk.Understand(asked.Line)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if call.Executes && !r.confirmed(w, asked.Confirmed) {
		return
	}
	r.begin(w, call.Line, call.Run)
}

// confirmed reports whether something that changes the tenant may proceed. A tenant that is not simulated wants it confirmed.
func (r *room) confirmed(w http.ResponseWriter, confirmed bool) bool {
	about := r.desk.About()
	if about.Simulated || confirmed {
		return true
	}
	answer(w, http.StatusConflict, map[string]string{
		"confirm": fmt.Sprintf("This changes something in %s, which is not a simulated tenant. Continue?", about.Tenant),
	})
	return false
}

// stop stops a call that is running or waiting. What it has started in the tenant continues.
func (r *room) stop(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		Call int `json:"call"`
	}
	if !read(w, request, &asked) {
		return
	}
	r.mu.Lock()
	cancel, runs := r.calls[asked.Call]
	r.mu.Unlock()
	if !runs {
		refuse(w, http.StatusNotFound, "This command has ended already.")
		return
	}
	cancel()
	answer(w, http.StatusOK, struct{}{})
}

func (r *room) complete(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		Command  string `json:"command"`
		Argument string `json:"argument"`
		Typed    string `json:"typed"`
	}
	if read(w, request, &asked) {
		answer(w, http.StatusOK, r.desk.Complete(request.Context(), asked.Command, asked.Argument, asked.Typed))
	}
}

func (r *room) closeIncident(w http.ResponseWriter, request *http.Request) {
	id := request.PathValue("id")
	var asked struct {
		Confirmed bool `json:"confirmed"`
	}
	// Mirroring takes the close to the tenant.
	if !read(w, request, &asked) || !r.confirmed(w, asked.Confirmed) {
		return
	}
	r.begin(w, "Close incident "+id, func(ctx context.Context, told *Telling) {
		if err := r.desk.CloseIncident(ctx, id, told); err != nil {
			told.Failed(err.Error())
		}
	})
}

// download sends a file as one to be saved: whatever it is, the browser does not show it.
func (r *room) download(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	file, offered := r.files[request.PathValue("id")]
	r.mu.Unlock()
	if !offered {
		refuse(w, http.StatusNotFound, "No entry offers this file.")
		return
	}
	content, err := file.Open()
	if err != nil {
		refuse(w, http.StatusNotFound, "The file is no longer where it was saved.")
		return
	}
	defer content.Close()
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": filepath.Base(file.Name)}))
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = io.Copy(w, content) // a browser that is gone needs no file
}

// events sends the feed as server-sent events, from the one that the page has seen last.
func (r *room) events(w http.ResponseWriter, request *http.Request) {
	seen, _ := strconv.Atoi(request.Header.Get("Last-Event-ID")) // 0 for a page that was loaded just now
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for {
		events, more, open := r.feed.since(seen)
		for _, one := range events {
			if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", one.number, one.kind, one.data); err != nil {
				return
			}
			seen = one.number
		}
		if !open || out.Flush() != nil {
			return
		}
		select {
		case <-request.Context().Done():
			return
		case <-more:
		}
	}
}
