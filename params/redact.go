package params

import (
	"net/url"
	"strings"
)

// shortestRedacted is the length below which a secret is not looked for: it would be found in harmless words.
const shortestRedacted = 6

// Redact replaces every secret of the instance in a text that will be seen, in the forms in which it may
// have got there: as it is, and escaped for an address.
func (i Instance) Redact(text string) string {
	for _, secret := range i.secrets() {
		if len(secret) < shortestRedacted {
			continue
		}
		text = strings.ReplaceAll(text, secret, redacted)
		text = strings.ReplaceAll(text, url.QueryEscape(secret), redacted)
	}
	return text
}

func (i Instance) secrets() []string {
	return []string{
		i.ClientSecret.Reveal(), i.Proxy.Key.Reveal(), i.Proxy.Token.Reveal(),
		i.Grant.Code.Reveal(), i.Grant.RefreshToken.Reveal(),
	}
}
