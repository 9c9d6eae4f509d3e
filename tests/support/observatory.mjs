// Print MDN's HTTP Observatory score of each host/path, and the tests that cost points.
import { scan } from "@mdn/mdn-http-observatory";

for (const target of process.argv.slice(2)) {
  const { scan: result, tests } = await scan(target);
  const lost = Object.values(tests).filter((test) => test.scoreModifier < 0);
  console.log(result.score, target, ...lost.map((test) => test.result));
}
