// Our network rules and limits, merged into a project's wasmrun.toml.

import { BlockList } from 'node:net';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import {
  DENIED_RANGES,
  listOwnAddresses,
  renderStagedConfig,
} from '../../../src/app/project/network-policy.ts';
import { parseProjectConfig } from '../../../src/app/project/project-config.ts';

const render = (text: string, own: string[] = []) => parse(renderStagedConfig(parseProjectConfig(text), own));

describe('renderStagedConfig', () => {
  it('denies our ranges and this machine’s addresses if the project has no rules', () => {
    expect(render('', ['203.0.113.5/32'])).toEqual({
      os: { limits: { max_output_mb: 1 }, network: { deny: [...DENIED_RANGES, '203.0.113.5/32'] } },
    });
  });

  it('adds the rules of the project and keeps all of our own', () => {
    const staged = render('[os.network]\ndeny = ["example.com", "10.0.0.0/8"]\nallow = ["127.0.0.0/8"]\n');
    expect(staged).toMatchObject({
      os: { network: { allow: ['127.0.0.0/8'], deny: [...DENIED_RANGES, 'example.com'] } },
    });
    expect(render('[os.network]\ndeny = []\n')).toMatchObject({
      os: { network: { deny: [...DENIED_RANGES] } },
    });
  });

  it('keeps keys that it does not know, and narrows limits', () => {
    const text =
      '[os]\nlanguage = "nodejs"\n[os.limits]\nmax_memory_mb = 0\nmax_output_mb = 0\ntimeout_secs = 9\n[os.network]\nbind_ports = "8080"\n';
    expect(render(text)).toMatchObject({
      os: {
        language: 'nodejs',
        limits: { max_memory_mb: 2_048, max_output_mb: 1, timeout_secs: 9 },
        network: { bind_ports: '8080' },
      },
    });
    expect(render('[os.limits]\nmax_memory_mb = 64\n')).toMatchObject({
      os: { limits: { max_memory_mb: 64 } },
    });
  });

  it.each(['5432', '3000-3999', ' 8080 , 9000 - 9100 '])('keeps the ports %j', ports => {
    expect(render(`[os.network]\nbind_ports = "${ports}"\n`)).toMatchObject({
      os: { network: { bind_ports: ports } },
    });
  });

  it.each(['22', '+22', '1-65535', '2999-3000', '9999-10000', '5000,22', '9000-3000', 'http', ''])(
    'replaces the ports %j by the default',
    ports => {
      expect(render(`[os.network]\nbind_ports = "${ports}"\n`)).toMatchObject({
        os: { network: { bind_ports: '3000-9999' } },
      });
    },
  );

  it.each([
    ['max_connections', 51, 50],
    ['max_connections', 0, 0],
    ['max_connections', 5, 5],
    ['max_bandwidth_mbps', 1_000, 10],
    ['max_bandwidth_mbps', 0, 10],
    ['max_bandwidth_mbps', 2, 2],
  ])('turns %s = %i of the project into %i', (limit, wanted, given) => {
    expect(render(`[os.network]\n${limit} = ${wanted}\n`)).toMatchObject({
      os: { network: { [limit]: given } },
    });
  });
});

describe('DENIED_RANGES', () => {
  it('are CIDR ranges, as wasmrun requires, and leave the internet open', () => {
    const list = new BlockList();
    for (const range of [...DENIED_RANGES, ...listOwnAddresses()]) {
      const [address = '', prefix] = range.split('/');
      // Unlike wasmnet, BlockList treats every IPv4 address as a part of this range.
      if (range === '::ffff:0:0/96') continue;
      list.addSubnet(address, Number(prefix), address.includes(':') ? 'ipv6' : 'ipv4');
    }
    expect(list.check('127.0.0.1')).toBe(true);
    expect(list.check('93.184.215.14')).toBe(false);
    expect(list.check('2606:2800:21f::1', 'ipv6')).toBe(false);
  });
});
