package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"xsoar-defender/internal/cli"
	"xsoar-defender/internal/cli/loopback/loopbacktest"
	"xsoar-defender/internal/simulator"
)

// loginWorld is a world whose user logs in. Time does not run out in it by itself.
type loginWorld struct {
	*world

	tenant *simulator.Tenant
	params map[string]any
	// pages gets what the user's browser shows at the end.
	pages chan string
	// prompted, when set, is given the login page and what the program says, as it says it.
	prompted func(login, said string)
	login    string
}

// patience is the --timeout of the tests.
const patience = 17 * time.Minute

// newLoginWorld makes a world with an instance that nobody has logged in at.
func newLoginWorld(t *testing.T) *loginWorld {
	t.Helper()
	w := &loginWorld{world: newWorld(t), pages: make(chan string, 1)}
	w.tenant = w.world.tenant(t)
	w.params = w.tenant.Instance("authorization-code")
	w.params["redirect_uri"] = loopbacktest.URI(t)
	pass := w.Sleep
	w.Sleep = func(ctx context.Context, wait time.Duration) error {
		if wait == patience {
			<-ctx.Done()
		}
		return pass(ctx, wait)
	}
	home := w.Getenv
	w.Getenv = func(name string) string {
		if name == "DISPLAY" {
			return ":0"
		}
		return home(name)
	}
	w.OpenBrowser = func(address string) error {
		w.pages <- w.visit(t, address)
		return nil
	}
	w.Errors = w
	return w
}

// Write is the terminal at which the user reads the login page.
func (w *loginWorld) Write(text []byte) (int, error) {
	if found := regexp.MustCompile(`https://127\S*/authorize\S*`).Find(text); found != nil {
		w.login = string(found)
	}
	w.errs.Write(text)
	if w.prompted != nil {
		w.prompted(w.login, string(text))
	}
	return len(text), nil
}

// logIn runs login with the instance and flags, and returns the file of the instance.
func (w *loginWorld) logIn(t *testing.T, want int, flags ...string) string {
	t.Helper()
	path := instanceWith(t, w.params)
	w.Args = append([]string{"xsoar-defender", "login", "--instance", path, "--timeout", patience.String()}, flags...)
	w.run(t, want)
	return path
}

// client returns a browser that trusts the tenant.
func (w *loginWorld) client() *http.Client {
	client := w.tenant.Client()
	client.CheckRedirect = nil
	return client
}

// visit opens an address, follows redirects to the end, and returns the page there.
func (w *loginWorld) visit(t *testing.T, address string) string {
	client := w.client()
	defer client.CloseIdleConnections()
	response, err := client.Get(address)
	if err != nil {
		t.Errorf("the browser: %v", err)
		return ""
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("the browser: %v", err)
	}
	return string(page)
}

// works checks that the instance can be used.
func (w *loginWorld) works(t *testing.T, path string) {
	t.Helper()
	w.out.Reset()
	w.Args = []string{"xsoar-defender", "run", "microsoft-atp-test", "--instance", path}
	w.run(t, 0)
	if !strings.Contains(w.out.String(), "The sign-in works and the API answers") {
		t.Errorf("the test says\n%s\nwant that the sign-in works", &w.out)
	}
}

// pasteable returns the text that the program wrote for the instance.
func (w *loginWorld) pasteable(t *testing.T) string {
	t.Helper()
	line, ended := strings.CutSuffix(w.out.String(), "\n")
	if token, marked := strings.CutPrefix(line, "refresh_token:"); !ended || !marked || token == "" || strings.Contains(line, "\n") {
		t.Fatalf("the output is %q, want one line with a refresh token", &w.out)
	}
	return line
}

// withCertificate puts into the instance a certificate instead of the client secret.
func (w *loginWorld) withCertificate() {
	delete(w.params, "credentials")
	w.params["creds_certificate"] = w.tenant.Instance("certificate")["creds_certificate"]
}

func TestLoginWritesWhatBelongsIntoTheInstance(t *testing.T) {
	t.Parallel()
	for proof, change := range map[string]func(*loginWorld){"client secret": func(*loginWorld) {}, "certificate": (*loginWorld).withCertificate} {
		t.Run(proof, func(t *testing.T) {
			t.Parallel()
			w := newLoginWorld(t)
			change(w)
			w.logIn(t, 0)
			if page := <-w.pages; !strings.Contains(page, "You are logged in") {
				t.Errorf("the browser shows\n%s\nwant that the user is logged in", page)
			}
			line := w.pasteable(t)
			if _, token, _ := strings.Cut(line, ":"); strings.Contains(w.errs.String(), token) {
				t.Error("the refresh token is on the standard error as well")
			}
			for _, want := range []string{w.login, "secret", "90 days"} {
				if !strings.Contains(w.errs.String(), want) {
					t.Errorf("the standard error is\n%s\nwant %q in it", &w.errs, want)
				}
			}
			if kept, err := os.ReadDir(w.Getenv("HOME")); err != nil || len(kept) > 0 {
				t.Errorf("kept is %v, %v, want nothing", kept, err)
			}
			w.params["auth_code"] = map[string]any{"identifier": "", "password": line}
			w.works(t, instanceWith(t, w.params))
		})
	}
}

func TestLoginKeepsWhatRunUses(t *testing.T) {
	t.Parallel()
	w := newLoginWorld(t)
	path := w.logIn(t, 0, "--store")
	if w.out.Len() > 0 {
		t.Errorf("the output is %q, want none", &w.out)
	}
	w.works(t, path)
	state := filepath.Join(w.Getenv("HOME"), ".local", "state", "xsoar-defender", "state.json")
	info, err := os.Stat(state)
	if err != nil {
		t.Fatal(err)
	}
	if rights := info.Mode().Perm(); rights != 0o600 {
		t.Errorf("the state file has the rights %o, want 600", rights)
	}
}

// TestLoginInABrowser uses the browser of this machine, where there is one.
func TestLoginInABrowser(t *testing.T) {
	t.Parallel()
	w := newLoginWorld(t)
	if path := realBrowser(); path != "" {
		t.Logf("with the browser %s", path)
		w.OpenBrowser = func(address string) error {
			page, err := showIn(t.Context(), path, t.TempDir(), address)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				page = w.visit(t, address) // so that the login ends
			}
			w.pages <- page
			return nil
		}
	} else {
		t.Log("with an HTTP client: there is no chromium and no google-chrome")
	}
	w.logIn(t, 0)
	w.pasteable(t)
	if page := <-w.pages; !strings.Contains(page, "<h1>You are logged in</h1>") {
		t.Errorf("the browser shows\n%s\nwant that the user is logged in", page)
	}
}

func realBrowser() string {
	for _, name := range []string{"chromium", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// showIn opens an address in a real browser that trusts the tenant's certificate, and returns the final page.
func showIn(ctx context.Context, browser, profile, address string) (string, error) {
	command := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--ignore-certificate-errors",
		"--user-data-dir="+profile, "--dump-dom", address)
	var page bytes.Buffer
	command.Stdout = &page
	err := command.Run()
	return page.String(), err
}

func TestLoginThatFailsIsOneSentence(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(*loginWorld)
		flags   []string
		want    string
		onPage  bool
		code    int
	}{
		{"the user declines", func(w *loginWorld) { w.tenant.SetConsent(false) }, nil, "(AADSTS65004); log in again.", true, 1},
		{"the client secret has expired", func(w *loginWorld) { w.tenant.ExpireSecret() }, nil, "(AADSTS7000222); create a new client secret", true, 1},
		{"another way to sign in", func(w *loginWorld) { w.params = w.tenant.Instance("client-secret") }, nil, "choose Authorization Code as Authentication Type", false, 2},
		{"an instance that is not right", func(w *loginWorld) { delete(w.params, "_auth_id") }, nil, "ID", false, 2},
		{"nobody logs in", func(w *loginWorld) {
			w.OpenBrowser = func(string) error { return nil }
			w.Sleep = func(context.Context, time.Duration) error { return nil }
		}, nil, "Nobody logged in within 17m0s: run it again", false, 1},
		{"an instance that would continue with another login", func(w *loginWorld) {
			w.params["auth_code"] = map[string]any{"password": "refresh_token:old"}
		}, []string{"--store"}, "remove it from the file", false, 2},
		{"no place for the state", func(w *loginWorld) { w.Getenv = func(string) string { return "" } }, []string{"--store"}, "state", false, 1},
		{"the output is closed", func(w *loginWorld) { w.Out = brokenWriter{} }, nil, "the disk is full", false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newLoginWorld(t)
			test.prepare(w)
			w.logIn(t, test.code, test.flags...)
			said := w.errs.String()
			if last := strings.LastIndex(said, "xsoar-defender: "); last < 0 || !strings.Contains(said[last:], test.want) {
				t.Errorf("the standard error is\n%s\nwant %q at the end", said, test.want)
			}
			if w.out.Len() > 0 {
				t.Errorf("the output is %q, want none", &w.out)
			}
			if test.onPage {
				if page := <-w.pages; !strings.Contains(page, "You are not logged in") || !strings.Contains(page, "AADSTS") {
					t.Errorf("the browser shows\n%s\nwant what failed", page)
				}
			}
		})
	}
}

func TestLoginCalledWronglyIsAMistakeOfUsage(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--timeout", "0s"}, {"--timeout", "-1m"}, {"--timeout", "soon"}, {"--instance", "none.json"}, {"--store", "--state", "none"}, {"extra"}} {
		w := newLoginWorld(t)
		w.logIn(t, 2, flags...)
	}
}

// TestLoginShowsNothingThatAHostileRedirectWants looks at an answer that has the right state and texts made to hurt.
func TestLoginShowsNothingThatAHostileRedirectWants(t *testing.T) {
	t.Parallel()
	w := newLoginWorld(t)
	w.OpenBrowser = func(address string) error {
		made, err := url.Parse(address)
		if err != nil {
			return err
		}
		answer := url.Values{
			"state": {made.Query().Get("state")}, "error": {"access_denied"},
			"error_description": {"<script>alert(1)</script>\x1b[2J\u202e\r\nxsoar-defender: all is well"},
		}
		w.pages <- w.visit(t, made.Query().Get("redirect_uri")+"?"+answer.Encode())
		return nil
	}
	w.logIn(t, 1)
	if page := <-w.pages; strings.Contains(page, "<script") || !strings.Contains(page, "&lt;script") {
		t.Errorf("the browser shows\n%s\nwant the text escaped", page)
	}
	said := w.errs.String()
	if strings.ContainsAny(said, "\x1b\u202e") || strings.Contains(said, "\nxsoar-defender: all is well") || !strings.Contains(said, "(access_denied)") {
		t.Errorf("the standard error is %q, want one visible line with the code", said)
	}
}

func TestLoginGoesOnWithoutABrowser(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		prepare func(*loginWorld)
		flags   []string
		said    string // when the user opens the page
	}{
		{"it cannot be opened", func(w *loginWorld) {
			w.OpenBrowser = func(string) error { return errors.New("no browser is installed") }
		}, nil, "No browser could be opened (no browser is installed)"},
		{"it is not wanted", func(*loginWorld) {}, []string{"--no-browser"}, "--paste"},
		{"there is no display", func(w *loginWorld) {
			home := w.Getenv("HOME")
			w.Getenv = func(name string) string { return map[string]string{"HOME": home}[name] }
		}, nil, "--paste"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newLoginWorld(t)
			w.OpenBrowser = func(string) error {
				t.Error("a browser was opened")
				return nil
			}
			test.prepare(w)
			w.prompted = func(login, said string) {
				if strings.Contains(said, test.said) {
					go func() { w.pages <- w.visit(t, login) }()
				}
			}
			w.logIn(t, 0, test.flags...)
			w.pasteable(t)
			<-w.pages
		})
	}
}

// TestLoginIsPasted has the user log in somewhere, where the browser ends at a page that it cannot show.
func TestLoginIsPasted(t *testing.T) {
	t.Parallel()
	taken := loopbacktest.URI(t)
	occupied, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", strings.TrimSuffix(strings.TrimPrefix(taken, "http://"), "/callback"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { occupied.Close() })
	whole := func(back *url.URL) string { return back.String() }
	for _, test := range []struct {
		name, redirect string
		flags          []string
		paste          func(back *url.URL) string
		code           int
		said           string
	}{
		{"the whole address", "", []string{"--paste"}, whole, 0, ""},
		{"the code alone", "", []string{"--paste"}, func(back *url.URL) string { return back.Query().Get("code") }, 0, ""},
		{"the query", "", []string{"--paste"}, func(back *url.URL) string { return back.RawQuery }, 0, ""},
		{"a redirect URI that needs a certificate", "https://localhost/myapp", nil, whole, 0, "with https it would need a certificate"},
		{"a redirect URI of another machine", "https://soar.contoso.example/", nil, whole, 0, "not an address of this machine"},
		{"a port that is taken", taken, nil, whole, 0, taken},
		{
			"something else first", "",
			[]string{"--paste"},
			func(back *url.URL) string { return "\nhttps://soar.contoso.example/\n" + back.String() }, 0, "the pasted address holds no code",
		},
		{
			"a refresh token first", "",
			[]string{"--paste"},
			func(back *url.URL) string { return "refresh_token:x\n" + back.String() }, 0, "the pasted address holds no code",
		},
		{
			"the answer of another login first", "",
			[]string{"--paste"},
			func(back *url.URL) string { return "http://localhost/?code=1&state=2\n" + back.String() }, 0, "belongs to another login",
		},
		{"nothing", "", []string{"--paste"}, func(*url.URL) string { return "" }, 1, "the input ended"},
		{"an endless line", "", []string{"--paste"}, func(*url.URL) string { return strings.Repeat("x", 1<<20) }, 1, "too long"},
		{
			"a code that nobody gave", "",
			[]string{"--paste"},
			func(*url.URL) string { return "0.made-up" }, 1, "AADSTS",
		},
		{
			"a refusal", "",
			[]string{"--paste"},
			func(*url.URL) string {
				return "http://localhost/?error=access_denied&error_description=AADSTS65004:+The+user+declined."
			}, 1, "The user declined (AADSTS65004)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newLoginWorld(t)
			if test.redirect != "" {
				w.params["redirect_uri"] = test.redirect
				w.tenant.AddRedirectURI(test.redirect)
			}
			in, typed := io.Pipe()
			w.In = in
			defer in.Close()
			w.OpenBrowser = func(address string) error {
				back, err := w.tenant.SignIn(address)
				if err != nil {
					return err
				}
				ended, err := url.Parse(back)
				if err != nil {
					return err
				}
				_, err = io.WriteString(typed, test.paste(ended)+"\n")
				return errors.Join(err, typed.Close())
			}
			w.logIn(t, test.code, test.flags...)
			if !strings.Contains(w.errs.String(), test.said) {
				t.Errorf("the standard error is\n%s\nwant %q in it", &w.errs, test.said)
			}
			if test.code == 0 {
				w.params["auth_code"] = map[string]any{"identifier": "", "password": w.pasteable(t)}
				w.works(t, instanceWith(t, w.params))
			}
		})
	}
}

func TestLoginThatIsInterruptedEnds(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{nil, {"--paste"}} {
		ctx, cancel := context.WithCancelCause(context.Background())
		w := newLoginWorld(t)
		in, typed := io.Pipe()
		w.In = in
		w.OpenBrowser = func(string) error {
			cancel(errors.New("the user interrupts"))
			return nil
		}
		w.Args = append([]string{"xsoar-defender", "login", "--instance", instanceWith(t, maps.Clone(w.params)), "--timeout", patience.String()}, flags...)
		if got := cli.Execute(ctx, w.World); got != 130 || !strings.Contains(w.errs.String(), "was interrupted: the user interrupts") {
			t.Errorf("the exit code is %d with\n%s\nwant 130 and the reason", got, &w.errs)
		}
		typed.Close()
	}
}
