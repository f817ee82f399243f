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

// settings hold the inputs of a sign-in mode.
type settings struct {
	instance params.Instance
	scope    string
	env      Environment
}

// secret returns the instance's own secret, with which records are sealed. It is empty for modes that have none.
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

// fingerprint names a configuration: everything in the instance that its tokens depend on, and more. After a change of any
// of it the name is another one, under which no earlier token is found. It is keyed with the secret, so it does not reveal it.
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

// digest returns a short name of parts. Each is hashed with its length, so that no two lists of parts look the same.
func digest(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// endpoint returns an address of the tenant at the authority, such as its "token" endpoint.
func (s settings) endpoint(name string) string {
	return s.instance.Cloud.Authority + "/" + url.PathEscape(s.instance.TenantID) + "/oauth2/v2.0/" + name
}

// fail makes an error of this sign-in mode.
func (s settings) fail(code, message, remedy string, err error) *Error {
	return &Error{Mode: s.instance.Mode, Code: code, Message: message, Remedy: remedy, Err: err}
}
