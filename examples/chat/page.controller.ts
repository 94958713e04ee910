import { Controller, Get, Header } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { SafeCloseService } from 'nestjs-safe-close';
import { CloseLog } from './close.log.js';

function asset(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

@Controller()
export class PageController {
  readonly #page = asset('./page.html');
  readonly #style = asset('./page.css');

  constructor(
    private readonly safeClose: SafeCloseService,
    private readonly closes: CloseLog,
  ) {}

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return this.#page;
  }

  @Get('page.css')
  @Header('Content-Type', 'text/css; charset=utf-8')
  style(): string {
    return this.#style;
  }

  @Get('status')
  @Header('Cache-Control', 'no-store')
  status(): object {
    const connections = Array.from(this.safeClose.connections, (connection) => ({
      name: connection.data['name'],
      state: connection.state,
      inFlight: connection.inFlight,
    }));
    return { report: this.safeClose.report(), connections, closes: this.closes.entries };
  }
}
