// `dns duckdns TOKEN`: the one TXT record of a name at DuckDNS (https://www.duckdns.org/spec.jsp).
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/libdns/libdns"
)

func init() {
	caddy.RegisterModule(&duckdns{})
}

type duckdns struct {
	Token          string `json:"api_token"`
	OverrideDomain string `json:"override_domain"`
}

func (*duckdns) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "dns.providers.duckdns", New: func() caddy.Module { return new(duckdns) }}
}

func (p *duckdns) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&p.Token) {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		if d.Val() != "override_domain" || !d.AllArgs(&p.OverrideDomain) {
			return d.ArgErr()
		}
	}
	return nil
}

func (p *duckdns) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	for _, record := range records {
		if err := p.call(ctx, zone, record, url.Values{"txt": {record.RR().Data}}); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func (p *duckdns) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	for _, record := range records {
		if err := p.call(ctx, zone, record, url.Values{"txt": {""}, "clear": {"true"}}); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func (p *duckdns) call(ctx context.Context, zone string, record libdns.Record, query url.Values) error {
	domain := p.OverrideDomain
	if domain == "" {
		domain = libdns.AbsoluteName(record.RR().Name, zone)
	}
	// The name that the account owns is the label before duckdns.org.
	labels := strings.Split(strings.TrimSuffix(strings.TrimSuffix(domain, "."), ".duckdns.org"), ".")
	query.Set("domains", labels[len(labels)-1])
	query.Set("token", p.Token)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://www.duckdns.org/update?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("DuckDNS did not answer for %s", domain)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 100))
	if err != nil || !strings.HasPrefix(string(body), "OK") {
		return fmt.Errorf("DuckDNS refused the record of %s", domain)
	}
	return nil
}
