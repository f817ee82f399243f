package kql_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"xsoar-defender/internal/kql"
)

// Whatever the values, a query has the same tokens as with harmless values, but for the literals that stand for them.
func FuzzBuild(f *testing.F) {
	f.Add("evil.exe", "ws-001", false, 50, 1, int64(0), uint(0))
	f.Add(`") or true //`, `\`, true, 1, 2, int64(604_800_000), uint(5))
	f.Add("a\nb//@where", `'); DeviceInfo | take 1 //`, true, 100_000, 100_000, int64(1), uint(28))
	f.Add("\u202e\U000e0041🐈", "\x00\x7f\u2028", false, 7, 3, int64(-1), uint(30))
	f.Add("", "\xff", false, 0, 0, int64(1), uint(17))
	all := allQueries(f)
	f.Fuzz(func(t *testing.T, first, second string, and bool, limit, page int, milliseconds int64, which uint) {
		query := all[which%uint(len(all))]
		narrow := func(first, second string) kql.Conditions {
			conditions := narrowed(query, first, second)
			if len(conditions.Usernames) > 0 {
				conditions.Usernames = []string{`CONTOSO\` + first}
			}
			conditions.And, conditions.Limit, conditions.Page = and, limit, page
			conditions.TimeRange = time.Duration(milliseconds) * time.Millisecond
			return conditions
		}
		conditions := narrow(first, second)
		text, err := query.Family.Build(query.Purpose, conditions)
		valid := limit >= 1 && limit <= kql.MaxLimit && page >= 1 && page <= kql.MaxPage &&
			conditions.TimeRange >= 0 && conditions.TimeRange%time.Millisecond == 0
		for _, value := range texts(conditions) {
			valid = valid && value != "" && value != `CONTOSO\` && utf8.ValidString(value)
		}
		if !valid {
			if _, ok := errors.AsType[*kql.InvalidValueError](err); !ok {
				t.Fatalf("got %v, want an InvalidValueError", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkBalance(t, text)

		const harmlessFirst, harmlessSecond = "harmlessfirst", "harmlesssecond"
		harmless := build(t, query, narrow(harmlessFirst, harmlessSecond))
		got, want := tokenize(t, text), tokenize(t, harmless)
		if len(got) != len(want) {
			t.Fatalf("the query has %d tokens, want %d:\n%s", len(got), len(want), text)
		}
		values := strings.NewReplacer(harmlessFirst, first, harmlessSecond, second)
		for i := range want {
			if want[i].isString {
				want[i].text = values.Replace(want[i].text)
			}
			if got[i] != want[i] {
				t.Fatalf("token %d is %v, want %v:\n%s", i, got[i], want[i], text)
			}
		}
	})
}

// texts returns the values of all conditions that are texts.
func texts(c kql.Conditions) []string {
	return slices.Concat(c.DeviceNames, c.DeviceIDs, c.FileNames, c.SHA1, c.SHA256, c.MD5, c.Usernames, c.ProcessCommands)
}
