// Package simulator is a Microsoft tenant inside one process: the Entra authority, the managed identity
// endpoint, the token proxy of the Cortex XSOAR application and the Defender for Endpoint API over a small
// company. The demonstration, the simulate command and the tests sign in and work against it as they would
// against the real service, without a network, without waiting and with the same outcome for the same seed.
//
// It listens on loopback only, and its secrets follow from the seed unless a source of randomness is given: it is no
// place for real data.
//
// Every process of the program has this package in it, and few use it. Its tables are therefore literals of constants,
// which the compiler lays out as data, or functions.
package simulator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"xsoar-defender/internal/system"
)

// maxBody is the most that the tenant reads of a request, in bytes. The largest upload there is, of a file
// for the live response library, may have 20 MB (https://learn.microsoft.com/defender-endpoint/api/upload-library).
const maxBody = 32 << 20

// Options say how a tenant starts. The zero value is a tenant of seed 0 on a free loopback port with the
// system's clock.
type Options struct {
	// Clock is the tenant's: tokens expire, machine actions move on and rates are counted by it, and scripted delays
	// wait on it. What is nil of it is the system's.
	system.Clock
	// Seed decides the identifiers, the secrets and the company's data.
	Seed uint64
	// Random is read once, at the start, and decides secrets, codes and tokens. Nil derives them from Seed.
	Random io.Reader
	// Listen is the address of the HTTPS server, "127.0.0.1:0" if empty. Another one than of loopback is refused with an
	// *AddressError: the tenant shows its secrets to anyone who reaches it. The managed identity endpoint always takes a free loopback port.
	Listen string
	// Size is the number of machines, at least 40. They are made when somebody first asks for them.
	Size int
	// Record keeps the answers of the API for Case.
	Record bool
	// State is read at the start, and what is done to the tenant is written to it: a tenant that starts with it is what the earlier
	// one was, with the same secrets, address and data. Nil keeps nothing.
	State io.ReadWriter
}

// Tenant is a running simulated tenant. Its methods may be called from several goroutines at once.
type Tenant struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	base        string // of authority, API and token proxy, without a final slash
	identityURL string
	tls         serverCertificate
	application func() (*applicationCertificate, error) // made when first needed: an RSA key takes a while
	privateKey  func() *rsa.PrivateKey                  // that tokens are signed with

	registration registration
	fixed        secrets
	company      *company
	authority    http.Handler
	identity     http.Handler
	control      http.Handler
	requests     requestLog
	faults       faultScript
	rates        rateWindows
	recording    bool

	state     state
	key       [32]byte                  // of the randomness
	ahead     atomic.Int64              // how far AdvanceClock moved the clock, in nanoseconds
	replaying atomic.Pointer[time.Time] // the time of what is done again; nil otherwise

	servers []*http.Server
	stop    context.CancelFunc
	serving sync.WaitGroup

	running struct { // the handlers at work, for Close to wait for
		sync.Mutex
		sync.WaitGroup
		closed bool
	}

	random struct {
		sync.Mutex
		source *rand.ChaCha8
	}

	mu       sync.Mutex // guards what follows
	settings settings
	grants   grants
}

// application describes the bearer of an accepted access token: an application with its roles, or, when
// User is set, a user with the scopes delegated to the application.
type application struct {
	ID     string
	Roles  []string
	Scopes []string
	User   string
}

// apiError is an answer of the API other than success.
type apiError struct {
	Status  int
	Code    string
	Message string
}

// Start makes a tenant and serves it until Close.
func Start(o Options) (*Tenant, error) {
	t := &Tenant{sleep: o.Sleep, recording: o.Record}
	if t.sleep == nil {
		t.sleep = system.Sleep
	}
	given := o.Now
	if given == nil {
		given = time.Now
	}
	t.now = func() time.Time {
		if then := t.replaying.Load(); then != nil {
			return *then
		}
		return given().Add(time.Duration(t.ahead.Load()))
	}
	if o.State != nil {
		if err := t.readState(&o); err != nil {
			return nil, err
		}
	}
	if err := t.seed(o); err != nil {
		return nil, err
	}
	main, identity, err := listen(cmp.Or(o.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	t.identityURL = "http://" + identity.Addr().String() + appServicePath
	if err := t.furnish(o, main.Addr().String()); err != nil {
		return nil, errors.Join(err, main.Close(), identity.Close())
	}

	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	t.serve(ctx, tls.NewListener(main, t.tls.config()), t.handle)
	t.serve(ctx, identity, func(w http.ResponseWriter, r *http.Request) { t.answer(w, r, KindIdentity) })
	return t, nil
}

// listen opens the address of the HTTPS server, and one for the managed identity endpoint.
func listen(address string) (main, identity net.Listener, err error) {
	if err := onLoopback(address); err != nil {
		return nil, nil, err
	}
	if main, err = net.Listen("tcp", address); err != nil {
		return nil, nil, fmt.Errorf("simulator: %w", err)
	}
	if identity, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("simulator: %w", err), main.Close())
	}
	return main, identity, nil
}

// furnish makes what the tenant consists of at its address, and does again what its state has.
func (t *Tenant) furnish(o Options, host string) (err error) {
	t.base = "https://" + host
	if t.tls, err = newServerCertificate(host); err != nil {
		return err
	}
	t.application = sync.OnceValues(func() (*applicationCertificate, error) { return newApplicationCertificate(t.tls) })
	t.privateKey = newPrivateKey(o.Random != nil)
	t.company = newCompany(o.Seed, t.now, t.base)
	t.company.size = o.Size
	t.company.keep = t.journal
	t.authority, t.identity, t.control = t.newAuthority(), t.newIdentityEndpoint(), t.newControl()
	if len(t.state.lines) > 0 {
		return t.resume()
	}
	t.journal(stateLine{At: t.company.started, Do: "start", Seed: o.Seed, Key: t.key[:], Listen: host, Size: o.Size})
	return nil
}

// seed draws everything that is fixed for the life of the tenant: identifiers from the seed alone, so that
// they are known before it starts, secrets from the source of randomness.
func (t *Tenant) seed(o Options) error {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], o.Seed)
	t.random.source = rand.NewChaCha8(key)
	t.registration = t.newRegistration()
	if o.Random != nil {
		if _, err := io.ReadFull(o.Random, key[:]); err != nil {
			return fmt.Errorf("simulator: reading randomness: %w", err)
		}
		t.random.source = rand.NewChaCha8(key)
	}
	t.key = key
	t.fixed = t.newSecrets()
	t.settings = t.newSettings()
	t.grants = newGrants()
	return nil
}

// serve runs a server on the listener until Close. HTTP/2 stays off: a cut connection is then exactly one
// cut request.
func (t *Tenant) serve(ctx context.Context, l net.Listener, handler http.HandlerFunc) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that refuse the certificate are part of the tests
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	t.servers = append(t.servers, server)
	t.serving.Go(func() {
		// Serve always returns an error, and after Close it says no more than that.
		_ = server.Serve(l)
	})
}

// URL is the tenant's address, https://host:port without a final slash: authority, API, Graph and token proxy
// at once.
func (t *Tenant) URL() string { return t.base }

// Certificate is the PEM of the certificate that the tenant shows, for clients that verify it.
func (t *Tenant) Certificate() []byte { return bytes.Clone(t.tls.pem) }

// Client is an HTTP client that trusts the tenant's certificate, uses no proxy and follows no redirect.
// Its idle connections end with the tenant.
func (t *Tenant) Client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: t.tls.pool(), MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close ends the tenant: it cuts every connection and waits for the requests at work.
func (t *Tenant) Close() error {
	t.running.Lock()
	t.running.closed = true
	t.running.Unlock()
	t.stop()
	var err error
	for _, server := range t.servers {
		err = errors.Join(err, server.Close())
	}
	t.running.Wait()
	t.serving.Wait()
	return err
}

// enter counts a request in, unless the tenant is closing.
func (t *Tenant) enter() bool {
	t.running.Lock()
	defer t.running.Unlock()
	if t.running.closed {
		return false
	}
	t.running.Add(1)
	return true
}

func (t *Tenant) handle(w http.ResponseWriter, r *http.Request) {
	t.answer(w, r, kindOf(r.URL.Path))
}

// answer records the request, then lets a scripted fault or the part of the tenant that it was for answer it.
func (t *Tenant) answer(w http.ResponseWriter, r *http.Request, kind Kind) {
	if !t.enter() {
		panic(http.ErrAbortHandler)
	}
	defer t.running.Done()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request's body could not be read.")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if kind == KindControl {
		t.serveControl(w, r)
		return
	}
	status := &statusWriter{ResponseWriter: w, recording: t.recording}
	entry := t.requests.add(newRequest(kind, r, body, t.now()))
	defer func() { t.requests.answered(entry, status) }()

	status.Header().Set(requestIDHeader, t.guid())
	if kind == KindGraph {
		status.Header().Set(clientRequestIDHeader, cmp.Or(r.Header.Get(clientRequestIDHeader), t.guid()))
	}
	status.Header().Set("Date", t.now().UTC().Format(http.TimeFormat)) // the server's own would be by the system's clock
	serve := func(w http.ResponseWriter) { t.dispatch(w, r, kind, body) }
	if fault, found := t.faults.take(kind, r); found {
		t.fail(status, r, kind, fault, serve)
		return
	}
	if fault, found := t.met(kind); found {
		t.fail(status, r, kind, fault, serve)
		return
	}
	serve(status)
}

// dispatch hands the request to the part of the tenant that it is for.
func (t *Tenant) dispatch(w http.ResponseWriter, r *http.Request, kind Kind, body []byte) {
	switch kind {
	case KindAPI, KindGraph:
		t.serveProtected(w, r, body)
	case KindDownload:
		t.serveDownload(w, r)
	case KindProxy:
		t.serveTokenProxy(w, r, body)
	case KindIdentity:
		t.identity.ServeHTTP(w, r)
	case KindAuthority:
		t.authority.ServeHTTP(w, r)
	}
}

// serveProtected checks token, permission and rate before the API sees the request.
func (t *Tenant) serveProtected(w http.ResponseWriter, r *http.Request, body []byte) {
	app, refused := t.authorize(r)
	if refused == nil {
		refused = permit(app, r)
	}
	if refused == nil {
		refused = t.retired(r)
	}
	if refused != nil {
		if refused.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		}
		writeError(w, refused.Status, refused.Code, refused.Message)
		return
	}
	if wait := t.rates.admit(r, t.now()); wait > 0 {
		w.Header().Set("Retry-After", wholeSeconds(wait))
		writeError(w, http.StatusTooManyRequests, "TooManyRequests", "This operation was called more often than its rate allows.")
		return
	}
	t.company.serve(w, r, body, app)
}

// serveDownload returns the content behind a link of the API. Such a link carries its own right of access and
// is outside the API, so a token that comes with it has leaked.
func (t *Tenant) serveDownload(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		writeError(w, http.StatusBadRequest, "TokenLeak", "A download link must not be sent an access token.")
		return
	}
	t.company.serveDownload(w, r)
}

// retired refuses the hunting queries of the Defender API once SetHuntingRetired says so. Microsoft
// documents that this API is being retired in favour of Microsoft Graph
// (https://learn.microsoft.com/defender-endpoint/api/run-advanced-query-api), but not what it answers afterwards: 410 is the plainest
// reading.
func (t *Tenant) retired(r *http.Request) *apiError {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.settings.huntingRetired || !strings.HasSuffix(strings.ToLower(r.URL.Path), "/advancedqueries/run") {
		return nil
	}
	return &apiError{
		Status: http.StatusGone, Code: "Gone",
		Message: "This API was retired. Run hunting queries with Microsoft Graph, security/runHuntingQuery.",
	}
}

// kindOf returns the part of the tenant that a path of the HTTPS server belongs to.
func kindOf(path string) Kind {
	switch {
	case strings.HasPrefix(path, controlPath):
		return KindControl
	case path == tokenProxyPath:
		return KindProxy
	case strings.HasPrefix(path, "/api/"):
		return KindAPI
	case strings.HasPrefix(path, "/v1.0/"):
		return KindGraph
	case strings.HasPrefix(path, "/download/"):
		return KindDownload
	}
	return KindAuthority
}

// requestIDHeader carries an identifier of the answer, which error bodies repeat. Answers of Microsoft Graph, and only those,
// also have one that the client chose, in clientRequestIDHeader (https://learn.microsoft.com/graph/errors).
const (
	requestIDHeader       = "Request-Id"
	clientRequestIDHeader = "Client-Request-Id"
)

// graphError is an error of Microsoft Graph (https://learn.microsoft.com/graph/errors).
type graphError struct {
	Code       string     `json:"code"`
	Message    string     `json:"message"`
	InnerError innerError `json:"innerError"`
}

type innerError struct {
	Date            string `json:"date"`
	RequestID       string `json:"request-id"`
	ClientRequestID string `json:"client-request-id"`
}

// apiErrorBody is an error of the Defender API (https://learn.microsoft.com/defender-endpoint/api/common-errors): a code to
// decide by, a message to read and the answer's identifier as target.
type apiErrorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target"`
}

// writeError answers with an error body in the form of the API that the answer is for.
func writeError(w http.ResponseWriter, status int, code, message string) {
	h := w.Header()
	id := h.Get(requestIDHeader)
	if client := h.Get(clientRequestIDHeader); client != "" {
		date := h.Get("Date")
		if at, err := http.ParseTime(date); err == nil {
			date = at.Format("2006-01-02T15:04:05")
		}
		answerJSON(w, status, map[string]graphError{"error": {code, message, innerError{date, id, client}}})
		return
	}
	answerJSON(w, status, map[string]apiErrorBody{"error": {code, message, id}})
}

// guid draws a random identifier.
func (t *Tenant) guid() string {
	var id uuid.UUID
	t.read(id[:])
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562
	return id.String()
}

// read fills b from the tenant's random source.
func (t *Tenant) read(b []byte) {
	t.random.Lock()
	defer t.random.Unlock()
	// ChaCha8 never fails.
	_, _ = t.random.source.Read(b)
}

// AddressError reports an address on which the tenant does not listen.
type AddressError struct{ Address string }

func (e *AddressError) Error() string {
	return fmt.Sprintf("%q is not an address of loopback with a port, such as 127.0.0.1:8443 or localhost:0: anyone who reaches the tenant gets its secrets,"+
		" and its certificate is for 127.0.0.1, ::1 and localhost only; to use it from another machine, lead a port of that machine here, as ssh -R does", e.Address)
}

// onLoopback checks that an address to listen on is one of this machine alone.
func onLoopback(listen string) error {
	host, port, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	if err != nil || port == "" || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &AddressError{listen}
	}
	return nil
}
