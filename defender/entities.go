package defender

import (
	"context"

	"xsoar-defender/answer"
)

// The operations on files, domains, IP addresses and users.
var (
	GetFile             = read("read the file", "/api/files/{}", same("File.Read.All"))
	GetFileStatistics   = read("read the statistics of the file", "/api/files/{}/stats", same("File.Read.All"))
	ListFileAlerts      = read("list the alerts of the file", "/api/files/{}/alerts", readAlerts())
	GetDomainStatistics = read("read the statistics of the domain", "/api/domains/{}/stats", same("URL.Read.All"))
	ListDomainAlerts    = read("list the alerts of the domain", "/api/domains/{}/alerts", readAlerts())
	GetIPStatistics     = read("read the statistics of the IP address", "/api/ips/{}/stats", same("Ip.Read.All"))
	ListIPAlerts        = read("list the alerts of the IP address", "/api/ips/{}/alerts", readAlerts())
	ListUserAlerts      = read("list the alerts of the user", "/api/users/{}/alerts", readAlerts())
)

// File reads what the service knows of a file, by SHA-1 or SHA-256.
func (c *Client) File(ctx context.Context, hash string) (answer.Object, error) {
	return c.get(ctx, GetFile, hash)
}

// FileStatistics reads how often a file was seen, by SHA-1 or SHA-256.
func (c *Client) FileStatistics(ctx context.Context, hash string) (answer.Object, error) {
	return c.get(ctx, GetFileStatistics, hash)
}

// FileAlerts lists the alerts of a file. The service takes a SHA-1 hash only.
func (c *Client) FileAlerts(ctx context.Context, sha1 string) (List, error) {
	return c.list(ctx, ListFileAlerts, Query{}, sha1)
}

// DomainStatistics reads how many machines reached a domain.
func (c *Client) DomainStatistics(ctx context.Context, domain string) (answer.Object, error) {
	return c.get(ctx, GetDomainStatistics, domain)
}

// DomainAlerts lists the alerts of a domain.
func (c *Client) DomainAlerts(ctx context.Context, domain string) (List, error) {
	return c.list(ctx, ListDomainAlerts, Query{}, domain)
}

// IPStatistics reads how many machines reached an address.
func (c *Client) IPStatistics(ctx context.Context, ip string) (answer.Object, error) {
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
