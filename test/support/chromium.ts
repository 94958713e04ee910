import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { afterTest } from './cleanup.js';

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const executablePath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser'].map((name) => join(folder, name)))
  .find(executable);

/**
 * Why tests in a browser are skipped; `undefined` where they are not. CI has to have Chromium: there
 * they fail without it.
 */
export const noChromium: string | undefined =
  executablePath === undefined && process.env['CI'] !== 'true'
    ? 'Skipped: there is no "chromium" on PATH (on Debian: apt-get install chromium).'
    : undefined;

/** A page of a browser of its own, with a clock that stands still but for `page.clock.runFor()`. */
export async function openPage(url: string, tell: (event: string) => void): Promise<Page> {
  if (executablePath === undefined) throw new Error('There is no "chromium" on PATH.');
  const browser = await chromium.launch({
    executablePath,
    // It refuses to run as root otherwise.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  afterTest(() => browser.close());
  const page = await browser.newPage();
  await page.exposeFunction('tell', tell);
  await page.clock.install({ time: 0 });
  await page.goto(url);
  await page.clock.pauseAt(3_600_000);
  return page;
}
