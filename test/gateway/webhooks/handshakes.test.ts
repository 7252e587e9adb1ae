// Which requests are handshakes: exactly those that providers send, and nothing that only looks a little like one.

import { describe, expect, it } from 'vitest';
import {
  findHandshake,
  findSignedHandshake,
  findUnsignedHandshake,
  UNSIGNED_HANDSHAKES,
} from '../../../src/gateway/webhooks/handshakes.ts';

const request = (method: string, target: string, body = '', ...rawHeaders: string[]) => ({
  method,
  target,
  rawHeaders,
  body: Buffer.from(body),
});

const SLACK =
  '{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}';
const META = '/m?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock';

describe('a handshake', () => {
  it.each([
    ['graph', request('POST', '/g?validationToken=Validation%3A+Testing&a=b')],
    ['meta', request('GET', META)],
    ['websub', request('GET', '/w?hub.mode=unsubscribe&hub.topic=http%3A%2F%2Fa&hub.challenge=x')],
    ['dropbox', request('GET', '/d?challenge=abc')],
    ['slack', request('POST', '/s', SLACK)],
    ['zoom', request('POST', '/z', '{"payload":{"plainToken":"q"},"event":"endpoint.url_validation"}')],
    ['twitch', request('POST', '/t', '{}', 'Twitch-Eventsub-Message-Type', 'webhook_callback_verification')],
    ['asana', request('POST', '/a', '', 'X-Hook-Secret', 'b537207f20cbfa02357cf448134da559')],
    ['eventgrid', request('POST', '/e', '[{}]', 'aeg-event-type', 'SubscriptionValidation')],
    ['monday', request('POST', '/m', '{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}')],
  ])('of %s is known by its form alone', (word, given) => {
    expect(findHandshake(given)).toBe(word);
  });

  it.each([
    ['a delivery of Graph', request('POST', '/g', '{"value":[]}')],
    [
      'a delivery of Graph with a token in its target',
      request('POST', '/g?validationToken=x', '{"value":[]}'),
    ],
    ['an empty token', request('POST', '/g?validationToken=')],
    ['two tokens', request('POST', '/g?validationToken=a&validationToken=b')],
    ['a token with another method', request('PUT', '/g?validationToken=a')],
    ['a handshake of Meta without its token', request('GET', '/m?hub.mode=subscribe&hub.challenge=1')],
    ['another mode', request('GET', META.replace('subscribe', 'publish'))],
    ['a handshake with a cookie', request('GET', META, '', 'Cookie', 'a=b')],
    ['one that frameworks take for a DELETE', request('GET', `${META}&_method=DELETE`)],
    ['one that frameworks take for a PUT', request('GET', META, '', 'X-HTTP-Method-Override', 'PUT')],
    ['one that frameworks take for a PATCH', request('GET', META, '', 'X_Http_Method', 'PATCH')],
    ['a handshake with a password', request('GET', META, '', 'Authorization', 'Basic eDp5')],
    ['an event of Slack', request('POST', '/s', '{"type":"event_callback","challenge":"x"}')],
    ['a delivery with a challenge among other things', request('POST', '/m', '{"challenge":"x","event":{}}')],
    ['a list', request('POST', '/s', '["url_verification"]')],
    ['no JSON', request('POST', '/s', 'type=url_verification')],
    ['a long body', request('POST', '/s', SLACK.padEnd(20_000))],
    ['a plain GET', request('GET', '/')],
    ['a plain HEAD', request('HEAD', '/')],
    ['an empty body', request('POST', '/')],
  ])('is not %s', (_, given) => {
    expect(findHandshake(given)).toBeUndefined();
  });

  it('that is unsigned is found only if a rule names it', () => {
    const given = request('GET', META);
    expect(findUnsignedHandshake(given, [])).toBeUndefined();
    expect(findUnsignedHandshake(given, ['graph', 'head'])).toBeUndefined();
    expect(findUnsignedHandshake(given, ['graph', 'meta'])).toBe('meta');
    expect(findSignedHandshake(given)).toBeUndefined();
    for (const method of ['GET', 'HEAD'])
      expect(findUnsignedHandshake(request(method, '/'), ['get', 'head'])).toBe(method.toLowerCase());
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
      expect(findUnsignedHandshake(request(method, '/'), UNSIGNED_HANDSHAKES)).toBeUndefined();
  });
});
