package auth

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// builder makes an azidentity credential that sends over an exchange.
type builder func(x *exchange) (azcore.TokenCredential, error)

// signIn gets a token from an azidentity credential that is made for this one sign-in. A credential that lived longer
// would return its cached token again after the API has refused it, and would carry the state of one instance to the next.
func (s settings) signIn(
	ctx context.Context, w wire, options policy.TokenRequestOptions, build builder,
) (azcore.AccessToken, error) {
	var token azcore.AccessToken
	err := w.within(ctx, func(ctx context.Context) error {
		x := w.open()
		credential, err := build(x)
		if err != nil {
			return x.explain(err)
		}
		if token, err = credential.GetToken(ctx, options); err != nil {
			return x.explain(err)
		}
		return nil
	})
	if err != nil {
		return azcore.AccessToken{}, err
	}
	token.ExpiresOn = s.byOurClock(token.ExpiresOn)
	return token, nil
}

// byOurClock turns a time that a library has computed by the machine's clock into one by the Environment's.
func (s settings) byOurClock(expires time.Time) time.Time {
	return s.env.Now().Add(time.Until(expires))
}
