package diagnosis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/params"
)

// judged is a check with its expected result.
type judged struct {
	name  string
	check Check
	want  Result
	says  string // part of Found or Remedy
}

func wantJudged(t *testing.T, rows []judged) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.check.Result != row.want || !strings.Contains(row.check.Found+" | "+row.check.Remedy, row.says) {
				t.Errorf("got %+v, want %s and %q in it", row.check, row.want, row.says)
			}
			if advised := row.check.Remedy != ""; advised != (row.want == Warning || row.want == Failed) {
				t.Errorf("got the remedy %q for %s", row.check.Remedy, row.want)
			}
			wantClear(t, row.check)
		})
	}
}

// wantClear checks the form of a check: Found ends without a full stop, and Remedy is a sentence.
func wantClear(t *testing.T, check Check) {
	t.Helper()
	sentence := check.Remedy == "" || strings.HasSuffix(check.Remedy, ".") && strings.ToUpper(check.Remedy[:1]) == check.Remedy[:1]
	if check.Check == "" || check.Found == "" || strings.HasSuffix(check.Found, ".") || strings.Contains(check.Found, "%!") || !sentence {
		t.Errorf("got the unclear check %+v", check)
	}
}

// aDay is the date of the tests.
func aDay() time.Time { return time.Date(2026, time.November, 20, 10, 0, 0, 0, time.UTC) }

func TestClocksThatDiffer(t *testing.T) {
	judge := func(ahead time.Duration) Check { return judgeClock(ahead, peer{role: "API"}) }
	wantJudged(t, []judged{
		{"together", judge(0), Passed, "agrees with the clock of the API"},
		{"within what a header can tell", judge(-time.Second), Passed, "agrees"},
		{"a little ahead", judge(2 * time.Second), Passed, "2s ahead of the clock of the API"},
		{"a little behind", judge(-2 * time.Second), Passed, "2s behind the clock of the API"},
		{"just below two minutes", judge(2*time.Minute - time.Second), Passed, "1m59s ahead"},
		{"two minutes", judge(2 * time.Minute), Warning, "NTP"},
		{"two minutes behind", judge(-2 * time.Minute), Warning, "2m0s behind"},
		{"just below five minutes", judge(5*time.Minute - time.Second), Warning, "4m59s ahead"},
		{"five minutes", judge(5 * time.Minute), Failed, "5m0s ahead"},
		{"an hour behind", judge(-time.Hour), Failed, "1h0m0s behind"},
	})
}

func TestTimesOfATokenAndTheClock(t *testing.T) {
	judge := func(begins, ends time.Duration) Check {
		return judgeTokenTimes(auth.Claims{NotBefore: aDay().Add(begins), Expires: aDay().Add(ends)}, aDay())
	}
	wantJudged(t, []judged{
		{"just given", judge(0, time.Hour), Passed, "valid until 2026-11-20 11:00:00 UTC"},
		{"given a moment ahead", judge(time.Minute, time.Hour), Passed, "valid until"},
		{"to begin in two minutes", judge(2*time.Minute, time.Hour), Warning, "valid from 2026-11-20 10:02:00 UTC"},
		{"to begin in five", judge(5*time.Minute, time.Hour), Failed, "in the future by the clock"},
		{"about to end", judge(-time.Hour, time.Second), Passed, "10:00:01"},
		{"at its end", judge(-time.Hour, 0), Failed, "has passed by the clock of this machine"},
		{"without an end", judgeTokenTimes(auth.Claims{}, aDay()), NotApplied, "does not state"},
		{"without a beginning", judgeTokenTimes(auth.Claims{Expires: aDay().Add(time.Hour)}, aDay()), Passed, "valid until"},
	})
}

func aCertificate(left time.Duration) *x509.Certificate {
	return &x509.Certificate{Issuer: pkix.Name{CommonName: "An authority", Organization: []string{"A company"}}, NotAfter: aDay().Add(left)}
}

func TestCertificatesThatEnd(t *testing.T) {
	const day = 24 * time.Hour
	judge := func(left time.Duration, insecure bool) Check {
		return judgeCertificate("TLS", tls.VersionTLS13, aCertificate(left), aDay(), insecure)
	}
	nameless := &x509.Certificate{Issuer: pkix.Name{Organization: []string{strings.Repeat("A company ", 30)}}, NotAfter: aDay().Add(90 * day)}
	wantJudged(t, []judged{
		{"in months", judge(90*day, false), Passed, "TLS 1.3, certificate of An authority, valid until 2027-02-18"},
		{"in fourteen days and a second", judge(14*day+time.Second, false), Passed, "2026-12-04"},
		{"in fourteen days", judge(14*day, false), Warning, "valid until 2026-12-04, in 14 days"},
		{"in an hour", judge(time.Hour, false), Warning, "in less than a day"},
		{"tomorrow", judge(day+time.Hour, false), Warning, "in 1 day"},
		{"in a moment", judge(time.Nanosecond, false), Warning, "in less than a day"},
		{"now", judge(0, false), Warning, "which has passed"},
		{"in months, and nobody verifies it", judge(90*day, true), Warning, "not verified"},
		{"yesterday, and nobody verifies it", judge(-day, true), Warning, "which has passed, not verified"},
		{"an issuer without a common name", judgeCertificate("TLS", tls.VersionTLS12, nameless, aDay(), false), Passed, "…"},
		{"an older version", judgeCertificate("TLS", tls.VersionTLS12, aCertificate(90*day), aDay(), false), Passed, "TLS 1.2"},
	})
}

func TestCertificatesOfApplicationsThatEnd(t *testing.T) {
	const day = 24 * time.Hour
	judge := func(proof *params.Certificate) Check {
		return judgeProof(passed("Configuration", "all"), proof, aDay())
	}
	ends := func(left time.Duration) *params.Certificate {
		return &params.Certificate{Chain: []*x509.Certificate{aCertificate(left), aCertificate(-day)}}
	}
	wantJudged(t, []judged{
		{"no certificate", judge(nil), Passed, "all | "},
		{"known by its thumbprint", judge(&params.Certificate{Thumbprint: []byte{1}}), Passed, "all | "},
		{"in months", judge(ends(90 * day)), Passed, "all; the application's certificate is valid until 2027-02-18"},
		{"in fourteen days", judge(ends(14 * day)), Warning, "Create a new certificate"},
		{"in a moment", judge(ends(time.Nanosecond)), Warning, "valid until 2026-11-20"},
		{"now", judge(ends(0)), Failed, "valid until 2026-11-20"},
	})
}

func TestCertificatesThatAreRefused(t *testing.T) {
	certificate := aCertificate(time.Hour)
	judge := func(err error) Check {
		refused := &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{certificate}, Err: err}
		e := &examination{}
		return e.tls(peer{role: "API", target: &url.URL{Scheme: "https", Host: "api.example"}, contact: Contact{
			Target: &url.URL{}, Err: &url.Error{Op: "Get", URL: "https://api.example", Err: refused},
		}})
	}
	wantJudged(t, []judged{
		{"of an unknown authority", judge(x509.UnknownAuthorityError{Cert: certificate}), Failed, "certificate of An authority, valid until 2026-11-20, is not trusted"},
		{"for another name", judge(x509.HostnameError{Certificate: certificate, Host: "api.example"}), Failed, "is for other names"},
		{"out of its time", judge(x509.CertificateInvalidError{Cert: certificate, Reason: x509.Expired}), Failed, "clock of the engine"},
		{"not for a server", judge(x509.CertificateInvalidError{Cert: certificate, Reason: x509.IncompatibleUsage}), Failed, "is not trusted"},
		{"without any", judgeUntrusted("TLS", &tls.CertificateVerificationError{Err: errors.New("none")}), Failed, "the certificate is not trusted"},
	})
}

func TestConnectionsWithoutACertificate(t *testing.T) {
	e := &examination{}
	judge := func(scheme string, contact Contact) Check {
		return e.tls(peer{role: "API", target: &url.URL{Scheme: scheme, Host: "api.example:8443"}, contact: contact})
	}
	asked := &url.URL{Scheme: "https", Host: "api.example:8443"}
	wantJudged(t, []judged{
		{"nobody was asked", judge("https", Contact{}), NotApplied, "api.example was not contacted"},
		{"no answer came", judge("https", Contact{Target: asked, Err: errors.New("refused")}), NotApplied, "api.example did not answer"},
		{"plain HTTP", judge("http", Contact{Target: asked}), NotApplied, "plain HTTP"},
		{"no TLS there", judge("https", Contact{Target: asked, Err: fmt.Errorf("wrapped: %w", http.ErrSchemeMismatch)}), Failed, "does not speak TLS"},
		{"something else there", judge("https", Contact{Target: asked, Err: fmt.Errorf("wrapped: %w", tls.RecordHeaderError{Msg: "first record"})}), Failed, "the port"},
	})
}

func TestHostsThatAreNotFound(t *testing.T) {
	judge := func(err error) Check { return judgeLookup("DNS: API", "api.example", err) }
	wantJudged(t, []judged{
		{"no such name", judge(&net.DNSError{IsNotFound: true, Err: "no such host"}), Failed, "api.example has no address"},
		{"no name server", judge(&net.DNSError{IsTimeout: true, Err: "i/o timeout"}), Failed, "no name server answered for api.example"},
		{"too slow", judge(fmt.Errorf("wrapped: %w", context.DeadlineExceeded)), Failed, "no name server answered"},
		{"a broken name server", judge(&net.DNSError{Err: "server misbehaving"}), Failed, "could not be looked up"},
	})
}

func TestWaysToAHost(t *testing.T) {
	host := peer{role: "API", target: &url.URL{Scheme: "https", Host: "api.example"}}
	direct := peer{role: "managed identity endpoint", target: &url.URL{Scheme: "http", Host: "169.254.169.254"}, direct: true}
	through := Route{Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128"}}
	wantJudged(t, []judged{
		{"not wanted", judgeRoute(host, Route{}, nil, false), Passed, "not selected"},
		{"wanted", judgeRoute(host, through, nil, true), Passed, "http://proxy.example:3128"},
		{"selected, but not set", judgeRoute(host, Route{}, nil, true), Warning, "Set HTTPS_PROXY"},
		{"not for this host", judgeRoute(host, Route{Exempt: true}, nil, true), Passed, "NO_PROXY exempts api.example"},
		{"never for this service", judgeRoute(direct, Route{}, nil, true), Passed, "always contacted directly"},
		{"no address", judgeRoute(host, Route{}, errors.New("secret"), true), Failed, "is not the address of a proxy"},
	})
}

func TestAudiencesOfTokens(t *testing.T) {
	cloud := func(endpointType string) params.Cloud {
		all := params.Clouds()
		return all[slices.IndexFunc(all, func(c params.Cloud) bool { return c.Name == endpointType })]
	}
	const older, newer = "https://api.securitycenter.microsoft.com", "https://api.security.microsoft.com"
	wantJudged(t, []judged{
		{"fitting", judgeAudience(older, cloud("Worldwide"), true), Passed, "which matches the cloud"},
		{"fitting, and refused for another reason", judgeAudience(older, cloud("Worldwide"), false), Passed, older},
		{"doubtful, and taken", judgeAudience(newer, cloud("Worldwide"), true), Warning, "HTTP 403"},
		{"doubtful, and not taken", judgeAudience(newer, cloud("Worldwide"), false), Warning, "Token Scope"},
		{"another API", judgeAudience("https://graph.microsoft.com", cloud("Worldwide"), false), Failed, "another API"},
		{"another cloud's", judgeAudience("https://api-gov.securitycenter.microsoft.us", cloud("US GCC"), false), Failed, "Endpoint Type"},
		{"another cloud's, and taken", judgeAudience("https://api-gov.securitycenter.microsoft.us", cloud("US GCC"), true), Warning, "but was accepted"},
		{"none", judgeAudience("", cloud("DoD"), true), NotApplied, "does not name one"},
		{"an endless one", judgeAudience(strings.Repeat("x", 5000), cloud("DoD"), true), Warning, "x…"},
	})
}

func TestTenantsOfTokens(t *testing.T) {
	const first, second = "8b7e1f4e-0000-4000-8000-0000000000aa", "8b7e1f4e-0000-4000-8000-0000000000bb"
	wantJudged(t, []judged{
		{"the same", judgeTenant(first, first), Passed, "the tenant of the instance"},
		{"the same in capitals", judgeTenant(first, strings.ToUpper(first)), Passed, first},
		{"another", judgeTenant(second, first), Failed, "but the instance names " + first},
		{"any organization", judgeTenant(first, "organizations"), Warning, "users of any organization"},
		{"of a domain", judgeTenant(first, "contoso.example"), Passed, "for contoso.example"},
		{"of nothing that is named", judgeTenant(first, ""), Passed, "the instance does not name one"},
		{"none", judgeTenant("", first), NotApplied, "does not name one"},
	})
}

func TestLimitsThatAnAnswerTells(t *testing.T) {
	header := http.Header{}
	header.Set("RateLimit-Remaining", "7")
	header.Set("x-ratelimit-limit", "100")
	header.Set("Retry-After", "3")
	header.Set("Date", "now")
	if got, want := limitHeaders(header), []string{"Ratelimit-Remaining", "X-Ratelimit-Limit"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryProblemOfAConfigurationIsARow(t *testing.T) {
	d := OfConfiguration(&params.Problems{List: []params.Problem{
		{Field: "ID", Fix: "put the ID there."}, {Field: "Server URL", Fix: "put a whole address there."},
	}})
	var rows []string
	for _, check := range d.Checks {
		wantClear(t, check)
		rows = append(rows, fmt.Sprintf("%s: %s: %s %s", check.Check, check.Result, check.Found, check.Remedy))
	}
	if want := "Configuration: failed: ID must be changed Put the ID there."; rows[0] != want || !strings.HasPrefix(rows[1], "Configuration: failed: Server URL") {
		t.Errorf("got %q, want the problems first, such as %q", rows, want)
	}
	for _, row := range rows[2:] {
		if !strings.Contains(row, ": not checked: ") {
			t.Errorf("got %q, want everything else not checked", row)
		}
	}
	if !d.Failed() {
		t.Error("want the diagnosis to have failed")
	}
}

// TestFailedChecksExplainAnError checks the findings that follow the error of a command.
func TestFailedChecksExplainAnError(t *testing.T) {
	refused := &defender.APIError{Operation: defender.ListAlerts, Status: 500}
	clock := judgeClock(time.Hour, peer{role: "API"})
	api := passed(checkAPI, "no").but(Failed, "Do.")
	for _, test := range []struct {
		name   string
		checks []Check
		err    error
		want   string
	}{
		{"all is well", []Check{clock}, nil, "<nil>"},
		{"nothing more is known", []Check{api, judgeClock(2*time.Minute, peer{})}, refused, refused.Error()},
		{"the clock is wrong", []Check{api, clock}, refused, refused.Error() + " Clock: 1h0m0s ahead of the clock of the API. " + remedyClock},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := (&Diagnosis{Checks: test.checks, err: test.err}).Err()
			if fmt.Sprint(got) != test.want || !errors.Is(got, test.err) {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
}

func TestTextsFromOutsideAreShort(t *testing.T) {
	const most = 120
	for text, want := range map[string]string{
		"":                          "",
		strings.Repeat("é", most):   strings.Repeat("é", most),
		strings.Repeat("é", most+1): strings.Repeat("é", most) + "…",
	} {
		if got := clipped(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
