// Apps that send browsers to https while their preview is plain http.

import { expect, it } from 'vitest';
import { findHttpsDemand } from '../../../src/app/process/https-demand.ts';

const PUBLIC = 'http://bore.example:4321';

it.each<[number, Record<string, string>, RegExp]>([
  [
    301,
    { location: 'https://localhost:3000/' },
    /redirects GET \/ to https:\/\/localhost:3000, .*`tls-cert`/,
  ],
  [302, { location: 'https://127.0.0.1/login' }, /redirects/],
  [308, { location: 'https://bore.example/' }, /redirects/],
])('is a warning: %d %j', (status, headers, warning) => {
  expect(findHttpsDemand({ status, headers }, '/', PUBLIC)).toMatch(warning);
  expect(findHttpsDemand({ status, headers }, '/', 'https://bore.example:4321')).toBeUndefined();
});

it.each<[number, Record<string, string>]>([
  [302, { location: '/login' }],
  [302, { location: 'http://localhost:3000/login' }],
  [302, { location: 'https://accounts.example/login' }],
  [201, { location: 'https://localhost:3000/1' }],
  [302, { location: 'https://' }],
  [200, {}],
])('is nothing to warn of: %d %j', (status, headers) => {
  expect(findHttpsDemand({ status, headers }, '/', PUBLIC)).toBeUndefined();
});
