package defender_test

import (
	"bytes"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/testclock"
)

// anywhere is a client whose requests reach nobody: answer sees each of them and answers it.
func anywhere(clock *testclock.Clock, answer func(r *http.Request) (*http.Response, error)) *defender.Client {
	return defender.New(defender.Options{
		Clock: clock.Clock(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: &tokens{}, Transport: transport(answer),
	})
}

// FuzzRetryAfter answers a request first with a refusal and any Retry-After header: the client comes back within its
// patience, or says when to come back, which is never in the past nor later than a day from then.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "7", "-1", "1e300", "NaN", "+Inf", "0x1p4", "soon", "Fri, 20 Nov 2026 10:00:07 GMT", "Mon, 01 Jan 1990 00:00:00 GMT", "99999999999999999999999", "7, 8", "٧"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		clock := newClock()
		began, asked := clock.Now(), 0
		client := anywhere(clock, func(r *http.Request) (*http.Response, error) {
			asked++
			if asked > 1 {
				return response(r, http.StatusOK, anyAnswer), nil
			}
			refused := response(r, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests","message":"No."}}`)
			refused.Header.Set("Retry-After", header)
			return refused, nil
		})
		_, err := client.Alerts(t.Context(), defender.Query{Limit: 1})
		waited := clock.Now().Sub(began)
		if waited < 0 || waited > 30*time.Second {
			t.Errorf("the client waited for %s, want no more than its patience", waited)
		}
		switch {
		case err == nil && asked != 2:
			t.Errorf("got %d, want two requests", asked)
		case err != nil:
			throttled := as[*defender.ThrottledError](t, err)
			if throttled.After <= 0 || throttled.After > 24*time.Hour {
				t.Errorf("got %s, want a time to come back within a day", throttled.After)
			}
		}
	})
}

// FuzzNextLink answers a list with any link to a next page: no request goes anywhere but to the API, and the list ends.
func FuzzNextLink(f *testing.F) {
	for _, seed := range []string{
		"", "https://api.example/api/alerts?$skip=1", "https://API.example:443/x", "https://api.example@attacker.example/", "https://attacker.example/?https://api.example/",
		"//api.example/x", "/api/alerts", "http://api.example/", "https://api.example\\@attacker.example/", "https://api.example/%zz", "https://user@api.example/", "https://api.example#@b/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		asked := 0
		client := anywhere(newClock(), func(r *http.Request) (*http.Response, error) {
			asked++
			if r.URL.Scheme != "https" || !strings.EqualFold(r.URL.Host, "api.example") || r.Host != "" && !strings.EqualFold(r.Host, "api.example") {
				t.Errorf("the link %q led to %s, with the header Host %q", link, r.URL, r.Host)
			}
			return response(r, http.StatusOK, page(asked, 1, link)), nil
		})
		// A link that cannot be asked for is an error of the list.
		_, _ = client.Alerts(t.Context(), defender.Query{Limit: 5})
		if asked < 1 || asked > 5 {
			t.Errorf("the link %q led to %d requests, want at most five", link, asked)
		}
	})
}

// FuzzDownloadLink downloads from any link: what is asked is https or this machine, without a token, and an error shows
// nothing of the link.
func FuzzDownloadLink(f *testing.F) {
	for _, seed := range []string{
		"https://blob.example/f?", "http://127.0.0.1:1/f?", "http://blob.example/?", "javascript:", "https://", "https://[::1", "http://localhost/?", "http://127.1/?",
		"HTTPS://blob.example/%zz?", "https://user:password@blob.example/?", "ftp://127.0.0.1/?", "http://[::ffff:127.0.0.1]/?", "//blob.example?", "\x7f",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, link string, works bool) {
		client := anywhere(newClock(), func(r *http.Request) (*http.Response, error) {
			address, err := netip.ParseAddr(r.URL.Hostname())
			if here := err == nil && address.Unmap().IsLoopback(); r.URL.Scheme != "https" && (r.URL.Scheme != "http" || !here) {
				t.Errorf("the link %q led to %s", link, r.URL)
			}
			if got := r.Header.Get("Authorization"); strings.Contains(got, "token") {
				t.Errorf("the link %q was sent %q", link, got)
			}
			if !works {
				return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: http.ErrHandlerTimeout}
			}
			return response(r, http.StatusOK, "content"), nil
		})
		var file bytes.Buffer
		_, err := client.Download(t.Context(), link+secretPart, &file, 100)
		if err == nil && file.String() != "content" || !works && err == nil {
			t.Errorf("the link %q gave %q and %v", link, file.String(), err)
		}
		wantNoLink(t, err)
	})
}

// FuzzPath puts any text where an operation takes an id: the path has the segments of the operation and no query, and
// reads back as the same text, or no request is sent.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"m1", "..", ".", "", "...", "../../x", "..%2f", "a/b?c#d", "a'b", `a\b`, "%00", "\x00\xff", "a;b", "ü :@&=+$,", "//", "a)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		for _, method := range []struct {
			call          func(c *defender.Client) error
			before, after string
		}{
			{func(c *defender.Client) error { _, err := c.File(t.Context(), id); return err }, "/api/files/", ""},
			{func(c *defender.Client) error { _, err := c.FileStatistics(t.Context(), id); return err }, "/api/files/", "/stats"},
		} {
			var sent []string
			client := anywhere(newClock(), func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.URL.RequestURI())
				return response(r, http.StatusOK, `{"id":"1"}`), nil
			})
			err := method.call(client)
			if strings.Trim(id, ".") == "" {
				as[*defender.ArgumentError](t, err)
			}
			if len(sent) > 1 || (err == nil) != (len(sent) == 1) {
				t.Fatalf("%q: got the requests %q and %v", id, sent, err)
			}
			for _, target := range sent {
				segment, found := strings.CutPrefix(target, method.before)
				segment, whole := strings.CutSuffix(segment, method.after)
				back, err := url.PathUnescape(segment)
				if !found || !whole || err != nil || back != id || strings.ContainsAny(segment, "/?#\\ ") || slices.Contains([]string{"", ".", ".."}, segment) {
					t.Errorf("%q: got the target %s", id, target)
				}
			}
		}
	})
}
