package auth

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"xsoar-defender/params"
)

func FuzzParseProxyGrant(f *testing.F) {
	f.Add([]byte(`{"access_token":"a","refresh_token":"r","expires_in":3599}`))
	f.Add([]byte(`{"access_token":"a","expires_in":"3599"}`))
	f.Add([]byte(`{"access_token":"a","expires_in":1e999}`))
	f.Add([]byte(`{"access_token":["a"]}`))
	f.Add([]byte(`[]`))
	now := time.Unix(1700000000, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseProxyGrant(body, now)
		if err != nil {
			return
		}
		if life := got.expires.Sub(now); got.access == "" || life <= 0 || life > longestLife {
			t.Errorf("parseProxyGrant(%q) = %+v, want a token that ends within %s", body, got, longestLife)
		}
	})
}

func FuzzReadRefusal(f *testing.F) {
	f.Add([]byte(`{"error":"invalid_grant","error_description":"AADSTS70008: Ended. Trace ID: 1","error_codes":[70008]}`))
	f.Add([]byte(`{"error":{"code":"Forbidden","message":"No."}}`))
	f.Add([]byte(`{"title":"Unauthorized","detail":"No.\u0000\r\nMore"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := readRefusal(body)
		if r.code != "" && !isPlainCode(r.code) {
			t.Errorf("readRefusal(%q) has the code %q, want a plain word", body, r.code)
		}
		if text := brief(r.message); len([]rune(text)) > briefLimit+1 || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("readRefusal(%q) has the message %q, want a short line", body, text)
		}
	})
}

func TestEveryModeHasAFallbackRemedy(t *testing.T) {
	for mode := params.CortexApplication; mode <= params.WorkloadIdentity; mode++ {
		if fallbackRemedies[mode] == "" {
			t.Errorf("no remedy for %s", mode)
		}
	}
}

// Remedies name fields of the instance as the user sees them.
func TestRemediesAreHalfSentencesWithFieldsThatExist(t *testing.T) {
	shown := map[string]bool{}
	for _, parameter := range params.Parameters() {
		shown[parameter.Display], shown[parameter.DisplayPassword] = true, true
	}
	all := []string{remedyAddress, remedyLater}
	for _, table := range [][]cure{remedies, loginRemedies} {
		listed := map[string]bool{}
		for _, row := range table {
			for _, code := range row.codes {
				if !isPlainCode(code) || listed[code] {
					t.Errorf("%q is not a code, or has two remedies", code)
				}
				listed[code] = true
			}
			all = append(all, row.remedy)
		}
	}
	for _, remedy := range fallbackRemedies {
		all = append(all, remedy)
	}
	field := regexp.MustCompile(`(?:check|in the field|in|into|and|,|exactly the) ((?:ID|Token|Key|Endpoint|Authority|Application redirect|Authorization|Certificate|Private|Azure Managed Identities Client)[A-Za-z /]*?)(?: of the| and|,|$)`)
	found := 0
	for _, remedy := range all {
		if remedy == "" || strings.HasSuffix(remedy, ".") || !unicode.IsLower([]rune(remedy)[0]) {
			t.Errorf("%q is not half a sentence", remedy)
		}
		for _, match := range field.FindAllStringSubmatch(remedy, -1) {
			found++
			if !shown[match[1]] {
				t.Errorf("%q names %q, which is not a field of the instance", remedy, match[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d fields were found in the remedies, want the pattern to see them", found)
	}
}

func TestProcessTokensAreBounded(t *testing.T) {
	var process ProcessTokens
	now := time.Unix(1700000000, 0)
	key := func(i int) processKey { return processKey{instance: "i", fingerprint: fmt.Sprint(i)} }
	// Later ones end earlier, down to some that have ended.
	for i := range 2 * processLimit {
		process.put(key(i), accessToken{Value: "v", Expires: now.Add(time.Duration(processLimit-i+10) * time.Minute)}, now)
		if len(process.tokens) > processLimit {
			t.Fatalf("the process holds %d tokens, want %d at most", len(process.tokens), processLimit)
		}
	}
	if process.find(key(0)).Value == "" {
		t.Error("the token that ends last was dropped")
	}
	process.put(key(0), accessToken{Value: "new", Expires: now.Add(time.Hour)}, now)
	if got := process.find(key(0)).Value; got != "new" {
		t.Errorf("find() = %q, want what was put last", got)
	}
}

func TestFingerprintsTellPartsApart(t *testing.T) {
	seen := map[string]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}} {
		for _, key := range []string{"", "key"} {
			name := fmt.Sprintf("%q under %q", parts, key)
			got := digest([]byte(key), parts...)
			if other, found := seen[got]; found {
				t.Errorf("%s and %s have the same digest", name, other)
			}
			seen[got] = name
		}
	}
}

func TestRedaction(t *testing.T) {
	r := newRedactor("secret", "secret-and-more", "a+b/c d", "", "abc")
	for text, want := range map[string]string{
		"the secret-and-more of secret": "the [redacted] of [redacted]",
		"a+b/c d a%2Bb%2Fc+d":           "[redacted] [redacted]",
		"abc":                           "abc",
	} {
		if got := r.clean(text); got != want {
			t.Errorf("clean(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestOnlyFormsAreReadForSecrets leaves every other request as it is: its body may be read once, by the transport.
func TestOnlyFormsAreReadForSecrets(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		name, kind, body string
		read             bool
	}{
		{"a form", form, "client_secret=s3cret&x=y", true},
		{"a form in another spelling", "Application/X-WWW-Form-URLencoded; charset=utf-8", "client_secret=s3cret", true},
		{"another body", "application/json", "client_secret=s3cret", false},
		{"a body of no kind", "", "client_secret=s3cret", false},
		{"a form without a body", form, "", false},
	} {
		request := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(test.body))
		request.Header.Set("Content-Type", test.kind)
		if test.body == "" {
			request.Body = nil
		}
		x := &exchange{}
		sent, err := x.hideForm(request)
		if err != nil || (sent != request) != test.read {
			t.Errorf("%s: got %v, and that it was read %t, want %t", test.name, err, sent != request, test.read)
		}
		if hidden := x.hidden.clean("s3cret") != "s3cret"; hidden != test.read {
			t.Errorf("%s: the secret is hidden %t, want %t", test.name, hidden, test.read)
		}
	}
}
