package commands

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
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
