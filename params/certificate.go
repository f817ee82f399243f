package params

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// The marks around the blocks of a PEM text.
const (
	beginMark = "-----BEGIN "
	endMark   = "-----END "
	dashes    = "-----"
)

const (
	// leastKeyBits is the shortest RSA key that Go signs with. Microsoft Entra ID asks for 2048 bits
	// (https://learn.microsoft.com/entra/identity-platform/howto-create-self-signed-certificate).
	leastKeyBits = 1024
	// maxKeyBytes holds an RSA key of 8192 bits. Checking one that is much longer would take seconds in every execution.
	maxKeyBytes = 6 << 10
)

// What to do about a PEM text. None of these errors shows any of it.
var (
	errCutOff             = errors.New("put the whole private key there, with all of its lines from -----BEGIN to -----END")
	errEncrypted          = errors.New("put the private key there without a passphrase; the stored one is encrypted")
	errDamagedKey         = errors.New("put an RSA private key in PEM format there (PKCS #1 or PKCS #8); the stored one is damaged or in another format")
	errShortKey           = errors.New("put an RSA private key of at least 2048 bits there; the stored one is too short")
	errNotRSA             = errors.New("put an RSA private key there; the stored one is of another kind")
	errDamagedCertificate = errors.New("paste the certificate again next to the private key, or leave it out; the stored one is damaged")
)

// certificate reads creds_certificate or its older forms, and reports whether any part of it is filled. The certificate is
// nil if it is refused.
func (f *form) certificate() (*Certificate, bool) {
	identifier, password := f.credentials(fieldCertificate)
	if identifier == "" {
		identifier = f.olderText(fieldCertificate, firstPart, fieldOldThumbprint)
	}
	if password == "" {
		password = f.olderText(fieldCertificate, passwordPart, fieldOldPrivateKey)
	}
	if identifier == "" && password == "" {
		return nil, false
	}
	thumbprint, err := parseThumbprint(identifier)
	if err != nil {
		f.refuse(fieldCertificate, err.Error())
	}
	if password == "" {
		f.refusePart(fieldCertificate, passwordPart, "put the private key that belongs to the thumbprint there, in PEM format, or clear the thumbprint")
		return nil, true
	}
	key, certificates, err := parsePEM(password)
	if err != nil {
		f.refusePart(fieldCertificate, passwordPart, err.Error())
		return nil, true
	}
	chain, matches := chainOf(key, certificates, thumbprint)
	switch {
	case len(certificates) > 0 && chain == nil:
		f.refusePart(fieldCertificate, passwordPart, "put a private key and its own certificate there; none of the certificates that came with the key belongs to it")
	case identifier == "" && chain == nil:
		f.refuse(fieldCertificate, "put the SHA-1 thumbprint of the certificate there, or add the certificate to the private key")
	case thumbprint != nil && chain != nil && !matches:
		f.refuse(fieldCertificate, "put the thumbprint of the certificate that came with the private key there, or leave it empty; the stored one belongs to another certificate")
	}
	return &Certificate{Key: key, Thumbprint: thumbprint, Chain: chain}, true
}

// parseThumbprint returns the 20 bytes of a SHA-1 thumbprint, the digest of a certificate that Microsoft Entra ID shows, or
// nil for an empty text. It ignores what users copy along with the digits: separators, and the invisible mark that the
// certificate dialog of Windows puts in front.
func parseThumbprint(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	noise := strings.NewReplacer(":", "", "-", "", " ", "", "\t", "", "\u200e", "", "\u200f", "", "\ufeff", "")
	thumbprint, err := hex.DecodeString(noise.Replace(text))
	if err != nil || len(thumbprint) != sha1.Size {
		return nil, errors.New("put the SHA-1 thumbprint of the certificate there: 40 hexadecimal digits, with or without colons")
	}
	return thumbprint, nil
}

// chainOf puts the certificate of the key in front of the others, and reports whether it has the thumbprint. If a renewed
// certificate was pasted next to the earlier one of the same key, the thumbprint chooses between them. Without a
// certificate of the key there is no chain.
func chainOf(key *rsa.PrivateKey, certificates []*x509.Certificate, thumbprint []byte) (chain []*x509.Certificate, matches bool) {
	leaf := -1
	for i, certificate := range certificates {
		public, isRSA := certificate.PublicKey.(*rsa.PublicKey)
		if !isRSA || !public.Equal(&key.PublicKey) {
			continue
		}
		digest := sha1.Sum(certificate.Raw)
		matches = bytes.Equal(digest[:], thumbprint)
		if leaf < 0 || matches {
			leaf = i
		}
		if matches {
			break
		}
	}
	if leaf < 0 {
		return nil, false
	}
	return slices.Concat(certificates[leaf:leaf+1], certificates[:leaf], certificates[leaf+1:]), matches
}

// parsePEM reads the RSA private key of a PEM text and the certificates next to it. It undoes what the platform's
// single-line inputs do to newlines, which become spaces, and what JSON files do, where they become \n. The error is a
// sentence that tells the user what to put there, and shows nothing of the text.
func parsePEM(text string) (*rsa.PrivateKey, []*x509.Certificate, error) {
	var key *rsa.PrivateKey
	var certificates []*x509.Certificate
	rest := strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	for strings.Contains(rest, beginMark) {
		label, body, after, whole := nextBlock(rest)
		if !whole {
			return nil, nil, errCutOff
		}
		rest = after
		var err error
		switch {
		case strings.HasSuffix(label, "PRIVATE KEY") && key == nil:
			key, err = parseKey(label, body)
		case strings.HasSuffix(label, "CERTIFICATE"):
			certificates, err = appendCertificate(certificates, body)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if key == nil {
		return nil, nil, errCutOff
	}
	return key, certificates, nil
}

// nextBlock cuts the next PEM block out of a text. The standard library's decoder requires the markers on lines of their
// own, which they may no longer have here.
func nextBlock(text string) (label, body, rest string, whole bool) {
	_, text, _ = strings.Cut(text, beginMark)
	label, text, _ = strings.Cut(text, dashes)
	body, rest, whole = strings.Cut(text, endMark+label+dashes)
	return strings.Join(strings.Fields(label), " "), body, rest, whole
}

func decodeBody(body string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
}

func parseKey(label, body string) (*rsa.PrivateKey, error) {
	if strings.Contains(label, "ENCRYPTED") || strings.Contains(body, "ENCRYPTED") {
		return nil, errEncrypted
	}
	der, err := decodeBody(body)
	if err != nil || len(der) > maxKeyBytes {
		return nil, errDamagedKey
	}
	key, err := parseKeyDER(der)
	if err != nil {
		return nil, err
	}
	if key.N.BitLen() < leastKeyBits {
		return nil, errShortKey
	}
	return key, nil
}

// parseKeyDER tries the forms of a private key in turn, because tools do not always label them right.
func parseKeyDER(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if key, isRSA := key.(*rsa.PrivateKey); isRSA {
			return key, nil
		}
		return nil, errNotRSA
	}
	if _, err := x509.ParseECPrivateKey(der); err == nil {
		return nil, errNotRSA
	}
	return nil, errDamagedKey
}

func appendCertificate(certificates []*x509.Certificate, body string) ([]*x509.Certificate, error) {
	der, err := decodeBody(body)
	if err != nil {
		return nil, errDamagedCertificate
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errDamagedCertificate
	}
	return append(certificates, certificate), nil
}
