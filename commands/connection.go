package commands

import (
	"context"
	"slices"
	"strings"

	"xsoar-defender/answer"
	"xsoar-defender/auth"
	"xsoar-defender/defender"
	"xsoar-defender/params"
	"xsoar-defender/warroom"
)

func connectionCommands() []entry {
	return []entry{
		{"test-module", testModule},
		{"microsoft-atp-test", testConnection},
		{"microsoft-atp-generate-login-url", generateLoginURL},
		{"microsoft-atp-auth-reset", resetSignIn},
	}
}

func testModule() Command {
	return declare(Command{
		Name: "test-module", Area: Connection, Platform: true,
		Help: "Signs in and calls the API: what the Test button of an instance does.",
		Uses: []defender.Operation{defender.ListAlerts},
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if err := tryConnection(ctx, run); err != nil {
			return Report{}, err
		}
		return report(warroom.Say("ok")), nil
	})
}

// tryConnection signs in anew, so that a kept token does not hide that its secret is not valid any more, and
// reads one alert.
func tryConnection(ctx context.Context, run *Run) error {
	run.SignIn.Forget()
	_, err := run.API.Alerts(ctx, defender.Query{Limit: 1})
	return err
}

func testConnection() Command {
	type args struct{}
	return declare(Command{
		Name: "microsoft-atp-test", Area: Connection,
		Help: "Signs in, calls the API, and shows which permissions the sign-in holds and which commands they do not cover.",
		Uses: []defender.Operation{defender.ListAlerts},
	}, func(ctx context.Context, run *Run, _ args) (Report, error) {
		tried := tryConnection(ctx, run)
		claims, readable, err := run.SignIn.Claims(ctx)
		if err != nil {
			return Report{}, err
		}
		if tried != nil && (!readable || !isForbidden(tried)) {
			return Report{}, tried
		}
		entry := warroom.Entry{Blocks: []warroom.Block{warroom.Heading("Connection")}}
		if tried != nil {
			entry.Kind = warroom.Warning
			entry.Blocks = append(entry.Blocks, warroom.Paragraph("The sign-in works. "+tried.Error()))
		} else {
			entry.Blocks = append(entry.Blocks, warroom.Paragraph("The sign-in works and the API answers."))
		}
		if !readable {
			entry.Blocks = append(entry.Blocks, warroom.Paragraph("The access token cannot be read, so its permissions are not known."))
			return report(entry), nil
		}
		entry.Blocks = append(entry.Blocks, permissionBlocks(run.All(), claims)...)
		return report(entry), nil
	})
}

func isForbidden(err error) bool { return defender.StatusOf(err) == 403 }

// permissionBlocks compares what a token holds with what the commands need.
func permissionBlocks(all []Command, claims auth.Claims) []warroom.Block {
	held := slices.Concat(claims.Roles, claims.Scopes)
	slices.Sort(held)
	shown := "none"
	if len(held) > 0 {
		shown = strings.Join(held, ", ")
	}
	type gap struct{ Command, Missing string }
	var gaps []answer.Object
	for _, command := range all {
		if missing := command.missing(claims); len(missing) > 0 {
			gaps = append(gaps, answer.Make(gap{command.Name, strings.Join(missing, "; ")}))
		}
	}
	return []warroom.Block{
		warroom.Paragraph("Permissions of the token: " + shown + "."),
		warroom.Table{
			Title: "Commands that need more", Columns: []string{"Command", "Missing"},
			Records: warroom.Records{Rows: gaps}, Empty: "The permissions cover every command.",
		},
	}
}

// missing are the permissions of which a token holds none, for each operation that the command may call.
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
		Name: "microsoft-atp-generate-login-url", Area: Connection,
		Help: "Gives the address at which a user signs in, for instances with an authorization code.",
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if run.Instance.Mode != params.AuthorizationCode {
			return Report{}, wrong(run, "the instance does not sign in with an authorization code, so there is nobody to log in")
		}
		address, err := run.SignIn.LoginURL(ctx)
		if err != nil {
			return Report{}, err
		}
		return report(warroom.Entry{
			Blocks: []warroom.Block{
				warroom.Heading("Sign-in"),
				warroom.Link{Text: "Open this address and sign in", Address: address},
				warroom.Paragraph("Then copy the address of the page on which you end up, or the code in it, into the instance's Authorization code, save the instance and run !microsoft-atp-test. The code is valid for ten minutes."),
			},
			Contents: warroom.Text(address),
		}), nil
	})
}

func resetSignIn() Command {
	return declare(Command{
		Name: "microsoft-atp-auth-reset", Area: Connection,
		Help: "Forgets everything that is kept of the sign-in: tokens and a login that was begun.",
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		if err := auth.Reset(ctx, run.Host); err != nil {
			return Report{}, err
		}
		next := "The next command signs in anew."
		if run.Instance.Mode == params.AuthorizationCode {
			next = "Run !microsoft-atp-generate-login-url to log in again."
		}
		return report(warroom.Say("The sign-in was forgotten. " + next)), nil
	})
}
