// Command floor does the least that any program in this place must do for an execution: one token for the life of the
// process, one request, one check that the answer is JSON, and one line with the answer as contents and as context. It
// reads no arguments, keeps nothing, makes no table and forgives nothing. Benchmarks run it next to xsoar-defender, to show
// how much of what that takes is its own.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	if err := serve(context.Background(), bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)); !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// execution is the part of an execution line that the floor reads.
type execution struct {
	Command string `json:"command"`
	Params  struct {
		URL    string `json:"url"`
		Client string `json:"_auth_id"`
		Tenant string `json:"_tenant_id"`
		Secret struct {
			Password string `json:"password"`
		} `json:"credentials"`
	} `json:"params"`
}

func serve(ctx context.Context, in *bufio.Reader, out *bufio.Writer) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // as the benchmarks' instance says
	token := ""
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return err
		}
		var one execution
		if err := json.Unmarshal(line, &one); err != nil {
			return err
		}
		if token == "" {
			if token, err = signIn(ctx, client, one); err != nil {
				return err
			}
		}
		answer, err := ask(ctx, client, token, one)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, `{"type":"result","results":[{"Type":1,"ContentsFormat":"json","HumanReadable":"","Contents":%[1]s,"EntryContext":{"Answer":%[1]s}}]}`+"\n", answer)
		fmt.Fprintln(out, `{"type":"completed"}`)
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

func signIn(ctx context.Context, client *http.Client, one execution) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {one.Params.Client}, "client_secret": {one.Params.Secret.Password},
		"scope": {"https://api.securitycenter.microsoft.com/.default"},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, one.Params.URL+"/"+one.Params.Tenant+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var issued struct {
		Token string `json:"access_token"`
	}
	err = json.NewDecoder(answer.Body).Decode(&issued)
	return issued.Token, err
}

func ask(ctx context.Context, client *http.Client, token string, one execution) ([]byte, error) {
	path := "/api/machines?$top=1"
	if one.Command == "test-module" {
		path = "/api/alerts?$top=1"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, one.Params.URL+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && !json.Valid(body) {
		err = errors.New("the answer is not JSON")
	}
	return body, err
}
