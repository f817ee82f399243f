package commands

import (
	"context"
	"slices"
	"strings"

	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/internal/diagnosis"
	"xsoar-defender/internal/rawjson"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func connectionCommands() []func() Command {
	return []func() Command{
		testModule,
		testConnection,
		generateLoginURL,
		resetSignIn,
		listPermissions,
	}
}

func testModule() Command {
	return declare(Command{
		Name: TestCommand, Area: Connection, Platform: true,
		Help: "Signs in and calls the API, as the Test button of an instance does.",
		Uses: []defender.Operation{defender.ListAlerts, defender.ListIncidents, defender.GetIncident},
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if problems := run.Instance.Fetch.Problems; problems != nil {
			return Report{}, problems
		}
		if run.Instance.Mode == params.AuthorizationCode {
			return Report{}, &LoginTestError{LoggedIn: run.Instance.Grant != params.Grant{}}
		}
		if err := warroom.ProbeFolder(run.Host); err != nil {
			return Report{}, err
		}
		if err := diagnosis.Try(ctx, run.SignIn, run.API, run.Instance.Fetch.Type); err != nil {
			return Report{}, err
		}
		return report(warroom.Say("ok")), nil
	})
}

// LoginTestError is the answer of the Test button of an instance that users log in to. While the platform tests an
// instance it neither reads nor writes the integration context: whatever the test redeemed, a code or a refresh token,
// would be lost. See https://xsoar.pan.dev/docs/integrations/integration-cache.
type LoginTestError struct{ LoggedIn bool }

func (e *LoginTestError) Error() string {
	first := ""
	if !e.LoggedIn {
		first = "run !" + LoginCommand + " and log in, then "
	}
	return "The Test button cannot test the Authentication Type Authorization Code, because it would use up the login: save the instance, " +
		first + "run !microsoft-atp-test in the War Room."
}

func testConnection() Command {
	type args struct{}
	return declare(Command{
		Name: DiagnosisCommand, Area: Connection,
		Help: "Diagnoses the connection: signs in, calls the API, checks everything on the way there, and shows which permissions the token has and which commands they do not cover.",
		Uses: []defender.Operation{defender.ListAlerts, defender.ListIncidents, defender.GetIncident}, Outputs: []Output{diagnosisOutput()},
	}, func(ctx context.Context, run *Run, _ args) (Report, error) {
		found := run.Diagnose(ctx)
		if err := found.Err(); err != nil {
			return Report{}, err
		}
		return report(DiagnosisEntry(found)), nil
	})
}

// diagnosisOutput returns the table and the context path of the checks.
func diagnosisOutput() Output {
	return Output{
		Path: "MicrosoftATP.Diagnosis", Key: "val.Check === obj.Check", Title: "Checks",
		View: warroom.NewView(
			warroom.Field{Name: "Check", From: "Check", Type: warroom.String, Help: "What was checked."},
			warroom.Field{Name: "Result", From: "Result", Type: warroom.String, Help: "ok, warning, failed or not checked."},
			warroom.Field{Name: "Found", From: "Found", Type: warroom.String, Help: "What was found, or why it was not checked."},
			warroom.Field{Name: "Remedy", From: "Remedy", Type: warroom.String, Help: "What to do about it, if anything."},
		),
	}
}

// DiagnosisEntry shows a diagnosis, and puts its checks in the context.
func DiagnosisEntry(found *diagnosis.Diagnosis) warroom.Entry {
	out := diagnosisOutput()
	rows := make([]rawjson.Value, len(found.Checks))
	for i, check := range found.Checks {
		rows[i] = rawjson.Make(check)
	}
	entry := out.rowsEntry(rows, found.JSON())
	entry.Blocks = append([]warroom.Block{warroom.Heading("Connection"), warroom.Paragraph(found.Verdict)}, entry.Blocks...)
	if found.Failed() {
		entry.Kind = warroom.Warning
	}
	if found.Unreadable {
		entry.Blocks = append(entry.Blocks, warroom.Paragraph("The access token cannot be read, so its permissions are not known."))
	}
	if found.Known {
		entry.Blocks = append(entry.Blocks, permissionBlocks(found.Held, found.Gaps)...)
	}
	return entry
}

// Gaps returns the commands of the registry that a token with these claims does not permit.
func (r *Registry) Gaps(claims auth.Claims) []diagnosis.Gap {
	var found []diagnosis.Gap
	for _, command := range r.All() {
		if missing := command.missing(claims); len(missing) > 0 {
			found = append(found, diagnosis.Gap{Command: command.Name, Missing: strings.Join(missing, "; ")})
		}
	}
	return found
}

// permissionBlocks shows the permissions of a token, and those that commands lack.
func permissionBlocks(held []string, gaps []diagnosis.Gap) []warroom.Block {
	shown := "none"
	if len(held) > 0 {
		shown = strings.Join(held, ", ")
	}
	rows := make([]rawjson.Value, len(gaps))
	for i, gap := range gaps {
		rows[i] = rawjson.Make(gap)
	}
	return []warroom.Block{
		warroom.Paragraph("Permissions of the token: " + shown + "."),
		warroom.Table{
			Title: "Commands that need more", Columns: []string{"Command", "Missing"},
			Records: warroom.Records{Rows: rows}, Empty: "The permissions cover every command.",
		},
	}
}

// missing returns, for each operation that the command may call and the token does not allow, the permissions that
// would allow it.
func (c Command) missing(claims auth.Claims) []string {
	var missing []string
	for _, operation := range c.Uses {
		needed, held := operation.Application, claims.Roles
		if len(claims.Roles) == 0 && len(claims.Scopes) > 0 {
			needed, held = operation.Delegated, claims.Scopes
		}
		covered := len(needed) == 0 || operation.Graph || slices.ContainsFunc(needed, func(name string) bool { return slices.Contains(held, name) })
		if text := strings.Join(needed, " or "); !covered && !slices.Contains(missing, text) {
			missing = append(missing, text)
		}
	}
	return missing
}

func generateLoginURL() Command {
	return declare(Command{
		Name: LoginCommand, Area: Connection,
		Help: "Returns the address at which a user signs in, for instances that use an authorization code.",
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if run.Instance.Mode != params.AuthorizationCode {
			return Report{}, wrong(run, "the instance does not sign in with an authorization code, so no login is needed")
		}
		address, err := run.SignIn.LoginURL(ctx)
		if err != nil {
			return Report{}, err
		}
		return report(warroom.Entry{
			Blocks: []warroom.Block{
				warroom.Heading("Sign-in"),
				warroom.Link{Text: "Open this address and sign in", Address: address},
				warroom.Paragraph("Then copy the address of the page that you are sent to, or the code in it, to the Authorization code parameter of the instance, save the instance and run !microsoft-atp-test. The code is valid for ten minutes."),
			},
			Contents: warroom.Text(address),
		}), nil
	})
}

func resetSignIn() Command {
	return declare(Command{
		Name: "microsoft-atp-auth-reset", Area: Connection,
		Help: "Deletes everything that is stored about the sign-in: tokens, and a login that was started but not finished.",
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if err := run.SignIn.Reset(ctx); err != nil {
			return Report{}, err
		}
		next := "The next command signs in again."
		if run.Instance.Mode == params.AuthorizationCode {
			next = "Run !" + LoginCommand + " to log in again."
		}
		return report(warroom.Say("The stored sign-in was deleted. " + next)), nil
	})
}
