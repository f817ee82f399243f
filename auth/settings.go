package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"net/url"

	"xsoar-defender/params"
)

// settings is what a sign-in mode is made from.
type settings struct {
	instance params.Instance
	scope    string
	// lastScope reports that no other scope is tried if the tenant does not know this one.
	lastScope bool
	env       Environment
}

// secret gives the instance's own secret, which what is kept is sealed with. It is empty for modes that have none.
func (s settings) secret() []byte {
	switch s.instance.Mode {
	case params.CortexApplication:
		return s.instance.Proxy.KeyBytes
	case params.ClientSecret, params.ClientCertificate, params.AuthorizationCode:
		if certificate := s.instance.Certificate; certificate != nil && certificate.Key != nil {
			return x509.MarshalPKCS1PrivateKey(certificate.Key)
		}
		return []byte(s.instance.ClientSecret.Reveal())
	}
	return nil
}

// fingerprint names a configuration: everything of the instance that its tokens are made from, and more. A change of any
// of it gives another name, under which no token of before is found. It is keyed with the secret, so it tells nothing of it.
func (s settings) fingerprint(more ...string) string {
	i := s.instance
	parts := []string{
		i.Mode.String(), i.Cloud.Authority, i.TenantID, i.ClientID, i.RedirectURI, i.ManagedIdentityClientID,
		i.Proxy.URL, i.Proxy.ID, i.Proxy.Token.Reveal(),
	}
	if i.Certificate != nil {
		parts = append(parts, string(i.Certificate.Thumbprint))
	}
	return digest(s.secret(), append(parts, more...)...)
}

// digest gives a short name of parts. Each goes in with its length, so that no two lists of parts look the same.
func digest(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// endpoint gives an address of the tenant at the authority, such as its "token" endpoint.
func (s settings) endpoint(name string) string {
	return s.instance.Cloud.Authority + "/" + url.PathEscape(s.instance.TenantID) + "/oauth2/v2.0/" + name
}

// fail makes an error of this sign-in mode.
func (s settings) fail(code, message, remedy string, err error) *Error {
	return &Error{Mode: s.instance.Mode, Code: code, Message: message, Remedy: remedy, Err: err}
}
