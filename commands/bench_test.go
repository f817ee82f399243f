package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"xsoar-defender/defender"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/internal/testclock"
)

// BenchmarkFind declares a command, as every execution does once.
func BenchmarkFind(b *testing.B) {
	registry := NewRegistry()
	b.ReportAllocs()
	for b.Loop() {
		if _, known := registry.Find("microsoft-atp-get-machines"); !known {
			b.Fatal("the command is gone")
		}
	}
}

// BenchmarkBind reads the arguments of an execution.
func BenchmarkBind(b *testing.B) {
	type args struct {
		Machines []string      `arg:"machine_id" required:"true"`
		Comment  string        `arg:"comment" required:"true"`
		Kind     string        `arg:"isolation_type" values:"Full,Selective"`
		Limit    int           `arg:"limit" default:"50" min:"1"`
		Range    time.Duration `arg:"time_range"`
	}
	arguments := argumentsOf(reflect.TypeFor[args](), false)
	raw := map[string]json.RawMessage{
		"machine_id": json.RawMessage(`"a,b,c,a"`), "comment": json.RawMessage(`"c"`), "isolation_type": json.RawMessage(`"full"`),
		"time_range": json.RawMessage(`"3 days"`),
	}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		var in args
		if err := bind(reflect.ValueOf(&in).Elem(), "command", arguments, raw, now); err != nil {
			b.Fatal(err)
		}
	}
}

// prepared answers every request with the same body.
type prepared string

func (p prepared) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(p))), ContentLength: int64(len(p))}, nil
}

// signed is a token source that always has a token.
type signed struct{}

func (signed) Token(context.Context, *url.URL) (string, error) { return "token", nil }

func (signed) Renew(context.Context, *url.URL, string) (string, error) { return "token", nil }

// BenchmarkExecute makes entries from an answer of the API: the cost of a command between the network and the encoding.
func BenchmarkExecute(b *testing.B) {
	command, _ := NewRegistry().Find("microsoft-atp-get-machines")
	for _, count := range []int{1, 1000, 10_000} {
		machines := make([]rawjson.Value, count)
		for i := range machines {
			machines[i] = rawjson.Value(fmt.Sprintf(`{"id":"%040x","computerDnsName":"ws-%06d.contoso.example","lastSeen":"2026-10-10T18:10:20.0316331Z","osPlatform":"Windows11",`+
				`"osVersion":null,"version":"23H2","lastIpAddress":"10.2.0.17","healthStatus":"Active","rbacGroupId":140,"riskScore":"Low","exposureLevel":"Low",`+
				`"machineTags":["tag 1","prod"],"ipAddresses":[{"ipAddress":"10.2.0.17","macAddress":"8C005AA1B2C3","type":"Ethernet","operationalStatus":"Up"}]}`, i, i))
		}
		body := prepared(`{"value":` + rawjson.Join(machines) + `}`)
		clock := testclock.New(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		raw := map[string]json.RawMessage{"page_size": json.RawMessage(`"10000"`)}
		b.Run(fmt.Sprintf("%d_machines", count), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				client := defender.New(defender.Options{
					Clock: clock.Clock(), API: &url.URL{Scheme: "https", Host: "api.example"}, Tokens: signed{}, Transport: body,
				})
				report, err := command.Execute(b.Context(), &Run{API: client, Now: clock.Now}, raw)
				if err != nil || len(report.Entries) != 1 {
					b.Fatalf("got %d entries and %v", len(report.Entries), err)
				}
			}
		})
	}
}
