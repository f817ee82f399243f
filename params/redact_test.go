package params_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"xsoar-defender/params"
)

func TestRedactFindsEverySecretOfAnInstance(t *testing.T) {
	const secret = `s3cr~t/+ "<&>\{é}%41`
	rows := []struct {
		name     string
		instance params.Instance
	}{
		{"client secret", params.Instance{ClientSecret: secret}},
		{"key of the token proxy", params.Instance{Proxy: params.TokenProxy{Key: secret}}},
		{"token of the token proxy", params.Instance{Proxy: params.TokenProxy{Token: secret}}},
		{"authorization code", params.Instance{Grant: params.Grant{Code: secret}}},
		{"refresh token", params.Instance{Grant: params.Grant{RefreshToken: secret}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got, want := row.instance.Redact("a "+secret+" b "+secret), "a [redacted] b [redacted]"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestRedactKnowsTheSpellingsOfASecret(t *testing.T) {
	const secret = `s3cr~t/+ "<&>\{é}%41`
	instance := params.Instance{ClientSecret: secret}
	inJSON, err := json.Marshal(map[string]string{"key": secret})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"key": {secret}}.Encode()
	rows := []struct{ name, text, want string }{
		{"as it is", secret, "[redacted]"},
		{"in a JSON text", string(inJSON), `{"key":"[redacted]"}`},
		{"in a JSON text that keeps angle brackets", `{"key":"s3cr~t/+ \"<&>\\{é}%41"}`, `{"key":"[redacted]"}`},
		{"in a form", form, "key=[redacted]"},
		{"in a query with %20", strings.ReplaceAll(form, "+", "%20"), "key=[redacted]"},
		{"in a query with small escapes", "key=s3cr~t%2f%2b+%22%3c%26%3e%5c%7b%c3%a9%7d%2541", "key=[redacted]"},
		{"in a path", "/" + url.PathEscape(secret), "/[redacted]"},
		{"in a Go text", strconv.Quote(secret), `"[redacted]"`},
		{"several times", secret + secret, "[redacted][redacted]"},
		{"a part of it", "s3cr~t/+", "s3cr~t/+"},
		{"not at all", "nothing to hide", "nothing to hide"},
		{"in no text", "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := instance.Redact(row.text); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestRedactTakesTheLongestSecretFirst(t *testing.T) {
	instance := params.Instance{
		ClientSecret: "abcdef", Grant: params.Grant{Code: "abcdefghi", RefreshToken: "123abcdefghi456"},
	}
	for text, want := range map[string]string{
		"abcdef":               "[redacted]",
		"abcdefghi":            "[redacted]",
		"123abcdefghi456":      "[redacted]",
		"abcdef 123abcdefghi4": "[redacted] 123[redacted]4",
	} {
		if got := instance.Redact(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRedactLeavesWordsAlone(t *testing.T) {
	instance := params.Instance{ClientSecret: "token", Grant: params.Grant{Code: ""}}
	if got, want := instance.Redact("the token of token"), "the token of token"; got != want {
		t.Errorf("a secret as short as a word: got %q, want %q", got, want)
	}
	if got, want := (params.Instance{}).Redact("anything"), "anything"; got != want {
		t.Errorf("an instance without secrets: got %q, want %q", got, want)
	}
}

func TestRedactFindsThePrivateKey(t *testing.T) {
	keys := testKeys()
	instance := decode(t, withCertificate(keys.thumbprint, keys.pkcs8))
	for name, pem := range map[string]string{"PKCS #1": keys.pkcs1, "PKCS #8": keys.pkcs8} {
		inJSON, err := json.Marshal(pem)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string]string{
			"as it is":      pem,
			"in one line":   strings.ReplaceAll(pem, "\n", " "),
			"without lines": strings.ReplaceAll(pem, "\n", ""),
			"in JSON":       string(inJSON),
			"in a query":    url.QueryEscape(pem),
		} {
			got := instance.Redact("begin " + text + " end")
			for line := range strings.Lines(pem) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "-") || len(line) < 6 {
					continue
				}
				if strings.Contains(got, line) || strings.Contains(got, url.QueryEscape(line)) {
					t.Errorf("%s %s: got %q, want no line of the key", name, form, got)
				}
			}
			if !strings.HasPrefix(got, "begin ") || !strings.HasSuffix(got, " end") {
				t.Errorf("%s %s: got %q, want the rest to stay", name, form, got)
			}
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("s3cr~t/+ \"<&>\\")
	f.Add("[redacted")
	f.Add("\x00\xff\u2028%zz")
	f.Fuzz(func(t *testing.T, secret string) {
		const short, mark = 6, "[redacted]"
		if len(secret) < short || strings.Contains(mark, secret) {
			return
		}
		instance := params.Instance{ClientSecret: params.Secret(secret)}
		inJSON, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), string(inJSON[1 : len(inJSON)-1])} {
			if got := instance.Redact(form); got != mark {
				t.Errorf("got %q, want nothing of %q", got, form)
			}
		}
	})
}
