package auth_test

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"xsoar-defender/auth"
)

func jwtOf(body string) string {
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(body)) + ".c2lnbmF0dXJl"
}

func TestReadClaims(t *testing.T) {
	for _, test := range []struct {
		name, token string
		want        auth.Claims
		unreadable  bool
	}{
		{name: "application", token: jwtOf(`{"aud":"https://api.securitycenter.microsoft.com","tid":"t","appid":"a","roles":["Machine.Read.All","Alert.Read.All"],"exp":1700000000}`), want: auth.Claims{
			Roles: []string{"Machine.Read.All", "Alert.Read.All"}, Audience: "https://api.securitycenter.microsoft.com", Tenant: "t", AppID: "a",
			Scopes: []string{}, Expires: time.Unix(1700000000, 0),
		}},
		{name: "user", token: jwtOf(`{"aud":["x","y"],"azp":"a","scp":"Machine.Read  Alert.Read"}`), want: auth.Claims{
			Scopes: []string{"Machine.Read", "Alert.Read"}, Audience: "x", AppID: "a",
		}},
		{name: "with a beginning", token: jwtOf(`{"nbf":1700000000,"exp":1700003600}`), want: auth.Claims{
			Scopes: []string{}, NotBefore: time.Unix(1700000000, 0), Expires: time.Unix(1700003600, 0),
		}},
		{name: "padded", token: strings.Replace(jwtOf(`{"tid":"ttt"}`), ".c2ln", "==.c2ln", 1), want: auth.Claims{Tenant: "ttt", Scopes: []string{}}},
		{name: "nothing", token: jwtOf(`{}`), want: auth.Claims{Scopes: []string{}}},
		{name: "empty", token: "", unreadable: true},
		{name: "opaque", token: "0.AAAA", unreadable: true},
		{name: "encrypted", token: "a.b.c.d.e", unreadable: true},
		{name: "not base64", token: "a.!.c", unreadable: true},
		{name: "not JSON", token: jwtOf(`{`), unreadable: true},
		{name: "a list of scopes", token: jwtOf(`{"scp":["a","b c"]}`), want: auth.Claims{Scopes: []string{"a", "b", "c"}}},
		{name: "no time", token: jwtOf(`{"tid":"t","exp":"soon","nbf":[]}`), want: auth.Claims{Tenant: "t", Scopes: []string{}}},
		{name: "roles that are not text", token: jwtOf(`{"roles":["a",7,null,{"b":1},"c"],"tid":"t"}`), want: auth.Claims{Roles: []string{"a", "c"}, Tenant: "t", Scopes: []string{}}},
		{name: "one role", token: jwtOf(`{"roles":"a"}`), want: auth.Claims{Roles: []string{"a"}, Scopes: []string{}}},
		{name: "no list of roles", token: jwtOf(`{"roles":{"a":1},"aud":7,"tid":null,"appid":[],"azp":"p"}`), want: auth.Claims{AppID: "p", Scopes: []string{}}},
		{name: "list", token: jwtOf(`[]`), unreadable: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := auth.ReadClaims(test.token)
			if ok == test.unreadable || !reflect.DeepEqual(got, test.want) {
				t.Errorf("ReadClaims() = %+v, %t, want %+v, %t", got, ok, test.want, !test.unreadable)
			}
		})
	}
}

func FuzzReadClaims(f *testing.F) {
	f.Add("")
	f.Add("..")
	f.Add(jwtOf(`{"roles":["a"],"scp":"b c","aud":["d"],"exp":1e400}`))
	f.Add(jwtOf(`{"aud":{},"exp":-9223372036854775808}`))
	f.Fuzz(func(t *testing.T, token string) {
		claims, ok := auth.ReadClaims(token)
		if !ok && !reflect.DeepEqual(claims, auth.Claims{}) {
			t.Errorf("ReadClaims(%q) = %+v, false, want no claims of what cannot be read", token, claims)
		}
		for _, scope := range claims.Scopes {
			if scope == "" || strings.ContainsAny(scope, " \t\n") {
				t.Errorf("ReadClaims(%q) has the scope %q, want single words", token, scope)
			}
		}
	})
}
