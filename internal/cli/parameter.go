package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"xsoar-defender/params"
)

// platformKeys are keys of the params object that the platform adds to those of the integration.
func platformKeys() []string {
	return []string{
		"integrationReliability", "integrationLogLevel", "defaultIgnore", "engine", "engineGroup", "longRunning", "feed",
		"incidentFetchInterval", "alertFetchInterval", "mapperIn", "mapperOut", "outgoingMapperId", "incomingMapperId", "mappingId",
	}
}

// otherNames maps names that people use for parameters, in lower case and without separators, to the parameters. The
// label of a parameter is one of its names without being listed here.
func otherNames() map[string]string {
	return map[string]string{
		"clientid": "_auth_id", "applicationid": "_auth_id", "appid": "_auth_id", "authid": "_auth_id", "id": "_auth_id",
		"tenantid": "_tenant_id", "tenant": "_tenant_id", "directoryid": "_tenant_id", "token": "_tenant_id",
		"clientsecret": "credentials", "secret": "credentials", "key": "credentials", "clientcredentials": "credentials",
		"thumbprint": "creds_certificate", "certificatethumbprint": "creds_certificate", "certificate": "creds_certificate",
		"privatekey": "creds_certificate", "code": "auth_code", "authorizationcode": "auth_code", "redirecturi": "redirect_uri",
		"apiurl": "url", "serverurl": "url", "baseurl": "url", "authority": "azure_ad_endpoint", "authorityurl": "azure_ad_endpoint",
		"scope": "token_scope", "cloud": "endpoint_type", "endpoint": "endpoint_type", "authmode": "auth_type", "authentication": "auth_type",
		"selfdeployed": "self_deployed", "unsecure": "insecure", "trustanycertificate": "insecure", "useproxy": "proxy",
		"usesystemproxysettings": "proxy", "managedidentityclientid": "managed_identities_client_id", "reliability": "Reliability",
		"sourcereliability": "Reliability", "fetch": "isFetch", "fetchincidents": "isFetch",
	}
}

// plainName is a name without what people write differently.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-./()", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// parameterMeant finds the parameter that a key, which is not the name of one, stands for: by its label, by what people
// call it, or by its spelling.
func parameterMeant(key string) (params.Parameter, bool) {
	declared := params.Parameters()
	plain := plainName(key)
	for _, hidden := range []bool{false, true} {
		for _, one := range declared {
			if one.Hidden == hidden && (plainName(one.Display) == plain || plainName(one.DisplayPassword) == plain || plainName(one.Name) == plain) {
				return one, true
			}
		}
	}
	if name, ok := otherNames()[plain]; ok {
		return parameterNamed(name)
	}
	var names []string
	for _, one := range declared {
		names = append(names, one.Name)
	}
	if near := nearest(key, names); len(near) > 0 {
		return parameterNamed(near[0])
	}
	return params.Parameter{}, false
}

// parameterNamed finds a parameter by its exact name.
func parameterNamed(name string) (params.Parameter, bool) {
	for _, one := range params.Parameters() {
		if one.Name == name {
			return one, true
		}
	}
	return params.Parameter{}, false
}

// unknownParameters names the keys of an instance that are not parameters, each with the one that was meant. They have no
// effect, so they are reported.
func unknownParameters(given json.RawMessage) []string {
	var lines []string
	gjson.ParseBytes(given).ForEach(func(key, _ gjson.Result) bool {
		name := key.String()
		if _, known := parameterNamed(name); known || slices.Contains(platformKeys(), name) {
			return true
		}
		line := fmt.Sprintf("unknown parameter %q has no effect", name)
		if meant, ok := parameterMeant(name); ok {
			line += fmt.Sprintf("; did you mean %s (%s)?", meant.Name, meant.Display)
		}
		lines = append(lines, line)
		return true
	})
	return lines
}

// isSecret reports whether a parameter holds something that belongs in no argument of a program, where other users of the
// machine and the history of the shell see it.
func isSecret(one params.Parameter) bool {
	if strings.Contains(one.Name, "auth_id") || strings.Contains(one.Name, "tenant_id") || one.Name == "managed_identities_client_id" {
		return false
	}
	return one.Type == params.TypeEncryptedText || one.Type == params.TypeEncryptedMultiLine || one.Type == params.TypeCredentials
}

// looksLikeTenant reports whether a value is the ID or a domain of a tenant, and not the token of the Cortex XSOAR
// application, which goes in the same field and is secret.
func looksLikeTenant(value string) bool {
	return regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$|^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$|^(organizations|common)$`).MatchString(value)
}

// parameterValues are the parameters of an instance while it is put together.
type parameterValues map[string]any

// set puts a value at a parameter. Of credentials it is the password, or the identifier where that is what was named.
func (v parameterValues) set(one params.Parameter, key, value string) {
	if one.Type != params.TypeCredentials {
		v[one.Name] = value
		// Any other text stays, for the decoding to refuse.
		if selected := strings.EqualFold(value, "true"); one.Type == params.TypeCheckbox && (selected || strings.EqualFold(value, "false")) {
			v[one.Name] = selected
		}
		return
	}
	both := map[string]any{"identifier": "", "password": ""}
	if known, ok := v[one.Name].(map[string]any); ok {
		both = maps.Clone(known)
	}
	part := "password"
	if !one.HiddenUsername && isThumbprint(key) {
		part = "identifier"
	}
	both[part] = value
	v[one.Name] = both
}

// isThumbprint reports whether a key names the identifier of the certificate, which is not a secret.
func isThumbprint(key string) bool { return strings.Contains(strings.ToLower(key), "thumbprint") }
