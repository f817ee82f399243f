package diagnosis

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/gateway"
	"xsoar-defender/params"
)

// Route is the route to a target.
type Route struct {
	// Proxy is the address of the proxy without its credentials, or nil if the target is contacted directly.
	Proxy *url.URL
	// Exempt reports whether a proxy is configured but not used for this target.
	Exempt bool
}

// Contact sums up the requests of an execution to one service.
type Contact struct {
	// Target is the URL of the latest request, or nil without one.
	Target *url.URL
	// Err is why the latest request was not answered, or nil if it was.
	Err error
	// Header is the header of the latest answer, nil without one, and At the time of its arrival by the clock of this
	// machine.
	Header http.Header
	At     time.Time
	// TLS is the connection of the latest answer; nil without an answer, or if it came over plain HTTP.
	TLS *tls.ConnectionState
}

// peer is a service on the other side of the network.
type peer struct {
	// role is the service's role for the instance.
	role    string
	target  *url.URL
	contact Contact
	// direct reports whether it is never contacted through a proxy.
	direct bool
}

// host returns the peer's host without the port, which means nothing to users.
func (p peer) host() string { return p.target.Hostname() }

// signInPeer returns the service that issues the instance's tokens.
func signInPeer(s Subject) peer {
	p := peer{role: "authority", target: address(s.Instance.Cloud.Authority), contact: s.Network.SignIn()}
	switch s.Instance.Mode {
	case params.CortexApplication:
		p.role, p.target = "token proxy", address(s.Instance.Proxy.URL)
	case params.ManagedIdentity:
		// Its address depends on the Azure service that the engine runs on, so it is taken from the request.
		p.role, p.target, p.direct = "managed identity endpoint", address(auth.MetadataEndpoint), true
		if p.contact.Target != nil {
			p.target = p.contact.Target
		}
	}
	return p
}

func apiPeer(s Subject) peer {
	p := peer{role: "API", target: s.Instance.Cloud.API, contact: s.Network.API()}
	if s.readsGraph() {
		p.target = s.Instance.Cloud.Graph
	}
	return p
}

// address parses an address that was validated with the configuration.
func address(text string) *url.URL {
	target, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return target
}

func (e *examination) peers() []peer { return []peer{e.authority, e.service} }

// route returns the route to a peer.
func (e *examination) route(p peer) (Route, error) {
	if p.direct {
		return Route{}, nil
	}
	return e.Network.Route(p.target)
}

// lookupPatience is the time limit for all name lookups together.
const lookupPatience = 5 * time.Second

// names looks up the hosts that this machine contacts directly, all at once.
func (e *examination) names(ctx context.Context) []Check {
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	checks := make([]Check, len(e.peers()))
	var proxy string
	var lookups sync.WaitGroup
	for i, p := range e.peers() {
		check := "DNS: " + p.role
		route, err := e.route(p)
		switch {
		case err != nil:
			checks[i] = notApplied(check, "the proxy is not known")
		case route.Proxy != nil:
			proxy = route.Proxy.Hostname()
			checks[i] = notApplied(check, "the proxy resolves %s", p.host())
		default:
			lookups.Go(func() { checks[i] = e.name(ctx, check, p.host()) })
		}
	}
	lookups.Wait()
	if proxy != "" {
		checks = append(checks, e.name(ctx, "DNS: proxy", proxy))
	}
	return checks
}

func (e *examination) name(ctx context.Context, check, host string) Check {
	if _, err := netip.ParseAddr(host); err == nil {
		return passed(check, "%s is already an address", host)
	}
	addresses, err := e.Network.Resolve(ctx, host)
	if err != nil {
		return judgeLookup(check, host, err)
	}
	shown := make([]string, len(addresses))
	for i, address := range addresses {
		shown[i] = address.String()
	}
	return passed(check, "%s is %s", host, strings.Join(shown, ", "))
}

// judgeLookup explains a failed name lookup.
func judgeLookup(check, host string, err error) Check {
	lookup, _ := errors.AsType[*net.DNSError](err)
	switch {
	case lookup != nil && lookup.IsNotFound:
		return passed(check, "%s has no address", host).
			but(Failed, "Check the spelling of the host in the instance, and the name servers of the engine.")
	case lookup != nil && lookup.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return passed(check, "no name server answered for %s", host).but(Failed, "Check that the engine can reach its name servers.")
	}
	return passed(check, "%s could not be looked up", host).but(Failed, "Check the name servers of the engine.")
}

// proxies checks the route to each peer.
func (e *examination) proxies() []Check {
	var checks []Check
	for _, p := range e.peers() {
		route, err := e.route(p)
		check := judgeRoute(p, route, err, e.Instance.UseProxy)
		if err == nil && !p.direct {
			check = e.judgeProxy(p, check)
		}
		checks = append(checks, check)
	}
	return checks
}

// judgeProxy adds to the check of a route what a proxy has answered instead of the peer. It may be one that nobody has
// configured, which the network leads all requests through.
func (e *examination) judgeProxy(p peer, check Check) Check {
	failure := e.noToken
	if p.role == e.service.role {
		failure = e.tried
	}
	if refused, ok := errors.AsType[gateway.ProxyError](failure); ok {
		return passed(check.Check, "%s", refused).but(Failed, upperFirst(refused.Remedy())+".")
	}
	if page, ok := errors.AsType[*defender.GatewayError](failure); ok && p.role == e.service.role {
		return passed(check.Check, "%s; the answer came from %s", check.Found, page.Answer).but(Failed, upperFirst(page.Answer.Remedy())+".")
	}
	if failed, ok := errors.AsType[*auth.Error](failure); ok && byGateway(failed) && p.role == e.authority.role {
		return passed(check.Check, "%s; %s", check.Found, failed.Message).but(Failed, upperFirst(failed.Remedy)+".")
	}
	return check
}

func judgeRoute(p peer, route Route, err error, wanted bool) Check {
	check := "Proxy: " + p.role
	switch {
	case err != nil:
		return passed(check, "HTTPS_PROXY in the environment is not the address of a proxy").
			but(Failed, "Set it to the address of the proxy, or clear Use system proxy settings in the instance.")
	case p.direct:
		return passed(check, "none: it is always contacted directly")
	case !wanted:
		return passed(check, "none: Use system proxy settings is not selected")
	case route.Exempt:
		return passed(check, "none: NO_PROXY exempts %s, or it is this machine", p.host())
	case route.Proxy == nil:
		return passed(check, "none: HTTPS_PROXY in the environment is empty").
			but(Warning, "Set HTTPS_PROXY for the engine, or clear Use system proxy settings in the instance.")
	}
	return passed(check, "%s", route.Proxy)
}

func (e *examination) tls(p peer) Check {
	check := "TLS: " + p.role
	untrusted, _ := errors.AsType[*tls.CertificateVerificationError](p.contact.Err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](p.contact.Err)
	switch {
	case p.target.Scheme == "http":
		return notApplied(check, "%s is contacted over plain HTTP, which does not leave this machine or its host", p.host())
	case p.contact.Target == nil:
		return notApplied(check, "%s was not contacted", p.host())
	case untrusted != nil:
		return judgeUntrusted(check, untrusted)
	case noTLS, errors.Is(p.contact.Err, http.ErrSchemeMismatch):
		return passed(check, "%s does not speak TLS", p.host()).but(Failed, "Check the address and the port in the instance.")
	case gateway.IsHandshake(p.contact.Err):
		return passed(check, "%s and this program could not agree on a TLS connection", p.host()).but(Failed, upperFirst(gateway.HandshakeRemedy)+".")
	case p.contact.TLS == nil || len(p.contact.TLS.PeerCertificates) == 0:
		return notApplied(check, "%s did not answer", p.host())
	}
	return judgeCertificate(check, p.contact.TLS.Version, p.contact.TLS.PeerCertificates[0], e.Now(), e.Instance.Insecure)
}

// endsSoon is how long before its expiry a certificate causes a warning.
const endsSoon = 14 * 24 * time.Hour

// daysOf returns a number of days in words.
func daysOf(days int) string {
	switch days {
	case 0:
		return "less than a day"
	case 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", days)
}

// judgeCertificate judges the certificate of a connection.
func judgeCertificate(check string, version uint16, certificate *x509.Certificate, now time.Time, insecure bool) Check {
	found := passed(check, "%s, certificate of %s, valid until %s", tls.VersionName(version), issuer(certificate), day(certificate.NotAfter))
	left := certificate.NotAfter.Sub(now)
	var remedies []string
	switch {
	case left <= 0:
		found.Found += ", which has passed"
	case left <= endsSoon:
		found.Found += ", in " + daysOf(int(left/(24*time.Hour)))
	}
	if left <= endsSoon {
		remedies = append(remedies, "Have the certificate renewed by the operator of the host, or of the proxy that opens connections to it.")
	}
	if insecure {
		found.Found += ", not verified"
		remedies = append(remedies, "Clear Trust any certificate (not secure) in the instance, and make the engine trust the authority that issued the certificate.")
	}
	if remedies != nil {
		return found.but(Warning, strings.Join(remedies, " "))
	}
	return found
}

// judgeUntrusted explains a certificate that was refused.
func judgeUntrusted(check string, refused *tls.CertificateVerificationError) Check {
	reason, remedy := "is not trusted", "Make the engine trust the authority that issued it."
	invalid, _ := errors.AsType[x509.CertificateInvalidError](refused.Err)
	_, otherName := errors.AsType[x509.HostnameError](refused.Err)
	switch {
	case otherName:
		reason, remedy = "is for other names", "Check the address in the instance, and any proxy in between."
	case invalid.Cert != nil && invalid.Reason == x509.Expired:
		reason, remedy = "is not valid at the current time of this machine", "Check the clock of the engine, and have the certificate renewed by the operator of the host."
	}
	if len(refused.UnverifiedCertificates) == 0 {
		return passed(check, "the certificate %s", reason).but(Failed, remedy)
	}
	certificate := refused.UnverifiedCertificates[0]
	return passed(check, "the certificate of %s, valid until %s, %s", issuer(certificate), day(certificate.NotAfter), reason).but(Failed, remedy)
}

// issuer returns the name of a certificate's issuer.
func issuer(certificate *x509.Certificate) string {
	return clipped(cmp.Or(certificate.Issuer.CommonName, certificate.Issuer.String(), "nobody"))
}

// clipped limits the length of a text from outside.
func clipped(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func moment(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// signInAnswers checks whether the issuer of the tokens can be reached, whatever its answer.
func (e *examination) signInAnswers() Check {
	p := e.authority
	check := upperFirst(p.role)
	switch {
	case p.contact.Target == nil && e.noToken != nil:
		return notApplied(check, "%s was not contacted", p.host())
	case p.contact.Target == nil:
		return notApplied(check, "%s was not contacted: a stored token is used", p.host())
	case p.contact.Err == nil && !byGateway(e.noToken):
		return passed(check, "%s answers", p.host())
	}
	found := passed(check, "%s did not answer", p.host()).but(Failed, "Check that the engine can reach this host.")
	if p.contact.Err == nil {
		found.Found = "a gateway answered instead of " + p.host()
	}
	if failed, ok := errors.AsType[*auth.Error](e.noToken); ok {
		found.Remedy = upperFirst(failed.Remedy) + "."
	}
	return found
}

// byGateway reports whether a sign-in failed because a gateway answered instead of the service.
func byGateway(err error) bool {
	failed, ok := errors.AsType[*auth.Error](err)
	return ok && failed.Code == auth.CodeGateway
}

// The limits for the difference of clocks. Microsoft's services allow five minutes, for tokens and for assertions.
const (
	skewWarning = 2 * time.Minute
	skewFailure = 5 * time.Minute
)

// bySkew returns the result for a difference of two clocks.
func bySkew(skew time.Duration) Result {
	switch skew = skew.Abs(); {
	case skew >= skewFailure:
		return Failed
	case skew >= skewWarning:
		return Warning
	}
	return Passed
}

const remedyClock = "Set the clock of the engine, preferably with NTP: certificates and tokens are refused when it is wrong."

// clock compares the clock of this machine with that of the API, or else of the authority.
func (e *examination) clock() Check {
	for _, p := range []peer{e.service, e.authority} {
		date, err := http.ParseTime(p.contact.Header.Get("Date"))
		if err == nil {
			// The header has no fraction of a second.
			return judgeClock(p.contact.At.Truncate(time.Second).Sub(date), p)
		}
	}
	return notApplied(checkClock, "no answer contained the time")
}

func judgeClock(ahead time.Duration, than peer) Check {
	// A smaller difference may be the time that the answer took.
	const exact = 2 * time.Second
	found := passed(checkClock, "agrees with the clock of the %s", than.role)
	switch {
	case ahead >= exact:
		found.Found = fmt.Sprintf("%s ahead of the clock of the %s", ahead, than.role)
	case ahead <= -exact:
		found.Found = fmt.Sprintf("%s behind the clock of the %s", -ahead, than.role)
	}
	if result := bySkew(ahead); result != Passed {
		return found.but(result, remedyClock)
	}
	return found
}

func (e *examination) tokenTimes() Check {
	if why := e.why(); why != "" {
		return notApplied(checkTokenTimes, "%s", why)
	}
	return judgeTokenTimes(e.claims, e.Now())
}

// judgeTokenTimes compares the times of a token that was just issued with the clock of this machine.
func judgeTokenTimes(claims auth.Claims, now time.Time) Check {
	early := claims.NotBefore.Sub(now)
	switch {
	case claims.Expires.IsZero():
		return notApplied(checkTokenTimes, "the token does not state how long it is valid")
	case !now.Before(claims.Expires):
		return passed(checkTokenTimes, "valid until %s, which has passed by the clock of this machine", moment(claims.Expires)).but(Failed, remedyClock)
	case early > 0 && bySkew(early) != Passed:
		return passed(checkTokenTimes, "valid from %s, which is in the future by the clock of this machine", moment(claims.NotBefore)).but(bySkew(early), remedyClock)
	}
	return passed(checkTokenTimes, "valid until %s", moment(claims.Expires))
}

// limitHeaders returns the names of an answer's headers about limits.
func limitHeaders(header http.Header) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if strings.HasPrefix(name, "Ratelimit-") || strings.HasPrefix(name, "X-Ratelimit-") {
			names = append(names, name)
		}
	}
	return names
}
