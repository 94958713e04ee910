import { describe, expect, test } from '@jest/globals';
import { Controller, Get, Header } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import type { WebSocket } from 'ws';
import { ROOT } from '../docs/pages.js';
import { Echo, gatewayOf } from '../nest/gateway.js';
import { host } from '../nest/hosting.js';
import { noChromium, openPage } from '../support/chromium.js';
import { Tally, within } from '../support/waiting.js';

/** What the page does with the helper; it tells the test of all that happens. */
const PAGE = `<!doctype html>
<link rel="icon" href="data:," />
<script type="module">
  import { stayConnected } from './reconnect.js';
  window.sockets = 0;
  window.begin = ({ random = 0, renewed, paths = [], ...options }) => {
    const url = () => location.origin.replace('http', 'ws') + (paths.shift() ?? '/');
    window.leave = stayConnected(url, {
      ...options,
      random: () => random,
      onSocket(socket) {
        window.sockets++;
        socket.addEventListener('open', () => tell('open'));
        socket.addEventListener('close', ({ code }) => tell('closed ' + code));
      },
      renew() {
        tell('renew');
        return renewed;
      },
      onEnd: (code) => tell('end ' + code),
    });
  };
  tell('loaded');
</script>`;

@Controller()
class PageController {
  @Get()
  @Header('Content-Type', 'text/html')
  page(): string {
    return PAGE;
  }

  @Get('reconnect.js')
  @Header('Content-Type', 'text/javascript')
  helper(): string {
    return readFileSync(`${ROOT}/examples/reconnect/reconnect.js`, 'utf8');
  }
}

interface Options {
  /** What the helper draws, each time. */
  readonly random?: number;
  /** What `renew` answers. */
  readonly renewed?: boolean;
  /** The paths of the first attempts; only "/" has a gateway. */
  readonly paths?: readonly string[];
  readonly final?: readonly number[];
}

class Browser {
  constructor(
    readonly page: Page,
    readonly told: Tally<string>,
    readonly arrivals: Tally<WebSocket>,
    readonly close: (client: WebSocket, code: number) => Promise<unknown>,
  ) {}

  /** The n-th thing that the page told, counted from 1: "loaded" and the first "open" are two. */
  async tells(count: number): Promise<string> {
    return this.told.at(count - 1, 'thing told by the page');
  }

  async sockets(): Promise<unknown> {
    return await this.page.evaluate('sockets');
  }

  /** The server closes the n-th connection, counted from 1. */
  async closed(count: number, code: number): Promise<void> {
    const client = await this.arrivals.at(count - 1, 'connection');
    await within(this.close(client, code), 'the close');
  }

  /** Comes back once so much time has passed in the page, and no sooner. */
  async comesBackAfter(ms: number): Promise<void> {
    const before = (await this.sockets()) as number;
    await this.page.clock.runFor(ms - 1);
    expect(await this.sockets()).toBe(before);
    await this.page.clock.runFor(1);
    expect(await this.sockets()).toBe(before + 1);
  }

  async staysAway(): Promise<void> {
    const before = await this.sockets();
    await this.page.clock.runFor(600_000);
    expect(await this.sockets()).toBe(before);
  }
}

/** A page that has loaded the helper over HTTP and called it. */
async function begin(options: Options = {}): Promise<Browser> {
  const Gateway = gatewayOf(Echo);
  const hosted = await host({ controllers: [PageController], providers: [Gateway] });
  const told = new Tally<string>();
  const page = await openPage(`http://127.0.0.1:${hosted.port}/`, (event) => told.add(event));
  const { arrivals } = hosted.get(Gateway);
  const browser = new Browser(page, told, arrivals, (client, code) =>
    hosted.service.close(client, code),
  );
  expect(await browser.tells(1)).toBe('loaded');
  await page.evaluate(`begin(${JSON.stringify(options)})`);
  return browser;
}

if (noChromium !== undefined) console.warn(noChromium);

// A developer's machine need not have a browser; CI has to.
// oxlint-disable-next-line jest/no-disabled-tests
(noChromium === undefined ? describe : describe.skip)('In Chromium, the reconnect helper', () => {
  test.each([
    { code: 1012, random: 0, ms: 5_000 },
    { code: 1012, random: 0.5, ms: 17_500 },
    { code: 1001, random: 0.5, ms: 2_500 },
    { code: 1013, random: 0.5, ms: 45_000 },
    { code: 1011, random: 0.5, ms: 2_500 },
    { code: 4000, random: 0.5, ms: 2_500 },
  ])('comes back $ms ms after $code where $random is drawn', async ({ code, random, ms }) => {
    const browser = await begin({ random });
    expect(await browser.tells(2)).toBe('open');
    await browser.closed(1, code);
    expect(await browser.tells(3)).toBe(`closed ${code}`);
    await browser.comesBackAfter(ms);
    expect(await browser.tells(4)).toBe('open');
  });

  test.each([1000, 1008, 4409])('does not come back after %d, and says so', async (code) => {
    const browser = await begin();
    expect(await browser.tells(2)).toBe('open');
    await browser.closed(1, code);
    expect((await browser.tells(3)).concat(', ', await browser.tells(4))).toContain(`end ${code}`);
    await browser.staysAway();
  });

  test('does not come back after a code that the app calls final', async () => {
    const browser = await begin({ final: [4000] });
    expect(await browser.tells(2)).toBe('open');
    await browser.closed(1, 4000);
    await browser.tells(4);
    await browser.staysAway();
  });

  test('comes back with a new credential after 4401', async () => {
    const browser = await begin({ random: 0.5, renewed: true });
    expect(await browser.tells(2)).toBe('open');
    await browser.closed(1, 4401);
    expect([await browser.tells(3), await browser.tells(4)]).toEqual(['renew', 'closed 4401']);
    await browser.comesBackAfter(500);
    expect(await browser.tells(5)).toBe('open');
  });

  test('does not come back after 4401 without a new credential', async () => {
    const browser = await begin({ renewed: false });
    expect(await browser.tells(2)).toBe('open');
    await browser.closed(1, 4401);
    await browser.tells(5);
    expect(browser.told.all.slice(2).toSorted()).toEqual(['closed 4401', 'end 4401', 'renew']);
    await browser.staysAway();
  });

  test('doubles the range with each refused attempt, up to a minute', async () => {
    const paths = Array.from({ length: 6 }, () => '/nobody');
    const browser = await begin({ random: 0.5, paths });
    for (const [index, ms] of [2_500, 5_000, 10_000, 20_000, 30_000, 30_000].entries()) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await browser.tells(index + 2)).toBe('closed 1006');
      // oxlint-disable-next-line no-await-in-loop
      await browser.comesBackAfter(ms);
    }
    expect(await browser.tells(8)).toBe('open');
  });

  test('begins anew with the range once a connection has lasted', async () => {
    const browser = await begin({ random: 0.5 });
    for (const [index, ms] of [2_500, 5_000, 2_500].entries()) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await browser.tells(2 * index + 2)).toBe('open');
      // oxlint-disable-next-line no-await-in-loop
      if (index === 2) await browser.page.clock.runFor(60_001);
      // oxlint-disable-next-line no-await-in-loop
      await browser.closed(index + 1, 1001);
      // oxlint-disable-next-line no-await-in-loop
      expect(await browser.tells(2 * index + 3)).toBe('closed 1001');
      // oxlint-disable-next-line no-await-in-loop
      await browser.comesBackAfter(ms);
    }
  });

  test('leaves for good when told to, be it open or waiting', async () => {
    const browser = await begin();
    expect(await browser.tells(2)).toBe('open');
    await browser.page.evaluate('leave()');
    await browser.tells(4);
    expect(browser.told.all.slice(2).toSorted()).toEqual(['closed 1000', 'end 1000']);
    await browser.staysAway();

    const waiting = await begin();
    expect(await waiting.tells(2)).toBe('open');
    await waiting.closed(1, 1001);
    expect(await waiting.tells(3)).toBe('closed 1001');
    await waiting.page.evaluate('leave()');
    await waiting.staysAway();
  });
});
