package auth

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"golang.org/x/oauth2"
)

// defaultLife is how long a token is assumed to live if its answer does not say. The default is 60 to 90 minutes
// (https://learn.microsoft.com/entra/identity-platform/access-tokens).
const defaultLife = time.Hour

// oauthContext makes package oauth2 send over the exchange.
func (x *exchange) oauthContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport: roundTripper{x.pipeline()},
		// A redirect would carry the proof of the application and the grant to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// roundTripper sends requests through a pipeline, which tries again as azidentity does.
type roundTripper struct{ pipeline runtime.Pipeline }

func (t roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if err := request.Body.Close(); err != nil {
		return nil, err
	}
	copied, err := runtime.NewRequest(request.Context(), request.Method, request.URL.String())
	if err != nil {
		return nil, err
	}
	if err := copied.SetBody(streaming.NopCloser(bytes.NewReader(body)), request.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	return t.pipeline.Do(copied)
}
