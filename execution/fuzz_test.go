package execution_test

import (
	"net/http"
	"strings"
	"testing"

	"xsoar-defender/execution"
)

// FuzzProxyAddress reads any text as the address of a proxy: it is used as an address with a host, or an error names the
// variable. An error never shows the password in the address.
func FuzzProxyAddress(f *testing.F) {
	for _, seed := range [][2]string{
		{"http://user:", "@proxy:8080"}, {"", ""}, {"proxy:", ""}, {"socks5://", "@proxy"}, {"http://user:", "%zz@proxy"}, {"http://[::1", ""}, {"ftp://", "@x"}, {"\x7f", " "}, {"https://u:", "@proxy\\@x"},
	} {
		f.Add(seed[0], seed[1])
	}
	const password = "hidden-password-of-the-proxy"
	f.Fuzz(func(t *testing.T, before, after string) {
		variables := map[string]string{"HTTPS_PROXY": before + password + after}
		client := execution.NewTransports().For(decode(t, with(basic(), map[string]any{"proxy": true})), environment(variables))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.security.microsoft.com/api/machines", nil)
		if err != nil {
			t.Fatal(err)
		}
		found, err := execution.TransportOf(client).Proxy(request)
		switch {
		case err != nil && (strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "HTTPS_PROXY")):
			t.Errorf("%q: got %v, want an error that names the variable and not its value", variables, err)
		case err == nil && found != nil && found.Host == "":
			t.Errorf("%q: got %+v, want an address with a host", variables, found)
		}
	})
}
