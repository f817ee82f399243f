package commands

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
	"xsoar-defender/params"
)

// peer is a service on the other side of the network.
type peer struct {
	// role is what the service is for the instance.
	role    string
	target  *url.URL
	contact Contact
	// direct says that it is never asked through a proxy.
	direct bool
}

// host is the peer's host for users: a port says nothing more to them.
func (p peer) host() string { return p.target.Hostname() }

// signInPeer is who gives the instance its tokens.
func signInPeer(run *Run) peer {
	p := peer{role: "authority", target: address(run.Instance.Cloud.Authority), contact: run.Network.SignIn()}
	switch run.Instance.Mode {
	case params.CortexApplication:
		p.role, p.target = "token proxy", address(run.Instance.Proxy.URL)
	case params.ManagedIdentity:
		// Where it is depends on the Azure service that the engine runs on: the request knows.
		p.role, p.target, p.direct = "managed identity endpoint", address(auth.MetadataEndpoint), true
		if p.contact.Target != nil {
			p.target = p.contact.Target
		}
	}
	return p
}

func apiPeer(run *Run) peer {
	return peer{role: "API", target: run.Instance.Cloud.API, contact: run.Network.API()}
}

// address reads an address that the configuration has been checked for.
func address(text string) *url.URL {
	target, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return target
}

func (e *examination) peers() []peer { return []peer{e.signIn, e.api} }

// route is the way to a peer.
func (e *examination) route(p peer) (Route, error) {
	if p.direct {
		return Route{}, nil
	}
	return e.run.Network.Route(p.target)
}

// lookupPatience is how long all name servers together may take.
const lookupPatience = 5 * time.Second

// names looks up the hosts that this machine has to know the addresses of, all at once.
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
			checks[i] = notApplied(check, "the proxy looks %s up", p.host())
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
		return passed(check, "%s is an address itself", host)
	}
	addresses, err := e.run.Network.Resolve(ctx, host)
	if err != nil {
		return judgeLookup(check, host, err)
	}
	shown := make([]string, len(addresses))
	for i, address := range addresses {
		shown[i] = address.String()
	}
	return passed(check, "%s is %s", host, strings.Join(shown, ", "))
}

// judgeLookup explains a host that was not found.
func judgeLookup(check, host string, err error) Check {
	lookup, _ := errors.AsType[*net.DNSError](err)
	switch {
	case lookup != nil && lookup.IsNotFound:
		return passed(check, "%s has no address", host).
			but(CheckFailed, "Check how the host is written in the instance, and the name servers of the engine.")
	case lookup != nil && lookup.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return passed(check, "no name server answered for %s", host).but(CheckFailed, "Check that the engine reaches its name servers.")
	}
	return passed(check, "%s could not be looked up", host).but(CheckFailed, "Check the name servers of the engine.")
}

// proxies says on which way each peer is asked.
func (e *examination) proxies() []Check {
	var checks []Check
	for _, p := range e.peers() {
		route, err := e.route(p)
		checks = append(checks, judgeRoute(p, route, err, e.run.Instance.UseProxy))
	}
	return checks
}

func judgeRoute(p peer, route Route, err error, wanted bool) Check {
	check := "Proxy: " + p.role
	switch {
	case err != nil:
		return passed(check, "HTTPS_PROXY of the environment is not the address of a proxy").
			but(CheckFailed, "Put the address of the proxy there, or clear Use system proxy settings of the instance.")
	case p.direct:
		return passed(check, "none: it is always asked directly")
	case !wanted:
		return passed(check, "none: Use system proxy settings is not selected")
	case route.Exempt:
		return passed(check, "none: NO_PROXY leaves %s out, or it is this machine", p.host())
	case route.Proxy == nil:
		return passed(check, "none: HTTPS_PROXY of the environment is empty").
			but(CheckWarning, "Set HTTPS_PROXY for the engine, or clear Use system proxy settings of the instance.")
	}
	return passed(check, "%s", route.Proxy)
}

func (e *examination) tls(p peer) Check {
	check := "TLS: " + p.role
	untrusted, _ := errors.AsType[*tls.CertificateVerificationError](p.contact.Err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](p.contact.Err)
	switch {
	case p.target.Scheme == "http":
		return notApplied(check, "%s is asked over plain http, which does not leave this machine or its host", p.host())
	case p.contact.Target == nil:
		return notApplied(check, "%s was not asked", p.host())
	case untrusted != nil:
		return judgeUntrusted(check, untrusted)
	case noTLS, errors.Is(p.contact.Err, http.ErrSchemeMismatch):
		return passed(check, "%s does not speak TLS", p.host()).but(CheckFailed, "Check the address and the port in the instance.")
	case p.contact.TLS == nil || len(p.contact.TLS.PeerCertificates) == 0:
		return notApplied(check, "%s gave no answer", p.host())
	}
	return judgeCertificate(check, p.contact.TLS.Version, p.contact.TLS.PeerCertificates[0], e.run.Now(), e.run.Instance.Insecure)
}

// endsSoon is how long before its end a certificate is warned of.
const endsSoon = 14 * 24 * time.Hour

// judgeCertificate judges the certificate of a connection.
func judgeCertificate(check string, version uint16, certificate *x509.Certificate, now time.Time, insecure bool) Check {
	found := passed(check, "%s, certificate of %s, valid until %s", tls.VersionName(version), issuer(certificate), day(certificate.NotAfter))
	left := certificate.NotAfter.Sub(now)
	var remedies []string
	switch {
	case left <= 0:
		found.Found += ", which is over"
	case left <= endsSoon:
		found.Found += fmt.Sprintf(", in %d days", int(left/(24*time.Hour)))
	}
	if left <= endsSoon {
		remedies = append(remedies, "Let whoever runs the host, or the proxy that opens connections to it, renew the certificate.")
	}
	if insecure {
		found.Found += ", not verified"
		remedies = append(remedies, "Clear Trust any certificate (not secure) of the instance, and let the engine trust the authority that issued the certificate.")
	}
	if remedies != nil {
		return found.but(CheckWarning, strings.Join(remedies, " "))
	}
	return found
}

// judgeUntrusted explains a certificate that was refused.
func judgeUntrusted(check string, refused *tls.CertificateVerificationError) Check {
	reason, remedy := "is not trusted", "Let the engine trust the authority that issued it."
	invalid, _ := errors.AsType[x509.CertificateInvalidError](refused.Err)
	_, otherName := errors.AsType[x509.HostnameError](refused.Err)
	switch {
	case otherName:
		reason, remedy = "is for other names", "Check the address in the instance, and the proxy on the way."
	case invalid.Cert != nil && invalid.Reason == x509.Expired:
		reason, remedy = "is not valid at the time of this machine", "Check the clock of the engine, and let whoever runs the host renew the certificate."
	}
	if len(refused.UnverifiedCertificates) == 0 {
		return passed(check, "the certificate %s", reason).but(CheckFailed, remedy)
	}
	certificate := refused.UnverifiedCertificates[0]
	return passed(check, "the certificate of %s, valid until %s, %s", issuer(certificate), day(certificate.NotAfter), reason).but(CheckFailed, remedy)
}

// issuer names who issued a certificate.
func issuer(certificate *x509.Certificate) string {
	return clipped(cmp.Or(certificate.Issuer.CommonName, certificate.Issuer.String(), "nobody"))
}

// clipped bounds what somebody else says of himself.
func clipped(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func moment(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// signInAnswers says whether who gives the tokens can be reached, whatever the answer is.
func (e *examination) signInAnswers() Check {
	p := e.signIn
	check := upperFirst(p.role)
	switch {
	case p.contact.Target == nil && e.noToken != nil:
		return notApplied(check, "%s was not asked", p.host())
	case p.contact.Target == nil:
		return notApplied(check, "%s was not asked: a kept token is used", p.host())
	case p.contact.Err == nil:
		return passed(check, "%s answers", p.host())
	}
	found := passed(check, "%s did not answer", p.host()).but(CheckFailed, "Check that the engine reaches this host.")
	if failed, ok := errors.AsType[*auth.Error](e.noToken); ok {
		found.Remedy = upperFirst(failed.Remedy) + "."
	}
	return found
}

// The limits for clocks. Microsoft's services allow five minutes, in tokens and in assertions alike.
const (
	skewWarning = 2 * time.Minute
	skewFailure = 5 * time.Minute
)

// bySkew judges how far two times are apart.
func bySkew(skew time.Duration) CheckResult {
	switch skew = skew.Abs(); {
	case skew >= skewFailure:
		return CheckFailed
	case skew >= skewWarning:
		return CheckWarning
	}
	return CheckPassed
}

const remedyClock = "Set the clock of the engine, best by NTP: certificates and tokens are refused when it is wrong."

// clock compares the clock of this machine with that of the API, or else of the authority.
func (e *examination) clock() Check {
	for _, p := range []peer{e.api, e.signIn} {
		date, err := http.ParseTime(p.contact.Header.Get("Date"))
		if err == nil {
			// The header leaves out the fraction of a second.
			return judgeClock(p.contact.At.Truncate(time.Second).Sub(date), p)
		}
	}
	return notApplied(checkClock, "no answer told the time")
}

func judgeClock(ahead time.Duration, than peer) Check {
	// The answer took a while to come.
	const exact = 2 * time.Second
	found := passed(checkClock, "agrees with the clock of the %s", than.role)
	switch {
	case ahead >= exact:
		found.Found = fmt.Sprintf("%s ahead of the clock of the %s", ahead, than.role)
	case ahead <= -exact:
		found.Found = fmt.Sprintf("%s behind the clock of the %s", -ahead, than.role)
	}
	if result := bySkew(ahead); result != CheckPassed {
		return found.but(result, remedyClock)
	}
	return found
}

func (e *examination) tokenTimes() Check {
	if why := e.why(); why != "" {
		return notApplied(checkTokenTimes, "%s", why)
	}
	return judgeTokenTimes(e.claims, e.run.Now())
}

// judgeTokenTimes compares the times of a token that was just given with the clock of this machine.
func judgeTokenTimes(claims auth.Claims, now time.Time) Check {
	early := claims.NotBefore.Sub(now)
	switch {
	case claims.Expires.IsZero():
		return notApplied(checkTokenTimes, "the token does not say how long it is valid")
	case !now.Before(claims.Expires):
		return passed(checkTokenTimes, "valid until %s, which is over by the clock of this machine", moment(claims.Expires)).but(CheckFailed, remedyClock)
	case early > 0 && bySkew(early) != CheckPassed:
		return passed(checkTokenTimes, "valid from %s, which is still to come by the clock of this machine", moment(claims.NotBefore)).but(bySkew(early), remedyClock)
	}
	return passed(checkTokenTimes, "valid until %s", moment(claims.Expires))
}

// limitHeaders are the headers of an answer that tell of limits.
func limitHeaders(header http.Header) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if strings.HasPrefix(name, "Ratelimit-") || strings.HasPrefix(name, "X-Ratelimit-") {
			names = append(names, name)
		}
	}
	return names
}
