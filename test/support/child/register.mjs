// `node --import <this file> program.ts`: runs TypeScript through swc, on the Nest that NEST names.
import { register } from 'node:module';

register('./hooks.mjs', import.meta.url);
