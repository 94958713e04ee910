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

async function reject(error: unknown): Promise<never> {
  throw error;
}

/** What a decorator of the app throws is the rejection that Nest would make of it. */
function extract(parameter: Parameter, params: unknown[]): unknown {
  try {
    return parameter.extractValue(...params);
  } catch (error) {
    return reject(error);
  }
}

async function fillLater(
  args: unknown[],
  index: number,
  value: PromiseLike<unknown>,
): Promise<void> {
  args[index] = await value;
}

function fillAtOnce(parameters: readonly Parameter[]): FillArguments {
  return (args, ...params) => {
    let pending: Promise<void>[] | undefined;
    for (const parameter of parameters) {
      const value = extract(parameter, params);
      // The client is the first of them, and most handlers take it.
      if (value !== params[0] && isThenable(value)) {
        (pending ??= []).push(fillLater(args, parameter.index, value));
      } else args[parameter.index] = value;
    }
    return pending && Promise.all(pending);
  };
}

/**
 * Nest resolves each argument of a handler by promises, fourteen for each message and a third of
 * what it costs (bench, dispatch), also where no pipe stands before any of them. Such arguments
 * are filled in at once here, and only what is a promise is awaited. Handlers with a pipe are
 * Nest's as before, as are all where Nest has no such method.
 *
 * It must run before gateways are bound, and is for all apps of the process, to which it makes no
 * other difference.
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
