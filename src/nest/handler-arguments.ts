import { WsContextCreator } from '@nestjs/websockets/context/ws-context-creator.js';
import { isThenable } from '../runtime/thenable.js';

/** Fills in `args` from what came with a message; Nest awaits what it returns. */
type FillArguments = (args: unknown[], ...params: unknown[]) => unknown;

/** One parameter of a handler, as Nest describes it. */
interface Parameter {
  readonly index: number;
  readonly pipes: readonly unknown[];
  readonly extractValue: (...params: unknown[]) => unknown;
}

const AT_ONCE = Symbol.for('nestjs-safe-close.arguments-at-once');

/** A parameter that a future Nest describes in another way is left to it. */
function isPlain(parameter: Partial<Parameter>): boolean {
  return (
    typeof parameter.index === 'number' &&
    typeof parameter.extractValue === 'function' &&
    Array.isArray(parameter.pipes) &&
    parameter.pipes.length === 0
  );
}

async function fillLater(
  args: unknown[],
  index: number,
  value: PromiseLike<unknown>,
): Promise<void> {
  args[index] = await value;
}

/** The first that fails is told; what the others come to must not be an unhandled rejection. */
function fail(errors: readonly unknown[], pending: readonly Promise<void>[]): never {
  Promise.all(pending).catch(() => {});
  throw errors[0];
}

function fillAtOnce(parameters: readonly Parameter[]): FillArguments {
  return (args, ...params) => {
    let errors: unknown[] | undefined;
    let pending: Promise<void>[] | undefined;
    for (const { index, extractValue } of parameters) {
      // As Nest, which asks every decorator of the app, also where one has thrown.
      try {
        const value = extractValue(...params);
        // The client is the first of them, and most handlers take it.
        if (value === params[0] || !isThenable(value)) args[index] = value;
        else (pending ??= []).push(fillLater(args, index, value));
      } catch (error) {
        (errors ??= []).push(error);
      }
    }
    if (errors) fail(errors, pending ?? []);
    return pending && Promise.all(pending);
  };
}

/**
 * Nest resolves each argument of a handler by promises, fourteen for each message with two of them,
 * also where no pipe stands before any (bench, dispatch: 1.5 times as fast without). Such arguments
 * are filled in at once here, and only what is a promise is awaited. Handlers with a pipe are
 * Nest's as before, as are all where Nest has no such method.
 *
 * It must run before gateways are bound, and is for all apps of the process, whose handlers start
 * a few microtasks earlier.
 */
export function fillArgumentsAtOnce(): void {
  const prototype = WsContextCreator.prototype as unknown as {
    createPipesFn?: (pipes: unknown[], parameters: Parameter[]) => FillArguments | null;
  };
  const { createPipesFn } = prototype;
  if (typeof createPipesFn !== 'function' || AT_ONCE in createPipesFn) return;
  const create: typeof createPipesFn = function (this: unknown, pipes, parameters) {
    const own = Reflect.apply(createPipesFn, this, [pipes, parameters]);
    return own && pipes.length === 0 && parameters.every(isPlain) ? fillAtOnce(parameters) : own;
  };
  Object.defineProperty(create, AT_ONCE, { value: true });
  prototype.createPipesFn = create;
}
