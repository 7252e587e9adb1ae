// An app that takes webhooks, and can go away and come back on the same port; and a gateway in front of it that records
// and keeps requests under /hooks/.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { GatewayOptions } from '../../src/gateway/gateway.ts';
import type { QueueLimits } from '../../src/gateway/webhooks/queue/limits.ts';
import { RequestRecorder } from '../../src/gateway/webhooks/record/recorder.ts';
import type { AppState } from '../../src/shared/state.ts';
import { type Door, openDoor, runningOn } from './gateway-door.ts';

export interface ReceivedWebhook {
  /** Method and target. */
  line: string;
  rawHeaders: string[];
  body: Buffer;
}

/** A status; or the app crashes, or gives no answer. */
export type WebhookAnswer = number | 'crash' | 'hang';

export class WebhookApp {
  readonly received: ReceivedWebhook[] = [];
  /** Called when the body has come. */
  answer: (body: string) => WebhookAnswer = () => 200;
  /** Called when it crashes. */
  onCrash = () => {};
  port = 0;
  #server: Server | undefined;

  /** On the port that it had before. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#take(request, response));
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { method, url, rawHeaders } = request;
    this.received.push({ line: `${method} ${url}`, rawHeaders, body });
    const answer = this.answer(body.toString());
    if (answer === 'hang') return;
    if (answer !== 'crash') return void response.writeHead(answer, { 'X-App': 'here' }).end('done');
    void this.kill();
    this.onCrash();
  }

  /** Closes the port and every connection, as the kernel does for a process that is killed. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  get bodies(): string[] {
    return this.received.map(({ body }) => body.toString());
  }
}

export interface WebhookStage {
  app: WebhookApp;
  door: Door;
  recorder: RequestRecorder;
  /** Changes the app's state, and tells the gateway. */
  become(state: AppState): void;
}

export interface StageOptions extends Partial<Omit<GatewayOptions, 'rules'>> {
  rules?: Partial<GatewayOptions['rules']>;
  queueLimits?: Partial<QueueLimits>;
  publicUrl?: string;
}

export async function openWebhookStage({ rules, ...options }: StageOptions = {}): Promise<WebhookStage> {
  const app = new WebhookApp();
  await app.start();
  let state: AppState = runningOn(app.port);
  const recorder = new RequestRecorder({ kind: 'paths', patterns: ['/hooks/**'] });
  const door = await openDoor(() => state, { rules: { queue: true, ...rules }, recorder, ...options });
  const become = (next: AppState) => {
    state = next;
    door.gateway.followApp();
  };
  return { app, door, recorder, become };
}
