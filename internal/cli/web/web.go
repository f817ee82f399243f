// Package web serves a War Room in the browser: a command line, the entries as the platform shows them, the context, the
// incidents, and the portal of a simulated tenant next to them. It serves one person on this machine and nobody else.
package web

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"
)

// About says what the page works on.
type About struct {
	// Instance is the name of the integration instance, and Tenant the host of its API.
	Instance string `json:"instance"`
	Tenant   string `json:"tenant"`
	// Simulated reports whether the tenant is the one inside this program. On any other tenant a command that executes
	// something asks for confirmation, and there is no portal.
	Simulated bool `json:"simulated"`
}

// Command is a command as the page completes it.
type Command struct {
	Name      string     `json:"name"`
	Help      string     `json:"help"`
	Arguments []Argument `json:"arguments"`
}

// Argument is an argument of a Command.
type Argument struct {
	Name   string   `json:"name"`
	Help   string   `json:"help"`
	Values []string `json:"values,omitempty"`
	// Looked reports whether Desk.Complete finds values of the argument in the tenant.
	Looked bool `json:"looked,omitempty"`
}

// Completion is a value of an argument, with what a person knows it by.
type Completion struct {
	Value string `json:"value"`
	Help  string `json:"help"`
}

// Entry is an entry of the War Room.
type Entry struct {
	// Kind is note, warning, error or file.
	Kind string `json:"kind"`
	// Markdown is the readable part, as the platform is given it. The text of an error is plain.
	Markdown string `json:"markdown,omitempty"`
	Text     string `json:"text,omitempty"`
	File     *File  `json:"file,omitempty"`
}

// File is a file that an entry offers for download.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// ID is the name under which /files serves it; Telling.Entries sets it.
	ID string `json:"id"`
	// Open opens the file.
	Open func() (io.ReadCloser, error) `json:"-"`
}

// Call is a line of the command line that was understood.
type Call struct {
	// Line is the line as it is shown.
	Line string
	// Executes reports whether the command does something that an analyst may not want done.
	Executes bool
	// Run runs the command until it is done, with everything that it schedules, and tells the feed about it.
	Run func(ctx context.Context, told *Telling)
}

// Incident is an incident that was fetched.
type Incident struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Occurred string  `json:"occurred"`
	Severity float64 `json:"severity"`
	Closed   bool    `json:"closed"`
	// Fields are as they were fetched, and Mirrored are the fields that follow Microsoft Defender, with the comments that came from there.
	Fields   json.RawMessage   `json:"fields"`
	Mirrored map[string]string `json:"mirrored,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
}

// Desk runs the commands of the page.
type Desk interface {
	About() About
	Commands() []Command
	// Understand reads a line. Its error says what is wrong with it.
	Understand(line string) (Call, error)
	// Complete returns values of an argument that begin with what was typed.
	Complete(ctx context.Context, command, argument, typed string) []Completion
	// Fetch fetches incidents once.
	Fetch(ctx context.Context, told *Telling)
	// Mirror goes once through what changed on either side, and tells what it did.
	Mirror(ctx context.Context, told *Telling)
	// CloseIncident closes an incident on the side of the page.
	CloseIncident(ctx context.Context, id string, told *Telling) error
	// Incidents returns all incidents, the newest first, and Context the context as one JSON object.
	Incidents() []Incident
	Context() json.RawMessage
	// Portal returns what the portal of a simulated tenant shows, and nil for any other tenant.
	Portal() json.RawMessage
}

// Options configure the server of the page.
type Options struct {
	Desk Desk
	// Port is the port of the loopback address to listen on; 0 is any free one.
	Port   int
	Now    func() time.Time
	Random io.Reader
	// Ready is called with the address to open, which works in one browser.
	Ready func(address string)
}

//go:embed page
var page embed.FS

// Limits of what a browser may send.
const (
	largestBody    = 1 << 20 // bytes
	largestHeader  = 64 << 10
	headerTimeout  = 10 * time.Second
	shutdownPeriod = 2 * time.Second
)

// Serve serves the page until ctx ends.
func Serve(ctx context.Context, o Options) error {
	// Always loopback, by its number: a name could lead elsewhere.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		return fmt.Errorf("listening for the browser: %w", err)
	}
	address := listener.Addr().String()
	guard, token, err := newGuard(address, o.Random)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	room := newRoom(ctx, o.Desk, o.Now)
	defer room.running.Wait()
	defer stop()
	server := &http.Server{
		Handler: guard.over(room.routes()), ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: largestHeader,
		ErrorLog: log.New(io.Discard, "", 0), // what other programs send is of no interest to the user
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	o.Ready("http://" + address + "/?token=" + token)
	select {
	case err = <-ended:
		err = fmt.Errorf("serving the page: %w", err)
	case <-ctx.Done():
		room.feed.close()
		err = end(context.WithoutCancel(ctx), server, shutdownPeriod)
	}
	return err
}

// end ends a server. It cuts off the answers that are not sent within patience.
func end(ctx context.Context, server *http.Server, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if server.Shutdown(ctx) == nil {
		return nil
	}
	return server.Close()
}

// routes are the addresses of the page.
func (r *room) routes() http.Handler {
	mux := http.NewServeMux()
	// The types are written here: what a system knows of extensions may be wrong, and a browser that must not guess then
	// takes no script.
	const html, css, script, image = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml"
	for _, file := range []struct{ path, name, kind string }{
		{"/{$}", "index.html", html},
		{"/room.css", "room.css", css},
		{"/room.js", "room.js", script},
		{"/icon.svg", "icon.svg", image},
		{"/markdown-it/markdown-it.umd.min.js", "markdown-it/markdown-it.umd.min.js", script},
	} {
		text, err := page.ReadFile("page/" + file.name)
		if err != nil {
			panic(err) // a mistake in this package: these are its own files
		}
		mux.HandleFunc("GET "+file.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", file.kind)
			_, _ = w.Write(text) // a browser that is gone needs no page
		})
	}
	mux.HandleFunc("GET /api/about", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, struct {
			About

			Commands []Command `json:"commands"`
		}{r.desk.About(), r.desk.Commands()})
	})
	mux.HandleFunc("GET /api/events", r.events)
	mux.HandleFunc("GET /api/context", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, r.desk.Context()) })
	mux.HandleFunc("GET /api/incidents", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, r.desk.Incidents()) })
	mux.HandleFunc("GET /api/portal", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, r.desk.Portal()) })
	mux.HandleFunc("GET /files/{id}", r.download)
	mux.HandleFunc("POST /api/complete", r.complete)
	mux.HandleFunc("POST /api/run", r.run)
	mux.HandleFunc("POST /api/stop", r.stop)
	mux.HandleFunc("POST /api/fetch", func(w http.ResponseWriter, _ *http.Request) { r.begin(w, "Fetch incidents", r.desk.Fetch) })
	mux.HandleFunc("POST /api/mirror", func(w http.ResponseWriter, _ *http.Request) { r.begin(w, "Mirror", r.desk.Mirror) })
	mux.HandleFunc("POST /api/incidents/{id}/close", r.closeIncident)
	return mux
}

// answer sends JSON.
func answer(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a browser that is gone needs no answer
}

// refuse answers with what is wrong.
func refuse(w http.ResponseWriter, status int, reason string) {
	answer(w, status, map[string]string{"error": reason})
}

// read reads the JSON body of a request, or refuses it.
func read(w http.ResponseWriter, request *http.Request, into any) bool {
	if kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "the body must be JSON")
		return false
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, request.Body, largestBody)).Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON that is expected")
		return false
	}
	return true
}
