package params

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

const (
	// shortestRedacted is the length in bytes below which a secret is not looked for: it would be found in harmless words.
	shortestRedacted = 6
	// pemLine is the length of a full line of a PEM text.
	pemLine = 64
)

// Redact replaces every secret of the instance in a text that will be seen, in the spellings in which it may have got
// there: as it is, inside of JSON, and escaped for an address.
func (i Instance) Redact(text string) string {
	var spelled []string
	for _, secret := range i.secrets() {
		if len(secret) >= shortestRedacted {
			spelled = append(spelled, spellings(secret)...)
		}
	}
	// The longest goes first: what a shorter one that it contains would leave of it could be recognised.
	slices.SortFunc(spelled, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	for _, secret := range slices.Compact(spelled) {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}

func (i Instance) secrets() []string {
	secrets := []string{
		i.ClientSecret.Reveal(), i.Proxy.Key.Reveal(), i.Proxy.Token.Reveal(),
		i.Grant.Code.Reveal(), i.Grant.RefreshToken.Reveal(),
	}
	return append(secrets, i.Certificate.lines()...)
}

// lines are those of the private key as PEM texts hold it, in both of its forms. They are found one by one, because
// the text between them changes on the way.
func (c *Certificate) lines() []string {
	if c == nil || c.Key == nil {
		return nil
	}
	var lines []string
	pkcs8, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		pkcs8 = nil // an RSA key always has that form
	}
	for _, der := range [][]byte{x509.MarshalPKCS1PrivateKey(c.Key), pkcs8} {
		for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(der)), pemLine) {
			lines = append(lines, string(line))
		}
	}
	return lines
}

// spellings are the forms of a secret.
func spellings(secret string) []string {
	forms := []string{
		secret, quoted(secret, true), quoted(secret, false),
		url.PathEscape(secret), url.QueryEscape(secret), strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"),
	}
	for _, form := range forms[3:] {
		forms = append(forms, lowerEscapes(form))
	}
	return forms
}

// quoted is a text inside of a JSON string. Whether angle brackets and ampersands are escaped depends on the writer.
func quoted(text string, escapeHTML bool) string {
	var written strings.Builder
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(escapeHTML)
	if encoder.Encode(text) != nil {
		return text // a string is always encoded
	}
	return strings.TrimSuffix(strings.TrimPrefix(written.String(), `"`), "\"\n")
}

// lowerEscapes writes %2F as %2f.
func lowerEscapes(escaped string) string {
	parts := strings.Split(escaped, "%")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToLower(parts[i][:2]) + parts[i][2:]
	}
	return strings.Join(parts, "%")
}
