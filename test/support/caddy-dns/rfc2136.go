// `dns rfc2136`: the records of a DNS server that takes signed updates (RFC 2136, RFC 8945).
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

// Seconds that the clocks of both sides may differ, as RFC 8945, 10 recommends.
const fudge = 300

func init() {
	caddy.RegisterModule(&rfc2136{})
}

type rfc2136 struct {
	KeyName string `json:"key_name"`
	KeyAlg  string `json:"key_alg"`
	Key     string `json:"key"`
	Server  string `json:"server"`
}

func (*rfc2136) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "dns.providers.rfc2136", New: func() caddy.Module { return new(rfc2136) }}
}

func (p *rfc2136) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	settings := map[string]*string{"key_name": &p.KeyName, "key_alg": &p.KeyAlg, "key": &p.Key, "server": &p.Server}
	for d.NextBlock(0) {
		setting, known := settings[d.Val()]
		if !known {
			return d.Errf("rfc2136 has no setting %q", d.Val())
		}
		if !d.AllArgs(setting) {
			return d.ArgErr()
		}
	}
	for name, value := range settings {
		if *value == "" {
			return d.Errf("rfc2136 needs %s", name)
		}
	}
	return nil
}

func (p *rfc2136) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, p.update(ctx, zone, records, (*dns.Msg).Insert)
}

func (p *rfc2136) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, p.update(ctx, zone, records, (*dns.Msg).Remove)
}

func (p *rfc2136) update(ctx context.Context, zone string, records []libdns.Record, change func(*dns.Msg, []dns.RR)) error {
	message := new(dns.Msg).SetUpdate(zone)
	for _, record := range records {
		rr := record.RR()
		if rr.Type != "TXT" {
			return fmt.Errorf("%s records are not supported", rr.Type)
		}
		header := dns.RR_Header{
			Name:   libdns.AbsoluteName(rr.Name, zone),
			Rrtype: dns.TypeTXT,
			Class:  dns.ClassINET,
			Ttl:    uint32(rr.TTL.Seconds()),
		}
		change(message, []dns.RR{&dns.TXT{Hdr: header, Txt: []string{rr.Data}}})
	}
	key := dns.Fqdn(p.KeyName)
	message.SetTsig(key, dns.Fqdn(p.KeyAlg), fudge, time.Now().Unix())
	client := dns.Client{Net: "tcp", TsigSecret: map[string]string{key: p.Key}}
	answer, _, err := client.ExchangeContext(ctx, message, p.Server)
	if err != nil {
		return err
	}
	if answer.Rcode != dns.RcodeSuccess {
		return fmt.Errorf("%s refused the update of %s: %s", p.Server, zone, dns.RcodeToString[answer.Rcode])
	}
	return nil
}
