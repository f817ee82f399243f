package platform_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"xsoar-defender/commands"
	"xsoar-defender/execution"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/platform"
	"xsoar-defender/platform/platformtest"
	"xsoar-defender/warroom"
)

// BenchmarkDecodeExecution reads execution lines: of a usual size, and with arguments of a megabyte.
func BenchmarkDecodeExecution(b *testing.B) {
	for name, ids := range map[string]int{"usual": 1, "25000_ids": 25_000} {
		line := platformtest.Request{
			Command: "microsoft-atp-isolate-machine", Params: map[string]any{"url": "https://127.0.0.1", "credentials": map[string]any{"password": "p"}},
			Args: map[string]any{"machine_id": strings.Repeat("4899036531e374137f63289c3267bad772c13fef,", ids), "comment": "c"},
		}.Line()
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := platform.DecodeExecution(line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// prepared runs nothing and reports an entry that is ready.
type prepared struct{ entry warroom.Entry }

func (p prepared) Run(context.Context, execution.Request, commands.Host) execution.Result {
	return execution.Result{Entries: []warroom.Entry{p.entry}}
}

// BenchmarkServe answers an execution whose entry is ready: what the loop and the writing of entries cost.
func BenchmarkServe(b *testing.B) {
	view := warroom.NewView(warroom.Field{Name: "ID", From: "id"}, warroom.Field{Name: "Name", From: "computerDnsName"}, warroom.Field{Name: "OS", From: "osPlatform"})
	for _, machines := range []int{1, 1000, 10_000} {
		rows := make([]rawjson.Value, machines)
		for i := range rows {
			rows[i] = rawjson.Make(map[string]any{"id": fmt.Sprintf("%040x", i), "computerDnsName": fmt.Sprintf("ws-%d", i), "osPlatform": "Windows11", "osBuild": 22631})
		}
		whole := `{"value":` + rawjson.Join(rows) + `}`
		records := warroom.Records{View: view, Rows: rows}
		runner := prepared{warroom.Entry{
			Blocks:   []warroom.Block{warroom.Table{Title: "Machines", Records: records}},
			Context:  []warroom.Context{{Path: "MicrosoftATP.Machine(val.ID === obj.ID)", Value: records}},
			Contents: warroom.Raw(whole),
		}}
		line := platformtest.Request{Command: "microsoft-atp-get-machines"}.Line() + "\n"
		b.Run(fmt.Sprintf("%d_machines", machines), func(b *testing.B) {
			b.SetBytes(int64(len(whole)))
			b.ReportAllocs()
			for b.Loop() {
				err := platform.Serve(b.Context(), platform.Options{
					In: strings.NewReader(line), Out: io.Discard, Errors: io.Discard, Runner: runner,
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
