package pack_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"xsoar-defender/commands/commandstest"
)

// The classifier and the mapper with the keys that demisto-sdk's schemas of them know (classifier.yml and mapper.yml).
// Decoding is strict.
type (
	classifier struct {
		ID, Name, Description, Type, FromVersion string
		Version                                  int
		Feed                                     bool
		DefaultIncidentType                      string
		Transformer                              advanced
		KeyTypeMap                               map[string]string
		UnclassifiedCases                        map[string]any
		PropagationLabels                        []string
	}
	mapper struct {
		ID, Name, Description, Type, FromVersion string
		Version                                  int
		Feed                                     bool
		Mapping                                  map[string]mapping
	}
	mapping struct {
		DontMapEventToLabels bool
		InternalMapping      map[string]advanced
	}
	advanced struct {
		Simple  string
		Complex *struct {
			Root, Accessor string
			Filters        [][]struct {
				Left struct {
					IsContext bool
					Value     advanced
				}
				Operator string
			}
			Transformers []struct {
				Operator string
				Args     map[string]any
			}
		}
	}
)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestClassifierLeadsToTheIncidentTypeOfThePack(t *testing.T) {
	_, files := unpack(t, source(t))
	var read classifier
	decode(t, files[classifierPath], &read)
	if read.Type != "classification" || read.Version != -1 || read.Feed {
		t.Errorf("got the type %q, the version %d and feed %t, want a classifier of incidents", read.Type, read.Version, read.Feed)
	}
	if want := gjson.Get(files[typePath], "id").Str; read.DefaultIncidentType != want {
		t.Errorf("got the incident type %q, want that of the pack, %q", read.DefaultIncidentType, want)
	}
	all := reference(t, files)
	for value, incidentType := range read.KeyTypeMap {
		for _, problem := range missing(value, incidentType, all.types) {
			t.Error(problem)
		}
	}
}

// onlyMirrored are fields of alerts that have a value only if the instance mirrors, or if something went wrong.
func onlyMirrored() []string {
	return []string{"External Link", "IncomingMirrorError", "dbotMirrorDirection", "dbotMirrorInstance", "dbotMirrorTags"}
}

// TestMapperMapsWhatIsFetched maps the alerts of the simulated tenant: every field gets a value of one of them.
func TestMapperMapsWhatIsFetched(t *testing.T) {
	_, files := unpack(t, source(t))
	var read mapper
	decode(t, files[mapperPath], &read)
	if read.Type != "mapping-incoming" || read.Version != -1 || read.Feed {
		t.Errorf("got the type %q, the version %d and feed %t, want a mapper of incidents that come in", read.Type, read.Version, read.Feed)
	}
	fields := read.Mapping["Microsoft Defender For Endpoint"].InternalMapping
	alerts := fetched(t)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		filled := slices.ContainsFunc(alerts, func(alert gjson.Result) bool { return value(fields[field], alert).String() != "" })
		if filled == slices.Contains(onlyMirrored(), field) {
			t.Errorf("%s gets a value from one of %d alerts: %t", field, len(alerts), filled)
		}
	}
}

// value returns the value that the platform takes for a field, as far as this mapper needs it.
func value(of advanced, alert gjson.Result) gjson.Result {
	if of.Complex == nil {
		return alert.Get(of.Simple)
	}
	if of.Complex.Accessor == "" {
		return alert.Get(of.Complex.Root)
	}
	for _, item := range alert.Get(of.Complex.Root).Array() {
		keep := true
		for _, alternatives := range of.Complex.Filters {
			for _, one := range alternatives {
				key := strings.TrimPrefix(one.Left.Value.Simple, of.Complex.Root+".")
				keep = keep && one.Operator == "isNotEmpty" && item.Get(key).String() != ""
			}
		}
		if keep {
			return item.Get(of.Complex.Accessor)
		}
	}
	return gjson.Result{}
}

// fetched are alerts as an incident holds them.
func fetched(t *testing.T) []gjson.Result {
	t.Helper()
	instance := commandstest.New(t)
	maps.Copy(instance.Params, map[string]any{
		"isFetch": true, "fetch_evidence": true, "fetch_status": "New,InProgress,Resolved", "max_fetch": "200", "first_fetch_timestamp": "30 days",
	})
	var alerts []gjson.Result
	// The platform takes incidents from a text that holds JSON.
	incidents := gjson.Parse(instance.Run("fetch-incidents", nil).Entry().Raw().Str)
	for _, incident := range incidents.Array() {
		alerts = append(alerts, gjson.Parse(incident.Get("rawJSON").Str))
	}
	if len(alerts) == 0 {
		t.Fatal("nothing was fetched")
	}
	return alerts
}
