package defender

import (
	"context"
	"net/http"

	"xsoar-defender/internal/rawjson"
)

// The operations on files, domains, IP addresses and users.
var (
	GetFile             = Operation{Purpose: "read the file", Method: http.MethodGet, Path: "/api/files/{}", Docs: "/defender-endpoint/api/get-file-information", Application: mayReadFiles, Delegated: mayReadFiles, Rate: usualRate}
	GetFileStatistics   = Operation{Purpose: "read the statistics of the file", Method: http.MethodGet, Path: "/api/files/{}/stats", Docs: "/defender-endpoint/api/get-file-statistics", Application: mayReadFiles, Delegated: mayReadFiles, Rate: usualRate}
	ListFileAlerts      = Operation{Purpose: "list the alerts of the file", Method: http.MethodGet, Path: "/api/files/{}/alerts", Docs: "/defender-endpoint/api/get-file-related-alerts", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
	GetDomainStatistics = Operation{Purpose: "read the statistics of the domain", Method: http.MethodGet, Path: "/api/domains/{}/stats", Docs: "/defender-endpoint/api/get-domain-statistics", Application: mayReadURLs, Delegated: mayReadURLs, Rate: usualRate}
	ListDomainAlerts    = Operation{Purpose: "list the alerts of the domain", Method: http.MethodGet, Path: "/api/domains/{}/alerts", Docs: "/defender-endpoint/api/get-domain-related-alerts", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
	GetIPStatistics     = Operation{Purpose: "read the statistics of the IP address", Method: http.MethodGet, Path: "/api/ips/{}/stats", Docs: "/defender-endpoint/api/get-ip-statistics", Application: mayReadIPs, Delegated: mayReadIPs, Rate: usualRate}
	ListIPAlerts        = Operation{Purpose: "list the alerts of the IP address", Method: http.MethodGet, Path: "/api/ips/{}/alerts", Docs: "/defender-endpoint/api/get-ip-related-alerts", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
	ListUserAlerts      = Operation{Purpose: "list the alerts of the user", Method: http.MethodGet, Path: "/api/users/{}/alerts", Docs: "/defender-endpoint/api/get-user-related-alerts", Application: mayReadAlerts, Delegated: userReadsAlerts, Rate: usualRate}
)

// File reads what the service knows about a file, by SHA-1 or SHA-256.
func (c *Client) File(ctx context.Context, hash string) (rawjson.Value, error) {
	return c.get(ctx, GetFile, hash)
}

// FileStatistics reads how often a file was seen, by SHA-1 or SHA-256.
func (c *Client) FileStatistics(ctx context.Context, hash string) (rawjson.Value, error) {
	return c.get(ctx, GetFileStatistics, hash)
}

// FileAlerts lists the alerts of a file. The service accepts only a SHA-1 hash.
func (c *Client) FileAlerts(ctx context.Context, sha1 string) (List, error) {
	return c.list(ctx, ListFileAlerts, Query{}, sha1)
}

// DomainStatistics reads how many machines reached a domain.
func (c *Client) DomainStatistics(ctx context.Context, domain string) (rawjson.Value, error) {
	return c.get(ctx, GetDomainStatistics, domain)
}

// DomainAlerts lists the alerts of a domain.
func (c *Client) DomainAlerts(ctx context.Context, domain string) (List, error) {
	return c.list(ctx, ListDomainAlerts, Query{}, domain)
}

// IPStatistics reads how many machines reached an address.
func (c *Client) IPStatistics(ctx context.Context, ip string) (rawjson.Value, error) {
	return c.get(ctx, GetIPStatistics, ip)
}

// IPAlerts lists the alerts of an address.
func (c *Client) IPAlerts(ctx context.Context, ip string) (List, error) {
	return c.list(ctx, ListIPAlerts, Query{}, ip)
}

// UserAlerts lists the alerts of a user, named by account name without domain.
func (c *Client) UserAlerts(ctx context.Context, user string) (List, error) {
	return c.list(ctx, ListUserAlerts, Query{}, user)
}
