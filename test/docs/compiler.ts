import { join } from 'node:path';
import ts from 'typescript';
import { ROOT, type Snippet } from './pages.js';

const CONFIG = process.env['NEST'] === '11' ? 'tsconfig.nest-11.json' : 'tsconfig.json';

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, CONFIG), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  // A snippet may leave a name for the reader to use.
  return { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false };
}

/** `export {}`: each block is a module of its own. */
function textOf({ given, code }: Snippet): string {
  return `${given}${code}export {};\n`;
}

/** What the compiler says of the snippets, as "page:line: message"; they are never written. */
export function typeErrorsOf(snippets: readonly Snippet[]): string[] {
  const files = new Map(
    snippets.map((snippet, index) => [join(ROOT, 'docs', `snippet-${index}.ts`), snippet]),
  );
  const options = compilerOptions();
  const host = ts.createCompilerHost(options);
  const fileExists = host.fileExists.bind(host);
  const readFile = host.readFile.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => (files.has(path) ? textOf(files.get(path)!) : readFile(path));
  host.getSourceFile = (path, target, ...rest) =>
    files.has(path)
      ? ts.createSourceFile(path, textOf(files.get(path)!), target)
      : getSourceFile(path, target, ...rest);
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, { page, line, given }]) => {
    const file = program.getSourceFile(path);
    const diagnostics = [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ];
    return diagnostics.map(({ start = 0, messageText }) => {
      const at = file!.getLineAndCharacterOfPosition(start).line - given.split('\n').length + 1;
      return `${page}:${line + at}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}

/**
 * Runs a snippet as it stands, top-level `await` included, and returns what it exports. Imports
 * come from this test's own module registry, so that both share one Nest and one library.
 */
export async function run(
  { code }: Snippet,
  modules: Readonly<Record<string, object>>,
): Promise<Record<string, unknown>> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      verbatimModuleSyntax: false,
    },
  });
  const exported: Record<string, unknown> = {};
  const require = (name: string): object => {
    const found = modules[name];
    if (!found) throw new Error(`The snippet imports "${name}", which this test does not offer.`);
    return found;
  };
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  const program = new AsyncFunction('require', 'exports', outputText) as (
    ...args: unknown[]
  ) => Promise<void>;
  await program(require, exported);
  return exported;
}
