package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFolderOfPlaybooksMayHoldBrokenJSONOfOtherKinds(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"other.json": `{"broken": `,
		"main.yml":   "id: a\nname: a\nstarttaskid: \"0\"\ntasks:\n  \"0\":\n    id: \"0\"\n    type: playbook\n    task:\n      id: x\n      name: sub\n      playbookName: not among the files\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, "check-playbook", folder)
	w.run(t, 0)
	if got := w.out.String(); strings.Contains(got, "everything is served") || !strings.Contains(got, "everything that was checked is served") {
		t.Errorf("got %q, want that a sub-playbook was not checked", got)
	}
	if err := os.WriteFile(filepath.Join(folder, "broken.json"), []byte(`{"id":"b","tasks":{`), 0o600); err != nil {
		t.Fatal(err)
	}
	newWorld(t, "check-playbook", folder).run(t, 2)
}
