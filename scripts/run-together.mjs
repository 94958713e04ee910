// Runs commands side by side without mixing their output: one line for each that succeeds, the
// whole log of each that fails. As many at a time as there are processors.
//
//   node scripts/run-together.mjs <npm script>...
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const bin = resolve(fileURLToPath(new URL('../node_modules/.bin', import.meta.url)));

/**
 * @param {Record<string, string>} commands shell commands by name
 * @returns {Promise<boolean>} whether all succeeded
 */
export async function runTogether(commands) {
  const waiting = Object.entries(commands);
  let succeeded = true;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const passed = await runQuietly(...next);
      succeeded &&= passed;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return succeeded;
}

function runQuietly(name, command) {
  const startedAt = performance.now();
  return new Promise((settle) => {
    const output = [];
    const child = spawn(command, {
      shell: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
    });
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('close', (code) => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      if (code === 0) {
        console.log(`ok    ${name} (${seconds} s)`);
      } else {
        console.log(`FAIL  ${name} (${seconds} s): ${command}`);
        console.log(Buffer.concat(output).toString().replace(/^/gm, '      '));
      }
      settle(code === 0);
    });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const scripts = process.argv.slice(2).map((name) => [name, `npm run --silent ${name}`]);
  process.exitCode = (await runTogether(Object.fromEntries(scripts))) ? 0 : 1;
}
