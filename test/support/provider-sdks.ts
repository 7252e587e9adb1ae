// The libraries that providers publish for checking their signatures, as functions of one form. They are installed
// outside the checkout (test/provider-sdks), so this loads them by their path and names the few types that it needs.

import type { IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parse } from 'node:querystring';
import { requirePart } from './real-parts.ts';

/** A request as a program with Node's HTTP server sees it. */
export interface Received {
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The public URL. */
  url: string;
  secret: string;
  nowMs: number;
}

/** Whether the library accepts the request; a refusal by an exception counts as a refusal. */
export type Judge = (received: Received) => boolean | Promise<boolean>;

interface Stripe {
  webhooks: {
    signature: {
      verifyHeader(
        body: Buffer,
        header: string | undefined,
        secret: string,
        toleranceS: number,
        provider: undefined,
        receivedAtMs: number,
      ): boolean;
    };
  };
}

interface Octokit {
  Webhooks: new (options: {
    secret: string;
  }) => { verify(body: string, signature: string): Promise<boolean> };
}

interface Slack {
  isValidSlackRequest(options: {
    signingSecret: string;
    body: string;
    headers: Record<string, string | number | undefined>;
    nowMilliseconds: number;
  }): boolean;
}

interface StandardWebhooks {
  Webhook: new (
    secret: string,
  ) => { verify(body: Buffer, headers: object, options: { jsonParse: boolean }): void };
}

interface Twilio {
  validateIncomingRequest(
    request: { header(name: string): string | undefined; body: object; rawBody: string },
    secret: string,
    options: { url: string; algorithm: string },
  ): boolean;
  getSignatureAlgorithm(header: string | undefined): string;
}

interface Square {
  WebhooksHelper: {
    verifySignature(options: {
      requestBody: string;
      signatureHeader: string | undefined;
      signatureKey: string;
      notificationUrl: string;
    }): Promise<boolean>;
  };
}

interface Shopify {
  shopifyApi(config: object): {
    webhooks: {
      validate(request: {
        rawBody: string;
        rawRequest: object;
        rawResponse: object;
      }): Promise<{ valid: boolean; reason?: string }>;
    };
  };
  LogSeverity: { Error: number };
}

/** Loads a file of an installed package, also one that the package does not export. */
export function loadSdk(path: string): ReturnType<NodeJS.Require> {
  const folder = requirePart('provider-sdks');
  return createRequire(join(folder, 'x.js'))(join(folder, path));
}

/** Each loads its library when it is made. */
export const JUDGES: Readonly<Record<string, () => Judge>> = {
  github: () => {
    const { Webhooks }: Octokit = loadSdk('@octokit/webhooks/dist-bundle/index.js');
    return ({ headers, body, secret }) =>
      new Webhooks({ secret }).verify(body.toString(), String(headers['x-hub-signature-256'] ?? ''));
  },
  stripe: () => {
    const stripe: Stripe = loadSdk('stripe');
    return ({ headers, body, secret, nowMs }) => {
      const header = headers['stripe-signature'];
      return stripe.webhooks.signature.verifyHeader(
        body,
        header === undefined ? undefined : String(header),
        secret,
        300,
        undefined,
        nowMs,
      );
    };
  },
  slack: () => {
    const { isValidSlackRequest }: Slack = loadSdk('@slack/bolt/dist/receivers/verify-request.js');
    return ({ headers, body, secret, nowMs }) => {
      const read = (name: string) => (headers[name] === undefined ? undefined : String(headers[name]));
      const [time, signature] = [read('x-slack-request-timestamp'), read('x-slack-signature')];
      // As parseAndVerifyHTTPRequest of the same package does.
      if (signature === undefined || time === undefined) return false;
      return isValidSlackRequest({
        signingSecret: secret,
        body: body.toString(),
        headers: { 'x-slack-signature': signature, 'x-slack-request-timestamp': Number(time) },
        nowMilliseconds: nowMs,
      });
    };
  },
  'standard-webhooks': () => {
    const { Webhook }: StandardWebhooks = loadSdk('standardwebhooks');
    return ({ headers, body, secret }) => {
      new Webhook(secret).verify(body, headers, { jsonParse: false });
      return true;
    };
  },
  twilio: () => {
    const { validateIncomingRequest, getSignatureAlgorithm }: Twilio = loadSdk(
      'twilio/lib/webhooks/webhooks.js',
    );
    return ({ headers, body, secret, url }) => {
      const header = (name: string) => {
        const value = headers[name.toLowerCase()];
        return value === undefined ? undefined : String(value);
      };
      const isForm = /^application\/x-www-form-urlencoded/i.test(header('content-type') ?? '');
      return validateIncomingRequest(
        { header, body: isForm ? { ...parse(body.toString()) } : {}, rawBody: body.toString() },
        secret,
        { url, algorithm: getSignatureAlgorithm(header('X-Twilio-Webhooks-Signature-Settings')) },
      );
    };
  },
  square: () => {
    const { WebhooksHelper }: Square = loadSdk('square/wrapper/WebhooksHelper.js');
    return ({ headers, body, secret, url }) =>
      WebhooksHelper.verifySignature({
        requestBody: body.toString(),
        signatureHeader: String(headers['x-square-hmacsha256-signature'] ?? ''),
        signatureKey: secret,
        notificationUrl: url,
      });
  },
  shopify: () => {
    loadSdk('@shopify/shopify-api/dist/cjs/adapters/node/index.js');
    const { shopifyApi, LogSeverity }: Shopify = loadSdk('@shopify/shopify-api/dist/cjs/lib/index.js');
    return async ({ headers, body, secret }) => {
      const shopify = shopifyApi({
        apiKey: 'key',
        apiSecretKey: secret,
        hostName: 'preview.example',
        apiVersion: '2026-01',
        isEmbeddedApp: false,
        logger: { level: LogSeverity.Error },
      });
      const { valid, reason } = await shopify.webhooks.validate({
        rawBody: body.toString(),
        rawRequest: { headers, method: 'POST', url: '/' },
        rawResponse: {},
      });
      // The other fields are not about the signature.
      return valid || reason === 'missing_headers';
    };
  },
};
