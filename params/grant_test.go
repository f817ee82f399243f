package params_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestGrant(t *testing.T) {
	const code = "1.AXoA_b-c.AgABBAIAAAD!x*y$z"
	for _, test := range []struct{ name, pasted, code, state, refresh string }{
		{"nothing yet", "", "", "", ""},
		{"the code", code, code, "", ""},
		{"the code, encoded", url.QueryEscape(code), code, "", ""},
		{"the code with a plus", "a+b", "a+b", "", ""},
		{"the code with a percent sign that encodes nothing", "a%zz", "a%zz", "", ""},
		{"the code broken into lines", code[:8] + "\r\n" + code[8:], code, "", ""},
		{"the code with what follows it", code + "&state=s1&session_state=s2", code, "s1", ""},
		{"the query", "code=" + url.QueryEscape(code) + "&state=s%201&session_state=s2", code, "s 1", ""},
		{"the query with its mark", "?state=s1&code=" + code, code, "s1", ""},
		{"the whole address", "https://localhost/myapp?code=" + url.QueryEscape(code) + "&state=s1#", code, "s1", ""},
		{"the address with an own query", "https://localhost/myapp?x=y&code=" + code, code, "", ""},
		{"the address without its scheme", "localhost/myapp?code=" + code + "&state=s1", code, "s1", ""},
		{"the address with a fragment", "https://localhost/myapp#code=" + code + "&state=s1", code, "s1", ""},
		{"a refresh token", "refresh_token:0.ARoA%41 ", "", "", "0.ARoA%41"},
		{"a refresh token after a space", "refresh_token: 0.ARoA", "", "", "0.ARoA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := decode(t, userLogin().with(fields{"auth_code": password(test.pasted)})).Grant
			if got.Code.Reveal() != test.code || got.State != test.state || got.RefreshToken.Reveal() != test.refresh {
				t.Errorf("want code %q, state %q, refresh token %q; got %q, %q, %q",
					test.code, test.state, test.refresh, got.Code.Reveal(), got.State, got.RefreshToken.Reveal())
			}
		})
	}
}

func TestGrantProblems(t *testing.T) {
	description := "AADSTS65004: User declined to consent\r\nto access the app. Trace ID: 5f1e Correlation ID: 77 Timestamp: 2026-10-12"
	for _, test := range []struct {
		name, pasted string
		holds, lacks string
	}{
		{"a refused login", "https://localhost/myapp?error=access_denied&error_description=" + url.QueryEscape(description), "(access_denied: AADSTS65004: User declined to consent to access the app)", "Trace ID"},
		{"a refused login, query only", "error=consent_required&state=x", "(consent_required)", "state"},
		{"a refusal that goes on and on", "error=" + strings.Repeat("e", 500) + "&error_description=" + strings.Repeat("d", 5000), "(" + strings.Repeat("e", 60) + "…: ddd", strings.Repeat("d", 301)},
		{"the address of the login page", "https://login.microsoftonline.com/t/oauth2/v2.0/authorize?response_type=code&client_id=x", "no code", "client_id"},
		{"an address alone", "https://localhost/myapp", "no code", "localhost"},
		{"an empty code", "https://localhost/myapp?code=&state=x", "no code", "localhost"},
		{"an empty refresh token", "refresh_token: ", "after refresh_token:", "null"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := decodeWith(t, userLogin().with(fields{"auth_code": password(test.pasted)}), noEnvironment)
			if fieldsOf(problems) != "Authorization code" {
				t.Fatalf("want a problem of the authorization code, got %v", problems)
			}
			fix := problems[0].Fix
			if !strings.Contains(fix, test.holds) || strings.Contains(fix, test.lacks) || strings.ContainsAny(fix, "\r\n") {
				t.Errorf("want one line with %q and without %q, got %q", test.holds, test.lacks, fix)
			}
		})
	}
}

func FuzzGrant(f *testing.F) {
	for _, seed := range []string{
		"", "code", "code=a&state=b", "https://localhost/?code=a%2Bb&state=c#", "refresh_token:x", "error=a&error_description=b%0Ac",
		"a%zz&state=%", "?#&;=", "localhost/x?code=1", "code=%ff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		instance, problems := decodeWith(t, userLogin().with(fields{"auth_code": password(pasted)}), noEnvironment)
		if len(problems) > 0 && (fieldsOf(problems) != "Authorization code" || strings.ContainsAny(problems[0].Fix, "\r\n")) {
			t.Errorf("want one line about the authorization code, got %q", problems)
		}
		if instance.Grant.Code != "" && instance.Grant.RefreshToken != "" {
			t.Error("want a code or a refresh token, got both")
		}
		if pasted == "" || len(pasted) > 1000 {
			return
		}
		address := "https://localhost/myapp?code=" + url.QueryEscape(pasted) + "&state=" + url.QueryEscape(pasted)
		got := decode(t, userLogin().with(fields{"auth_code": password(address)})).Grant
		if got.Code.Reveal() != pasted || got.State != pasted {
			t.Errorf("want the code and state %q out of their address, got %q and %q", pasted, got.Code.Reveal(), got.State)
		}
	})
}
