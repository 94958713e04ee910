// A jest reporter for check-coverage.mjs: takes from each test file's coverage only that of the one
// source file which it mirrors, and leaves it as JSON where OWN_COVERAGE_FILE says.
import { writeFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import coverage from 'istanbul-lib-coverage';
import sourceMaps from 'istanbul-lib-source-maps';

export default class OwnCoverageReporter {
  #root;
  #own = coverage.createCoverageMap({});

  constructor({ rootDir }) {
    this.#root = rootDir;
  }

  onTestResult({ path }, { coverage: ofThisTest }) {
    const source = path
      .replace(`${this.#root}${sep}test${sep}`, `${this.#root}${sep}src${sep}`)
      .replace(/\.spec\.ts$/, '.ts');
    const own = ofThisTest?.[source];
    if (own) this.#own.addFileCoverage(own);
  }

  async onRunComplete() {
    const mapped = await sourceMaps.createSourceMapStore().transformCoverage(this.#own);
    const report = mapped.files().map((file) => {
      const found = mapped.fileCoverageFor(file);
      return [relative(this.#root, file), { totals: found.toSummary().data, gaps: gapsOf(found) }];
    });
    writeFileSync(process.env.OWN_COVERAGE_FILE, JSON.stringify(Object.fromEntries(report)));
  }
}

/** What was not run, as `line:column what`. */
function gapsOf({ statementMap, s, fnMap, f, branchMap, b }) {
  const gaps = [];
  const add = (what, { start }) => gaps.push({ what, line: start.line, column: start.column + 1 });
  for (const [id, count] of Object.entries(s)) {
    if (count === 0) add('statement', statementMap[id]);
  }
  for (const [id, count] of Object.entries(f)) {
    if (count === 0) add(`function ${fnMap[id].name}`, fnMap[id].loc);
  }
  for (const [id, counts] of Object.entries(b)) {
    const { type, loc, locations } = branchMap[id];
    for (const [index, count] of counts.entries()) {
      const location = locations[index];
      if (count === 0) add(`${type} branch`, location?.start?.line ? location : loc);
    }
  }
  return gaps
    .toSorted((a, z) => a.line - z.line || a.column - z.column)
    .map(({ what, line, column }) => `${line}:${column} ${what}`);
}
