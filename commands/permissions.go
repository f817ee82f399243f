package commands

import (
	"context"
	"slices"
	"strings"

	"xsoar-defender/warroom"
)

// UnreadableTokenError reports that an access token is not one whose claims can be read, which Microsoft leaves itself
// free to issue.
type UnreadableTokenError struct{}

func (*UnreadableTokenError) Error() string {
	return "The access token cannot be read, so its permissions are not known. Look at the permissions of the application in Microsoft Entra ID."
}

func listPermissions() Command {
	return declare(Command{
		Name: "microsoft-atp-list-auth-permissions", Area: Connection,
		Help: "Lists the permissions of the access token: those of the application, and those of a user who logged in.",
	}, func(ctx context.Context, run *Run, _ noArguments) (Report, error) {
		claims, readable, err := run.SignIn.Claims(ctx)
		switch {
		case err != nil:
			return Report{}, err
		case !readable:
			return Report{}, &UnreadableTokenError{}
		}
		held := slices.Compact(slices.Sorted(slices.Values(slices.Concat(claims.Roles, claims.Scopes))))
		text := strings.Join(held, "\n")
		if held == nil {
			text = "The token holds no permissions. Add permissions of WindowsDefenderATP to the application, and grant admin consent."
		}
		return report(warroom.Entry{
			Blocks: []warroom.Block{warroom.Heading("Permissions"), warroom.Paragraph(text)}, Contents: warroom.Text(text),
		}), nil
	})
}
