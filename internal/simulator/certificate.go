package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // Entra names certificates by their SHA-1 thumbprint
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"
)

// validFrom and validUntil are decades apart, because clients check certificates by the system's clock while the
// tenant's may show any time.
func validFrom() time.Time { return time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC) }

func validUntil() time.Time { return time.Date(2090, time.January, 1, 0, 0, 0, 0, time.UTC) }

// serverCertificate is the certificate of the HTTPS server. It also issues the application's certificate, so
// that there is a chain.
type serverCertificate struct {
	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// newServerCertificate makes a certificate for loopback and for the host of hostPort.
func newServerCertificate(hostPort string) (serverCertificate, error) {
	// An elliptic key takes a millisecond to make where an RSA key takes a good part of a second.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return serverCertificate{}, fmt.Errorf("simulator: making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Simulated tenant"},
		NotBefore:             validFrom(),
		NotAfter:              validUntil(),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return serverCertificate{}, fmt.Errorf("simulator: %w", err)
	}
	switch ip := net.ParseIP(host); {
	case ip == nil && host != "localhost":
		template.DNSNames = append(template.DNSNames, host)
	case ip != nil && !slices.ContainsFunc(template.IPAddresses, ip.Equal):
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	leaf, err := issue(template, template, key.Public(), key)
	if err != nil {
		return serverCertificate{}, err
	}
	return serverCertificate{leaf: leaf, key: key, pem: certificatePEM(leaf)}, nil
}

func (c serverCertificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{c.leaf.Raw}, PrivateKey: c.key, Leaf: c.leaf}},
	}
}

func (c serverCertificate) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.leaf)
	return pool
}

// applicationCertificate is the key of the application with the two certificates that were made for it: the first one, and
// its renewal. A certificate that is renewed often keeps its key.
type applicationCertificate struct {
	first, renewal *x509.Certificate
	keyPEM         string
	issuerPEM      string
}

// newApplicationCertificate makes certificates as Entra takes them for signing in, with an RSA key of 2048 bits
// (https://learn.microsoft.com/entra/identity-platform/howto-create-self-signed-certificate).
func newApplicationCertificate(issuer serverCertificate) (*applicationCertificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("simulator: making a key: %w", err)
	}
	certificate := func(number int64) (*x509.Certificate, error) {
		return issue(&x509.Certificate{
			SerialNumber: big.NewInt(number),
			Subject:      pkix.Name{CommonName: "xsoar-defender"},
			NotBefore:    validFrom(),
			NotAfter:     validUntil(),
			KeyUsage:     x509.KeyUsageDigitalSignature,
			ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, issuer.leaf, key.Public(), issuer.key)
	}
	first, err := certificate(2)
	if err != nil {
		return nil, err
	}
	renewal, err := certificate(3)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("simulator: encoding a key: %w", err)
	}
	return &applicationCertificate{
		first: first, renewal: renewal, issuerPEM: string(issuer.pem),
		keyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}, nil
}

// thumbprintOf is how the portal shows a certificate: the SHA-1 of its DER form in capital hexadecimal digits.
func thumbprintOf(c *x509.Certificate) string {
	return strings.ToUpper(hex.EncodeToString(certificateDigest(c, "x5t")))
}

// certificateDigest returns the value of a header of a client assertion that names the certificate: x5t the SHA-1, x5t#S256 the SHA-256 of
// the certificate's DER form.
func certificateDigest(c *x509.Certificate, header string) []byte {
	if header == "x5t" {
		sum := sha1.Sum(c.Raw)
		return sum[:]
	}
	sum := sha256.Sum256(c.Raw)
	return sum[:]
}

// issue signs a certificate.
func issue(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("simulator: making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("simulator: reading a certificate: %w", err)
	}
	return leaf, nil
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
